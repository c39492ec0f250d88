import numpy as np
import pytest

from caffe2.proto import caffe2_pb2
from caffe2.python import core, workspace
from caffe2.python.utils import MakeArgument


def argument(value):
    (field,) = [f for f, _ in MakeArgument("a", value).ListFields() if f.name != "name"]
    return field.name, getattr(MakeArgument("a", value), field.name)


@pytest.mark.parametrize(
    "value, expected",
    [
        (3, ("i", 3)),
        (True, ("i", 1)),
        (np.int64(4), ("i", 4)),
        (0.5, ("f", 0.5)),
        (np.float32(0.5), ("f", 0.5)),
        ("é", ("s", "é".encode())),
        (b"\xff", ("s", b"\xff")),
        ((1, True), ("ints", [1, 1])),
        (np.array([[1, 2], [3, 4]]), ("ints", [1, 2, 3, 4])),
        (np.array([0.5], np.float32), ("floats", [0.5])),
        (np.array(0.5), ("floats", [0.5])),
        (["a", b"b"], ("strings", [b"a", b"b"])),
        (caffe2_pb2.NetDef(name="n"), ("n", caffe2_pb2.NetDef(name="n"))),
        ([caffe2_pb2.NetDef(name="n")], ("nets", [caffe2_pb2.NetDef(name="n")])),
        (caffe2_pb2.OperatorDef(type="T"), ("s", caffe2_pb2.OperatorDef(type="T").SerializeToString())),
    ],
)
def test_arguments_hold(value, expected):
    assert argument(value) == expected


@pytest.mark.parametrize("value", [object(), [1, 2.0], ["a", 1], [object()], {1: 2, "a": 3}])
def test_arguments_do_not_hold(value):
    with pytest.raises(ValueError, match="argument a: no argument can hold"):
        MakeArgument("a", value)


def test_names_get_the_scope_and_references_do_not():
    with core.NameScope("s"):
        op = core.CreateOperator("Add", ["a", core.BlobReference("b")], "c", control_input="d")
    assert (list(op.input), list(op.output), list(op.control_input)) == (["s/a", "b"], ["s/c"], ["s/d"])


def test_the_seed_goes_into_the_device_option_and_none_into_nothing():
    op = core.CreateOperator("UniformFill", [], "x", random_seed=5, shape=None, min=0.5)
    assert op.device_option.random_seed == 5 and [a.name for a in op.arg] == ["min"]


@pytest.mark.parametrize("blobs", [3, [1], [None]])
def test_blobs_are_names_or_references(blobs):
    with pytest.raises(TypeError, match="not a name or a reference"):
        core.CreateOperator("Relu", blobs, "y")


def test_operators_are_known_by_engine():
    assert core.IsOperator("Relu") and not core.IsOperator("Reluu")
    assert core.IsOperatorWithEngine("Conv", "CUDNN") and not core.IsOperatorWithEngine("Conv", "NOSUCH")


def test_immediate_mode_runs_what_is_created():
    workspace.StartImmediate(i_know=True)
    try:
        core.CreateOperator("ConstantFill", [], "x", shape=[2], value=3.0)
        assert list(workspace.FetchImmediate("x")) == [3, 3]
    finally:
        workspace.StopImmediate()


def test_a_python_operator_and_its_gradient():
    def square(inputs, outputs):
        outputs[0].feed(inputs[0].data ** 2)

    def slope(inputs, outputs):
        x, _, dy = inputs
        outputs[0].feed(2 * x.data * dy.data)

    net = core.Net("python")
    y = net.Python(square, slope)(["x"], ["y"])
    net.AddGradientOperators({y: "dy"})
    workspace.FeedBlob("x", np.float32([1, 2]))
    workspace.FeedBlob("dy", np.float32([1, 10]))
    net.AddExternalInput("dy")
    workspace.RunNetOnce(net)
    assert workspace.FetchBlob("y").tolist() == [1, 4] and workspace.FetchBlob("x_grad").tolist() == [2, 40]


def test_functions_and_builders_do_not_mix():
    with pytest.raises(AssertionError, match="tuple"):
        core.Net("python").Python((list, [], {}), lambda i, o: None)


def test_flags_are_kept_and_checked():
    core.GlobalInit(["program", "--caffe2_log_level=1"])
    assert core.GetGlobalInitArgs()[-1] == "--caffe2_log_level=1"
    with pytest.raises(RuntimeError, match="--nosuch=1"):
        core.GlobalInit(["program", "--nosuch=1"])
