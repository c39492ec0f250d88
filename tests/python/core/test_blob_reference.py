import copy
import pickle

import pytest

from caffe2.python import core


def test_a_reference_is_its_name():
    blob = core.BlobReference(b"a/b/x")
    assert blob == "a/b/x" and blob == b"a/b/x" and hash(blob) == hash("a/b/x")
    assert blob != core.BlobReference("y") and blob != 3
    assert (blob.GetNameScope(), blob.GetUnscopedName()) == ("a/b/", "x")
    assert str("_" + blob + "_grad") == "_a/b/x_grad"


@pytest.mark.parametrize("wrong", [lambda b: b + 1, lambda b: 1 + b])
def test_only_strings_are_added(wrong):
    with pytest.raises(RuntimeError, match="string"):
        wrong(core.BlobReference("x"))


def test_an_operator_is_created_on_the_net_of_the_blob():
    net = core.Net("blobs")
    y = net.Relu("x", "y")
    z = y.Add(["w"], "z")
    assert y.Net() is net and list(net.Proto().op[1].input) == ["y", "w"] and z == "z"


def test_asking_for_operators_leaves_the_inputs_alone():
    others = ["w"]
    core.Net("blobs").Relu("x", "y").Add(others, "z")
    assert others == ["w"]


def test_errors_of_attributes():
    with pytest.raises(AttributeError, match="belongs to no net"):
        core.BlobReference("x").Relu()
    with pytest.raises(AttributeError, match="Reluu is not a registered operator. Did you mean: .*Relu"):
        core.Net("blobs").Relu("x", "y").Reluu()


def test_references_are_copied_and_pickled():
    blob = core.BlobReference("x")
    assert copy.deepcopy(blob) == blob and pickle.loads(pickle.dumps(blob)) == "x"


def test_operators_are_listed():
    assert {"Relu", "Net"} <= set(dir(core.Net("blobs").Relu("x", "y")))
