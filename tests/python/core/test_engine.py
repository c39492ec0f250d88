import pytest

from caffe2.proto import caffe2_pb2
from caffe2.python import _import_c_extension as C
from caffe2.python import core, workspace
from caffe2.runtime.flags import flags


def test_definitions_are_described():
    conv = C.OpSchema.get("Conv")
    assert (conv.min_input, conv.max_input, conv.min_output) == (2, 3, 1)
    assert [name for name, _ in conv.input_desc] == ["X", "filter", "bias"]
    assert {"group", "kernel"} <= {arg.name for arg in conv.args} and conv.doc and conv.line > 0
    assert conv.file.endswith("conv.py") and "conv" in C.OpSchema.get_cpu_impl("Conv")
    assert conv.num_inputs_allowed(3) and not conv.num_inputs_outputs_allowed(3, 2)
    assert C.OpSchema.get("Nothing") is None


@pytest.mark.parametrize("name, inputs, outputs", [("Relu", 1, 1), ("Concat", 3, 2), ("Split", 1, -1)])
def test_numbers_of_outputs(name, inputs, outputs):
    assert C.OpSchema.get(name).CalculateOutput(inputs) == outputs


def test_outputs_that_overwrite():
    assert C.OpSchema.get("ScatterAssign").inplace_enforced(0, 0)
    assert not C.OpSchema.get("Relu").inplace_enforced(0, 0)


def test_shapes_of_outputs():
    x = caffe2_pb2.TensorShape(dims=[2, 3], data_type=caffe2_pb2.TensorProto.FLOAT)
    (y,) = C.OpSchema.get("Relu").infer_tensor(core.CreateOperator("Relu", "x", "y"), [x])
    assert list(y.dims) == [2, 3]
    (y,) = C.OpSchema.get("Relu").infer_tensor(
        core.CreateOperator("Relu", "x", "y"), [caffe2_pb2.TensorShape(unknown_shape=True)]
    )
    assert y.unknown_shape


def test_gradients_of_serialized_operators():
    given = C.GradientWrapper()
    assert given.is_empty()
    given.dense = "dy"
    gather = core.CreateOperator("Gather", ["d", "i"], ["y"])
    made, (d, i) = C.get_gradient_defs(gather.SerializeToString(), [given])
    assert made == [] and (d.indices, d.values, d.is_sparse()) == ("i", "dy", True) and i.is_empty()
    relu = core.CreateOperator("Relu", "x", "y")
    (made,), (x,) = C.get_gradient_defs(relu.SerializeToString(), [given])
    assert caffe2_pb2.OperatorDef.FromString(made).type == "ReluGradient" and x.is_dense() and x.dense == "x_grad"


def test_devices_of_serialized_operators():
    option = core.DeviceOption(caffe2_pb2.CUDA, 1)
    op = core.CreateOperator("CopyGPUToCPU", "x", "y", device_option=option)
    ins, outs = C.infer_op_input_output_device(op.SerializeToString())
    assert (ins, outs) == ([option.SerializeToString()], [b""])


def test_names_that_are_free():
    names = C.DummyName()
    assert [names.new_dummy_name(), names.new_dummy_name()] == ["OC2_DUMMY_0", "OC2_DUMMY_1"]
    names.reset({"OC2_DUMMY_0"})
    assert names.new_dummy_name() == "OC2_DUMMY_1"


def test_names_nearby():
    assert C.nearby_opnames("maxpool")[0] == "MaxPool" and C.op_registry_key("Conv", "CUDNN") == "Conv_ENGINE_CUDNN"


def test_transforms_of_serialized_nets():
    net = core.Net("transformed")
    net.Conv(["x", "w", "b"], "y", kernel=1)
    made = caffe2_pb2.NetDef.FromString(C.run_transform("AddNNPACK", net.Proto().SerializeToString()))
    assert made.op[0].engine == "NNPACK" and C.transform_exists("AddNNPACK")
    assert C.workspace_transform_exists("FuseConvBN") and not C.transform_exists("Nothing")


def test_engines_are_preferred():
    core.SetEnginePref({caffe2_pb2.CPU: {"Conv": ["NNPACK"]}}, {caffe2_pb2.CPU: ["EIGEN"]})
    core.SetOpEnginePref("Relu", {caffe2_pb2.CPU: ["NNPACK"]})
    assert flags.engines["cpu"] == {"Conv": ["NNPACK"], "": ["EIGEN"], "Relu": ["NNPACK"]}
    core.SetEnginePref({}, {})
    assert flags.engines["cpu"] == {}


def test_children_see_their_parents():
    workspace.ResetWorkspace()
    parent = C.Workspace()
    parent.feed_blob("x", b"three")
    child = C.Workspace(parent)
    child.create_blob("y")
    assert child.fetch_blob("x") == b"three" and not parent.has_blob("y")
    with workspace.WorkspaceGuard(child):
        assert workspace.FetchBlob("x") == b"three" and workspace.HasBlob("y")
    assert not workspace.HasBlob("y")
