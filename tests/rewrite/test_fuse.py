import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet, SchemaError
from caffe2.python import core, transformations, workspace
from caffe2.rewrite.recycle import recycle


def conv(net, source="x", target="y", **arguments):
    return net.Conv([source, "w", "b"], [target], kernel=3, pad=1, **arguments)


def feed(order="NCHW", names=("w", "b", "scale", "shift", "mean", "var")):
    rng = np.random.default_rng(0)
    workspace.FeedBlob("x", rng.standard_normal((1, 2, 4, 4) if order == "NCHW" else (1, 4, 4, 2), np.float32))
    for name in names:
        shape = ((2, 2, 3, 3) if order == "NCHW" else (2, 3, 3, 2)) if name == "w" else (2,)
        workspace.FeedBlob(name, rng.random(shape, np.float32) + 0.5)


def value(net, name):
    workspace.RunNetOnce(net)
    return workspace.FetchBlob(name)


def test_a_convolution_takes_its_relu():
    net = core.Net("fuse")
    conv(net)
    net.Relu("y", "z")
    feed()
    workspace.FeedBlob("b", np.float32([-9, 0]))
    before = value(net, "z")
    transformer = transformations.Transformer()
    transformer.AddNNPACK(net)
    transformations.fuseNNPACKConvRelu(net)
    assert [op.type for op in net.Proto().op] == ["Conv"] and before.min() == 0
    assert np.allclose(value(net, "z"), before)


def test_a_relu_that_wrote_over_the_input_gets_a_name_of_its_own():
    net = core.Net("pingpong")
    conv(net, engine="NNPACK")
    net.Relu("y", "x")
    conv(net, engine="NNPACK")
    feed()
    before = value(net, "y")
    feed()
    transformations.fuseNNPACKConvRelu(net)
    assert len(net.Proto().op) == 2 and net.Proto().op[0].output[0] != "x"
    assert np.allclose(value(net, "y"), before)


@pytest.mark.parametrize("case", ["two readers", "an output of the net", "another engine"])
def test_convolutions_that_keep_their_relu(case):
    net = core.Net("kept")
    conv(net, engine="" if case == "another engine" else "NNPACK")
    net.Relu("y", "z")
    if case == "two readers":
        net.Relu("y", "q")
    if case == "an output of the net":
        net.AddExternalOutput(core.BlobReference("y"))
    count = len(net.Proto().op)
    transformations.fuseNNPACKConvRelu(net)
    assert len(net.Proto().op) == count


def test_an_activation_that_is_none():
    net = core.Net("activation")
    conv(net, engine="NNPACK", activation="Tanh")
    feed()
    with pytest.raises(EnforceNotMet, match="identity or Relu, not 'Tanh'"):
        workspace.RunNetOnce(net)


def normalized(order="NCHW", bias=True, **arguments):
    net = core.Net("norm")
    inputs = ["x", "w", "b"] if bias else ["x", "w"]
    net.Conv(inputs, ["y"], kernel=3, pad=1, order=order)
    net.SpatialBN(["y", "scale", "shift", "mean", "var"], ["z"], order=order, **{"is_test": 1, **arguments})
    return net


@pytest.mark.parametrize("order", ["NCHW", "NHWC"])
@pytest.mark.parametrize("bias", [True, False])
def test_a_convolution_takes_its_normalization(order, bias):
    net = normalized(order, bias, epsilon=0.01)
    feed(order)
    before = value(net, "z")
    transformations.fuseConvBN(net)
    assert [op.type for op in net.Proto().op] == ["Conv"]
    assert np.allclose(value(net, "z"), before, atol=1e-5)


def test_normalizations_that_stay():
    training = core.Net("training")
    conv(training)
    training.SpatialBN(["y", "scale", "shift", "mean", "var"], ["z", "mean", "var", "sm", "sv"], is_test=0)
    shared = normalized()
    conv(shared, "z", "q")
    for net in (training, shared):
        feed()
        count = len(net.Proto().op)
        transformations.fuseConvBN(net)
        assert len(net.Proto().op) == count


def test_unknown_transforms():
    with pytest.raises(AttributeError, match="FuseConvBM not found; did you mean .*FuseConvBN"):
        transformations.Transformer().FuseConvBM(core.Net("unknown"))


def chain():
    net = core.Net("chain")
    for k in range(4):
        net.Relu(f"b{k}", f"b{k + 1}")
    return net.Proto()


def test_blobs_take_turns():
    made = recycle(chain(), {f"b{k}" for k in range(5)}, scope="s/")
    assert [op.output[0] for op in made.op] == ["s/__m0_shared", "b2", "s/__m0_shared", "b4"]


def test_blobs_nearest_in_size_share():
    net = core.Net("sizes")
    for name in ("a", "b", "a_used", "b_used", "c", "c_used"):
        net.Relu(name[0] if name.endswith("used") else "x", name)
    for sizes, shared in (({"a": [9], "b": [2], "c": [8]}, "a"), ({"a": [9], "b": [2], "c": [3]}, "b")):
        made = recycle(net.Proto(), set("abc"), in_order=True, shapes=sizes)
        names = dict(zip("ab__c_", (op.output[0] for op in made.op)))
        assert names["c"] == names[shared] == "__m0_shared" and len({names["a"], names["b"]}) == 2


def test_what_shares_already_and_what_is_malformed_is_refused():
    once = recycle(chain(), {"b1", "b3"})
    again = chain()
    again.op.add(type="Relu", input=["__m0_shared"], output=["end"])
    with pytest.raises(EnforceNotMet, match="shares blobs already"):
        recycle(again, {"b1", "b3"})
    once.op[0].input.append("more")
    with pytest.raises(SchemaError):
        recycle(once, ())


def test_blobs_of_nets_within_operators_keep_their_names():
    inner, net = core.Net("inner"), core.Net("outer")
    inner.Relu("b1", "b2")
    net.Relu("b0", "b1")
    net.If(["flag", "b1"], ["b2"], then_net=inner.Proto())
    net.Relu("b2", "b3")
    net.Relu("b3", "b4")
    made = recycle(net.Proto(), {"b1", "b2", "b3"})
    assert [op.output[0] for op in made.op] == ["b1", "b2", "b3", "b4"]
