"""If, While, Do and ONNXWhile: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet, make_argument
from caffe2.ops.control.scope import Scopes
from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace
from tests.sample import Sample, floats, samples

YES, NO = np.array([True]), np.array([False])


def net(*ops: tuple[str, list[str], list[str]], inputs: tuple = (), outputs: tuple = ()) -> caffe2_pb2.NetDef:
    made = caffe2_pb2.NetDef(name="inner", external_input=inputs, external_output=outputs)
    for kind, ins, outs in ops:
        made.op.add(type=kind, input=ins, output=outs)
    return made


def relu(x: str, y: str) -> caffe2_pb2.NetDef:
    return net(("Relu", [x], [y]))


@samples("If")
def _(rng):
    x = floats(rng, 2, 3)
    yield Sample("If", (YES, x), {"then_net": relu("i1", "o0")}, outputs=1)
    nets = {"then_net": relu("i1", "o0"), "else_net": net(("LeakyRelu", ["i1"], ["o0"]))}
    yield Sample("If", (NO, x), nets, outputs=1)


@samples("While")
def _(rng):
    yield Sample("While", (NO, floats(rng, 2)), {"loop_net": relu("i1", "o0")}, outputs=1)


@samples("Do")
def _(rng):
    args = {"net": relu("x", "y"), "inner_blobs": ("x", "y"), "outer_blobs_idx": (0, 1)}
    made = Sample("Do", (floats(rng, 2), Scopes), args, outputs=2)
    definition = made.definition()
    definition.output[1] = "i1"
    made.definition = lambda: definition
    yield made


@samples("CreateScope")
def _(rng):
    yield [], {}


@samples("HasScope")
def _(rng):
    yield [Scopes], {}


def counting_body() -> caffe2_pb2.NetDef:
    """One carried value, copied, and one stacked: the positive part of it."""
    ops = [("Relu", ["v"], ["w"]), ("Relu", ["v"], ["s"]), ("Relu", ["float_i"], ["unused"])][:2]
    return net(*ops, inputs=("i", "c", "v"), outputs=("c", "w", "s"))


@samples("ONNXWhile")
def _(rng):
    args = {"body": counting_body(), "has_trip_count": 1}
    yield Sample("ONNXWhile", (np.array([3], np.int64), YES, floats(rng, 2)), args, outputs=2)


def test_onnx_while_stacks_and_carries(run):
    x = np.array([-1.0, 2.0], np.float32)
    carried, stacked = run(
        "ONNXWhile", np.array([3], np.int64), YES, x, outputs=2, body=counting_body(), has_trip_count=1
    )
    assert carried.tolist() == [0, 2]
    assert stacked.shape == (3, 2)


def test_a_loop_of_no_trips_gives_empty_stacks(run):
    x = np.array([-1.0, 2.0], np.float32)
    carried, stacked = run("ONNXWhile", np.array([3], np.int64), NO, x, outputs=2, body=counting_body(), has_cond=1)
    assert carried.tolist() == [-1, 2]
    assert stacked.shape == (0,) and stacked.dtype == np.int32


def test_a_condition_is_one_boolean(run):
    with pytest.raises(EnforceNotMet, match="condition is one boolean"):
        run("If", np.array([True, False]), outputs=0, then_net=caffe2_pb2.NetDef())


def test_a_gradient_do_pops_the_workspaces_that_forward_pushed():
    workspace, scopes = Workspace(), Scopes()
    workspace.feed("x", np.array([-1.0, 2.0], np.float32))
    workspace.feed("s", scopes)
    do = caffe2_pb2.OperatorDef(type="Do", input=["x", "s"], output=["y", "s"])
    args = {"net": relu("in", "out"), "inner_blobs": ("in", "out"), "outer_blobs_idx": (0, 1)}
    do.arg.extend(make_argument(k, v) for k, v in args.items())
    workspace.run_operator_once(do)
    workspace.run_operator_once(do)
    assert len(scopes) == 2
    back = caffe2_pb2.OperatorDef(type="Do", input=["x", "s"], output=["g", "s"], is_gradient_op=True)
    back_net = net(("LeakyRelu", ["out"], ["grad"]))
    back_net.name = "inner_grad"
    args |= {"net": back_net, "inner_blobs": ("in", "grad")}
    back.arg.extend(make_argument(k, v) for k, v in args.items())
    workspace.run_operator_once(back)
    workspace.run_operator_once(back)
    assert workspace.fetch("g").tolist() == [0, 2] and len(scopes) == 0
    with pytest.raises(EnforceNotMet, match="no scope left"):
        workspace.run_operator_once(back)
