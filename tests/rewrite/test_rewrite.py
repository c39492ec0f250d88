"""Passes: what they change, what they leave, and that the numbers stay."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2 import rewrite
from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace


def net(*ops: tuple[str, list[str], list[str]], outputs: tuple[str, ...] = ()) -> caffe2_pb2.NetDef:
    made = caffe2_pb2.NetDef(name="n", external_output=outputs)
    for kind, ins, outs in ops:
        made.op.add(type=kind, input=ins, output=outs)
    return made


def test_what_is_computed_twice_is_computed_once():
    twice = ("Relu", ["x"], ["a"]), ("Relu", ["x"], ["b"])
    before = net(*twice, ("Add", ["a", "b"], ["c"]), ("Abs", ["b"], ["d"]), outputs=("c",))
    after = rewrite.apply("CommonSubexpressionElimination", before)
    assert [(o.type, list(o.input)) for o in after.op] == [("Relu", ["x"]), ("Add", ["a", "a"]), ("Abs", ["a"])]
    results = []
    for one in (before, after):
        workspace = Workspace()
        workspace.feed("x", np.array([-1, 2], np.float32))
        workspace.run_net_once(one)
        results.append(workspace.fetch("c").tolist())
    assert results[0] == results[1] == [0, 4]


@pytest.mark.parametrize(
    "kept",
    [
        net(("Relu", ["x"], ["a"]), ("Relu", ["x"], ["b"]), outputs=("b",)),
        net(("Relu", ["x"], ["a"]), ("Relu", ["x"], ["b"]), ("Relu", ["b"], ["b"])),
        net(("GaussianFill", [], ["a"]), ("GaussianFill", [], ["b"])),
        net(("Relu", ["x"], ["a"]), ("Abs", ["y"], ["x"]), ("Relu", ["x"], ["a"])),
    ],
    ids=["an output of the net", "overwritten", "random", "written twice"],
)
def test_what_is_not_the_same_is_kept(kept: caffe2_pb2.NetDef):
    assert len(rewrite.apply("CommonSubexpressionElimination", kept).op) == len(kept.op)


def test_convolutions_ask_for_nnpack():
    after = rewrite.apply("ConvToNNPack", net(("Conv", ["x", "w"], ["y"]), ("Relu", ["y"], ["y"])))
    assert [o.engine for o in after.op] == ["NNPACK", ""]


def test_an_unknown_transform_is_refused():
    with pytest.raises(EnforceNotMet, match="ConvToNNPack"):
        rewrite.apply("ConvToNNPak", caffe2_pb2.NetDef())
