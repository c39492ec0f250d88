import numpy as np
import pytest
from google.protobuf import text_format
from google.protobuf.message import DecodeError

from caffe2.proto import caffe2_pb2, caffe_pb2
from caffe2.python import core, scope, utils, workspace
from caffe2.runtime.errors import MissingBlob

T = caffe2_pb2.TensorProto


@pytest.mark.parametrize(
    ("dtype", "number", "field"),
    [
        (np.float32, T.FLOAT, "float_data"),
        (np.float64, T.DOUBLE, "double_data"),
        (np.int64, T.INT64, "int64_data"),
        (np.int32, T.INT32, "int32_data"),
        (np.int16, T.INT16, "int32_data"),
        (np.uint16, T.UINT16, "int32_data"),
        (np.int8, T.INT8, "int32_data"),
        (np.uint8, T.UINT8, "int32_data"),
        (np.bool_, T.BOOL, "int32_data"),
    ],
)
@pytest.mark.parametrize("shape", [(2, 3), (0, 3), ()])
def test_arrays_of_numbers(dtype, number, field, shape):
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    tensor = utils.NumpyArrayToCaffe2Tensor(array, "x")
    numbers = [element + 0 for element in array.ravel().tolist()]
    assert tensor == caffe2_pb2.TensorProto(dims=shape, data_type=number, name="x", **{field: numbers})
    back = utils.Caffe2TensorToNumpyArray(tensor)
    assert back.dtype == dtype
    assert np.array_equal(back, array)


def test_arrays_of_halves_and_of_strings():
    half = np.array([1.5, -2], np.float16)
    tensor = utils.NumpyArrayToCaffe2Tensor(half)
    assert (tensor.data_type, list(tensor.int32_data)) == (T.FLOAT16, [0x3E00, 0xC000])
    assert np.array_equal(utils.Caffe2TensorToNumpyArray(tensor), half)
    text = utils.NumpyArrayToCaffe2Tensor(np.array(["a", "é"]))
    assert utils.Caffe2TensorToNumpyArray(text).tolist() == [b"a", "é".encode()]


def test_arrays_that_are_no_tensors():
    with pytest.raises(RuntimeError, match="complex64"):
        utils.NumpyArrayToCaffe2Tensor(np.zeros(2, np.complex64))
    with pytest.raises(RuntimeError):
        utils.Caffe2TensorToNumpyArray(caffe2_pb2.TensorProto(dims=[3], float_data=[1.0]))


def test_caffe_blobs_of_old_and_new_shape():
    data = [1.0, 2.0, 3.0, 4.0]
    old = caffe_pb2.BlobProto(num=1, channels=1, height=2, width=2, data=data)
    new = caffe_pb2.BlobProto(shape=caffe_pb2.BlobShape(dim=[4]), double_data=data)
    assert utils.CaffeBlobToNumpyArray(old).shape == (1, 1, 2, 2)
    assert utils.CaffeBlobToNumpyArray(new).tolist() == data
    assert utils.CaffeBlobToNumpyArray(new).dtype == np.float32


def test_arguments_as_a_dictionary():
    values = {"i": 3, "f": 4.0, "s": b"foo", "ints": [3, 4], "floats": [5.0, 6.0], "strings": [b"a", b"b"], "none": []}
    args = [utils.MakeArgument(name, value) for name, value in values.items()]
    args.append(caffe2_pb2.Argument(i=7))
    assert utils.ArgsToDict(args) == values | {"none": None}


def test_operators_that_are_almost_equal():
    a = core.CreateOperator("Relu", ["x"], ["y"], name="a", slope=float("nan"))
    b = core.CreateOperator("Relu", ["x"], ["y"], name="b", slope=float("nan"))
    assert not utils.OpAlmostEqual(a, b)
    assert utils.OpAlmostEqual(a, b, "name")
    assert utils.OpAlmostEqual(a, b, ["name", "debug_info", "arg"])
    with pytest.raises(AssertionError, match="strings"):
        utils.OpAlmostEqual(a, b, [b"name"])


NET = caffe2_pb2.NetDef(name="n", op=[caffe2_pb2.OperatorDef(type="Relu")])


