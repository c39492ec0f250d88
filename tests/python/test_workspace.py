"""The workspace module: blobs, nets and workspaces by name."""

import threading

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet, UnknownOperator
from caffe2.proto import caffe2_pb2
from caffe2.python import core, workspace
from caffe2.runtime import blob
from caffe2.runtime.errors import MessageError, MissingBlob, NetError, WorkspaceError
from caffe2.runtime.workspaces import workspaces


@pytest.fixture(autouse=True)
def fresh():
    workspace.SwitchWorkspace("default")
    workspace.ResetWorkspace()
    yield
    workspace.SwitchWorkspace("default")
    workspace.ResetWorkspace()


def relu(x="x", y="y", name="n"):
    net = core.Net(name)
    net.Relu([x], [y])
    return net


@pytest.mark.parametrize("dtype", "f2 f4 f8 ? i1 i2 i4 i8 u1 u2".split())
@pytest.mark.parametrize("shape", [(2, 3), (0, 2), ()])
def test_feed_and_fetch(dtype, shape):
    array = np.ones(shape, dtype=dtype)
    assert workspace.FeedBlob("x", array) is True
    fetched = workspace.FetchBlob("x")
    assert fetched.dtype == array.dtype and fetched.shape == shape
    fetched[...] = 0
    assert (workspace.FetchBlob("x") == 1).all()


def test_what_can_be_fed():
    for text in ("abc", b"abc"):
        workspace.FeedBlob("s", text)
        assert workspace.FetchBlob("s") == b"abc"
    workspace.FeedBlob("t", np.array(["é", "b"]))
    assert workspace.FetchBlob("t").tolist() == ["é".encode(), b"b"]
    tensor = torch.zeros(2)
    workspace.FeedBlob("shared", tensor)
    tensor[0] = 3
    assert workspace.FetchBlob("shared")[0] == 3 and workspace.FetchTorch("shared").data_ptr() == tensor.data_ptr()
    workspace.FeedBlob("proto", caffe2_pb2.TensorProto(dims=[1], data_type=1, float_data=[2.0]))
    assert workspace.FetchBlob("proto") == 2
    workspace.FeedBlob("big", np.array([1, 2], dtype=">i4"))
    assert workspace.FetchBlob("big").tolist() == [1, 2]
    workspace.FeedBlob(core.BlobReference("ref"), np.ones(1))
    assert workspace.FetchBlobs(["ref", core.BlobReference("proto")])[0] == 1


@pytest.mark.parametrize("value", [3, [1, 2], None, {}, np.zeros(2, dtype=np.complex64), np.array([None])])
def test_what_cannot_be_fed(value):
    workspace.FeedBlob("x", np.ones(1))
    with pytest.raises(EnforceNotMet):
        workspace.FeedBlob("x", value)
    assert workspace.FetchBlob("x") == 1 and workspace.Blobs() == ["x"]


def test_fetching_what_is_not_there():
    workspace.FeedBlob("weights", np.ones(1))
    with pytest.raises(MissingBlob, match="did you mean weights"):
        workspace.FetchBlob("weight")
    workspace.CreateBlob("empty")
    with pytest.raises(MissingBlob, match="holds nothing"):
        workspace.FetchBlob("empty")
    workspace.ResetBlob("weights")
    assert workspace.HasBlob("weights") and not workspace.HasBlob("weight")
    assert workspace.RemoveBlob("weights") and not workspace.HasBlob("weights")


def test_quantized_tensors():
    workspaces.current.put("q", blob.Int8Tensor(torch.tensor([1, 2, 3], dtype=torch.uint8), 0.5, 2))
    data, scale, zero_point = workspace.FetchInt8Blob("q")
    assert data.tolist() == [1, 2, 3] and data.dtype == np.uint8 and (scale, zero_point) == (0.5, 2)
    assert workspace.FetchInt8BlobRealVal("q").tolist() == [-0.5, 0, 0.5]
    with pytest.raises(TypeError, match="FetchInt8Blob"):
        workspace.FetchBlob("q")
    workspace.FeedBlob("x", np.ones(1))
    with pytest.raises(AssertionError, match="FetchBlob"):
        workspace.FetchInt8Blob("x")


def test_objects_tell_what_they_are():
    workspace.RunOperatorOnce(core.CreateOperator("CreateCounter", [], ["c"]))
    assert workspace.FetchBlob("c").startswith(b"c, a C++ native class of type Counter")
    assert workspace.GetBlobSizeBytes("c") == 0
    with pytest.raises(EnforceNotMet, match="holds no tensor"):
        workspace.FetchTorch("c")


