"""Bad input through the public face: a clear error of the right class, and the workspace as it was."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2
from caffe2.python import core, workspace

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def operator(kind: str, inputs: list[str], outputs: list[str], **args: object) -> Callable[[], object]:
    return lambda: workspace.RunOperatorOnce(core.CreateOperator(kind, inputs, outputs, **args))


def raw(kind: str, inputs: list[str], outputs: list[str], device: int | None = None) -> Callable[[], object]:
    op = caffe2_pb2.OperatorDef(type=kind, input=inputs, output=outputs)
    if device is not None:
        op.device_option.device_type = device
    return lambda: workspace.RunOperatorOnce(op)


def broken_net() -> object:
    """A net whose second operator fails when it is made."""
    net = caffe2_pb2.NetDef(name="broken")
    net.op.add(type="Relu", input=["x"], output=["fresh"])
    net.op.add(type="Relu", input=["nowhere"], output=["later"])
    return workspace.CreateNet(net)


CASES = {
    "an unknown operator": (raw("Rellu", ["x"], ["y"]), "Relu"),
    "too few inputs": (raw("FC", ["x"], ["y"]), "takes 3 to 3 inputs"),
    "too many outputs": (raw("Relu", ["x"], ["y", "z"]), "outputs"),
    "a missing blob": (raw("Relu", ["nowhere"], ["y"]), "nowhere"),
    "a blob that holds nothing": (raw("Relu", ["empty"], ["y"]), "holds nothing"),
    "whole numbers where floats belong": (raw("Relu", ["whole"], ["y"]), "int32"),
    "strings where numbers belong": (raw("Relu", ["text"], ["y"]), "string"),
    "shapes that do not fit": (raw("MatMul", ["x", "x"], ["y"]), "does not go with"),
    "an argument of another type": (operator("LeakyRelu", ["x"], ["y"], alpha="steep"), "alpha"),
    "a device of no kind": (raw("Relu", ["x"], ["y"], device=99), "99"),
    "a file that is not there": (
        operator("Load", [], ["y"], db="nowhere.db", db_type="minidb", absolute_path=1),
        "nowhere",
    ),
    "a database of no kind": (operator("Load", [], ["y"], db="nowhere.db", db_type="nodb", absolute_path=1), "nodb"),
    "a net that cannot be made": (broken_net, "nowhere"),
    "a net that was not made": (lambda: workspace.RunNet("nonesuch"), "nonesuch"),
    "bytes that are no operator": (lambda: workspace.RunOperatorOnce(b"\x0a\xff\xff\xff"), ""),
    "bytes that are no net": (lambda: workspace.CreateNet(b"\xff\xff\xff\xff\x07nonsense"), ""),
    "bytes that are no blob": (lambda: workspace.DeserializeBlob("x", b"\x0a\xff\xff"), ""),
}


@pytest.mark.parametrize("case", CASES, ids=list(CASES))
def test_bad_input_is_told_and_changes_nothing(case: str):
    workspace.ResetWorkspace()
    workspace.FeedBlob("x", X)
    workspace.FeedBlob("whole", np.zeros(2, np.int32))
    workspace.FeedBlob("text", np.array(["a"], dtype=object))
    workspace.CreateBlob("empty")
    before = workspace.Blobs()
    work, word = CASES[case]
    with pytest.raises((EnforceNotMet, OSError)) as told:
        work()
    assert word in str(told.value) and str(told.value).strip()
    assert workspace.Blobs() == before
    assert np.array_equal(workspace.FetchBlob("x"), X)


def test_truncated_nets_never_crash():
    net = core.Net("n")
    net.Relu(net.FC(["x", "w", "b"], "y"), "z")
    whole = net.Proto().SerializeToString()
    workspace.ResetWorkspace()
    refused = 0
    for length in range(len(whole)):
        try:
            workspace.RunNetOnce(whole[:length])
        except EnforceNotMet:
            refused += 1
    assert refused > len(whole) / 2


def test_an_error_names_operator_blob_and_place():
    workspace.ResetWorkspace()
    workspace.FeedBlob("x", X)
    net = core.Net("place")
    net.MatMul(["x", "x"], "y")
    with pytest.raises(EnforceNotMet) as told:
        workspace.RunNetOnce(net)
    text = str(told.value)
    assert "MatMul: A B like? -> Y" in text and "x float32[2,3]" in text and "operator 0 of net" in text