@pytest.mark.parametrize(
    "content", [NET.SerializeToString(), str(NET), str(NET).encode()], ids=["bytes", "text", "utf8"]
)
def test_messages_are_read_as_text_or_bytes(content):
    assert utils.TryReadProtoWithClass(caffe2_pb2.NetDef, content) == NET
    functions = {caffe2_pb2.TensorProtos: str, caffe2_pb2.NetDef: lambda net: net.name}
    assert utils.GetContentFromProtoString(content, functions) == "n"


@pytest.mark.parametrize("content", ["no message", b"\xff\xff", b"no message"])
def test_what_is_no_message(content):
    with pytest.raises(DecodeError):
        utils.TryReadProtoWithClass(caffe2_pb2.NetDef, content)
    with pytest.raises(DecodeError, match=r"caffe2\.PlanDef, caffe2\.NetDef"):
        utils.GetContentFromProtoString(content, {caffe2_pb2.PlanDef: str, caffe2_pb2.NetDef: str})


def test_content_by_class():
    assert utils.GetContentFromProto(NET, {caffe2_pb2.PlanDef: str, caffe2_pb2.NetDef: lambda net: net.name}) == "n"
    assert utils.GetContentFromProto(NET, {caffe2_pb2.PlanDef: str}) is None


def test_text_file_to_bytes(tmp_path):
    (tmp_path / "in").write_text(text_format.MessageToString(NET))
    utils.ConvertProtoToBinary(caffe2_pb2.NetDef, tmp_path / "in", tmp_path / "out")
    assert caffe2_pb2.NetDef.FromString((tmp_path / "out").read_bytes()) == NET


def test_counter_with_a_mutex_is_made_once():
    init_net, net = core.Net("init"), core.Net("main")
    first = utils.BuildUniqueMutexIter(init_net, net, iter_val=5)
    assert utils.BuildUniqueMutexIter(init_net, net) == first == "optimizer_iteration"
    assert [op.type for op in init_net.Proto().op] == ["ConstantFill", "CreateMutex"]
    assert [list(op.device_option.extra_info) for op in net.Proto().op] == [["device_type_override:cpu"]]
    workspace.RunNetOnce(init_net)
    workspace.RunNetOnce(net)
    assert workspace.FetchBlob(first).tolist() == [6]


def test_reset_blobs_frees_them():
    workspace.FeedBlob("scoped/x", np.zeros(3, np.float32))
    with scope.NameScope("scoped"):
        utils.ResetBlobs(["x"])
    with pytest.raises(MissingBlob, match="scoped/x"):
        workspace.FetchBlob("scoped/x")


def test_names_of_an_enum_class():
    class Colors:
        RED = "red"
        GREEN = "green"
        size = "no name in capitals"
        COUNT = 2

    class Twice:
        RED = "red"
        ROSSO = "red"

    assert utils.EnumClassKeyVals(Colors) == {"RED": "red", "GREEN": "green"}
    with pytest.raises(AssertionError, match="two names"):
        utils.EnumClassKeyVals(Twice)


def test_debug_mode(monkeypatch):
    opened = []
    monkeypatch.setattr(utils.pdb, "post_mortem", opened.append)

    @utils.debug
    def divide(a, b):
        """The quotient."""
        return a / b

    assert (divide(6, 3), divide.__name__) == (2, "divide")
    with pytest.raises(SystemExit):
        divide(1, 0)
    assert len(opened) == 1


def test_raise_if_not_equal():
    utils.raiseIfNotEqual(1, 1, "same")
    with pytest.raises(Exception, match=r"^lengths differ\. 1 != 2$"):
        utils.raiseIfNotEqual(1, 2, "lengths differ")


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (2, 3, 4, 5), (2, 3, 4, 5, 6)])
def test_channels_move(shape):
    array = np.arange(np.prod(shape)).reshape(shape)
    assert utils.NHWC2NCHW(array).shape == (shape[0], shape[-1], *shape[1:-1])
    assert np.array_equal(utils.NCHW2NHWC(utils.NHWC2NCHW(array)), array)


def test_memory_of_gpus():
    stats = utils.GetGPUMemoryUsageStats()
    assert set(stats) == {"total_by_gpu", "max_by_gpu", "total", "max_total"}
    assert stats["total"] == stats["total_by_gpu"].sum()
    assert (stats["max_by_gpu"] >= stats["total_by_gpu"]).all()