def test_sizes():
    workspace.FeedBlob("x", np.ones((2, 3), dtype=np.float16))
    workspace.FeedBlob("s", np.array([b"ab", b"cde"], dtype=object))
    assert workspace.GetBlobSizeBytes("x") == 12
    assert workspace.GetBlobSizeBytes("s") == 5 + 2 * 32


def test_blobs_as_a_mapping():
    workspace.blobs["x"] = np.ones(2)
    assert "x" in workspace.blobs and len(workspace.blobs) == 1 and list(workspace.blobs) == ["x"]
    assert workspace.blobs["x"].tolist() == [1, 1]
    del workspace.blobs["x"]
    assert "x" not in workspace.blobs


def test_bytes_of_blobs():
    workspace.FeedBlob("x", np.arange(3))
    workspace.DeserializeBlob("y", workspace.SerializeBlob("x"))
    assert workspace.FetchBlob("y").tolist() == [0, 1, 2]
    with pytest.raises(MessageError):
        workspace.DeserializeBlob("y", b"nonsense")
    assert workspace.FetchBlob("y").tolist() == [0, 1, 2]


@pytest.mark.parametrize("given", [lambda n: n, lambda n: n.Proto(), lambda n: n.Proto().SerializeToString()])
def test_nets(given):
    net = relu()
    workspace.FeedBlob("x", np.array([-1.0, 2.0]))
    assert workspace.RunNetOnce(given(net)) is True
    assert workspace.CreateNet(given(net)) is True
    with pytest.raises(NetError, match="overwrite=True"):
        workspace.CreateNet(given(net))
    assert workspace.CreateNet(given(net), overwrite=True) is True
    assert workspace.RunNet(net) is True and workspace.RunNet(net.Name(), 0) is True
    assert workspace.RunOperatorOnce(net.Proto().op[0]) is True
    assert workspace.RunOperatorsOnce(net.Proto().op) is True
    assert workspace.RunOperatorMultiple(net.Proto().op[0], 2) is True
    assert workspace.FetchBlob("y").tolist() == [0, 2]


def test_refused_nets_leave_no_blob():
    for bad, error in ((relu("absent"), MissingBlob), (core.Net("n"), UnknownOperator)):
        if error is UnknownOperator:
            bad.Proto().op.add(type="Rely", output=["y"])
        for run in (workspace.RunNetOnce, workspace.CreateNet):
            with pytest.raises(error):
                run(bad)
        with pytest.raises(error):
            workspace.RunOperatorOnce(bad.Proto().op[0])
    assert workspace.Blobs() == [] and workspace.C.nets() == []
    with pytest.raises(NetError, match="no net is named"):
        workspace.RunNet("absent")


@pytest.mark.parametrize(
    "run", [workspace.RunNetOnce, workspace.CreateNet, workspace.RunOperatorOnce, workspace.RunPlan]
)
def test_bytes_that_are_no_message(run):
    with pytest.raises(MessageError, match="no serialized"):
        run(b"\xff\xff")
    with pytest.raises((ValueError, TypeError)):
        run(3)
    with pytest.raises(ValueError, match="is needed, not a"):
        run(caffe2_pb2.TensorProto())


def test_input_blobs():
    net = relu()
    workspace.CreateNet(net, input_blobs=["x"])
    with pytest.raises(MissingBlob, match="holds nothing"):
        workspace.RunNet(net)
    workspace.FeedBlob("x", np.ones(1))
    workspace.RunNet(net)


def test_failing_without_an_error():
    net = core.Net("failing")
    net.Fail([], [])
    workspace.CreateNet(net)
    assert workspace.RunNet(net, allow_fail=True) is False
    with pytest.raises(EnforceNotMet):
        workspace.RunNet(net)


def test_where_a_failed_operator_was_created(caplog):
    net = relu("x", "x", name="traced")
    net.Sum(["x", "w"], ["y"])
    workspace.FeedBlob("x", np.ones((2, 3), dtype=np.float32))
    workspace.FeedBlob("w", np.ones((4, 5), dtype=np.float32))
    with pytest.raises(EnforceNotMet):
        workspace.RunNetOnce(net)
    assert "operator 1 of net traced" in caplog.text and "test_workspace.py" in caplog.text


def test_plans():
    plan = core.Plan("p")
    plan.AddStep(core.execution_step("s", [relu(name="planned")], num_iter=2))
    workspace.FeedBlob("x", np.array([-1.0]))
    assert workspace.RunPlan(plan) is True and workspace.RunPlan(plan.Proto().SerializeToString()) is True
    assert workspace.RunPlan(core.execution_step("t", [relu(name="stepped")])) is True
    background = workspace.RunPlanInBackground(plan)
    background._thread.join(20)
    assert background.is_done() and background.is_succeeded()


def test_workspaces(tmp_path):
    workspace.FeedBlob("x", np.ones(1))
    with pytest.raises(WorkspaceError, match="pass True to create it"):
        workspace.SwitchWorkspace("none of these")
    assert workspace.SwitchWorkspace("other", True) is None
    assert workspace.CurrentWorkspace() == "other" and workspace.Blobs() == []
    assert {"default", "other"} <= set(workspace.Workspaces())
    assert workspace.ResetWorkspace(str(tmp_path / "new")) is True
    assert workspace.RootFolder() == str(tmp_path / "new") and (tmp_path / "new").is_dir()
    workspace.ResetWorkspace()
    assert workspace.RootFolder() == str(tmp_path / "new")
    workspace.ResetWorkspace(".")
    workspace.SwitchWorkspace("default")
    assert workspace.Blobs() == ["x"]
    workspace.C.create_child_workspace("default", "child")
    with workspace.WorkspaceGuard("child"):
        assert workspace.Blobs() == ["x"] and workspace.LocalBlobs() == []


def test_other_threads_see_the_switch():
    seen = []
    workspace.SwitchWorkspace("other", True)
    thread = threading.Thread(target=lambda: seen.append(workspace.CurrentWorkspace()))
    thread.start()
    thread.join()
    assert seen == ["other"]


def test_immediate_mode():
    workspace.StartImmediate(i_know=True)
    try:
        workspace.FeedImmediate("x", np.array([-1.0, 1.0], dtype=np.float32))
        core.CreateOperator("Relu", ["x"], ["y"])
        assert workspace.FetchImmediate("y").tolist() == [0, 1]
        assert workspace.ImmediateBlobs() == ["x", "y"] and workspace.Blobs() == []
    finally:
        workspace.StopImmediate()
    assert not workspace.IsImmediate()


def test_predictor():
    init, predict = core.Net("init"), core.Net("predict")
    init.ConstantFill([], "w", shape=[2], value=2.0)
    predict.AddExternalOutput(predict.Mul(["x", "w"], "y"))
    predictor = workspace.Predictor(init.Proto(), predict.Proto().SerializeToString())
    x = np.array([1, 2], dtype=np.float32)
    assert predictor.run([x])[0].tolist() == [2, 4]
    assert predictor.run({"x": x + 1})[0].tolist() == [4, 6]
    assert workspace.Blobs() == []
    with pytest.raises(EnforceNotMet, match="no input 'z'"):
        predictor.run({"z": x})


def test_every_name_of_the_original():
    names = """
    BenchmarkNet BenchmarkNetOnce Blobs C CallWithExceptionIntercept ClearGlobalNetObserver CreateBlob CreateNet
    CreateOfflineTensor CurrentWorkspace DeserializeBlob FeedBlob FeedImmediate FetchBlob FetchBlobs
    FetchImmediate FetchInt8Blob FetchInt8BlobRealVal FetchTorch FillRandomNetworkInputs GetBlobNUMANode
    GetBlobSizeBytes GetCUDAVersion GetCuDNNVersion GetDeviceProperties GetGPUMemoryInfo GetGpuPeerAccessPattern
    GetNameScope GetNetName GetNumNUMANodes GetOperatorCost GetStats GlobalInit GpuDeviceType HasBlob
    ImmediateBlobs InferShapesAndTypes Int8Tensor IsImmediate IsNUMAEnabled NumCudaDevices NumGpuDevices Predictor
    RegisteredOperators ResetBlob ResetWorkspace RootFolder RunNet RunNetOnce RunOperatorImmediate
    RunOperatorMultiple RunOperatorOnce RunOperatorsOnce RunPlan RunPlanInBackground SerializeBlob StartImmediate
    StopImmediate StringifyBlobName StringifyNetName StringifyProto SwitchWorkspace Workspace WorkspaceGuard
    Workspaces ApplyTransform ApplyTransformIfFaster blobs has_cuda_support has_gpu_support has_hip_support
    is_asan operator_tracebacks _immediate_mode _immediate_root_folder _immediate_workspace_name
    """
    assert [name for name in names.split() if not hasattr(workspace, name)] == []
