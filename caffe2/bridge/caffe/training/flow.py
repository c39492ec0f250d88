"""Which layers stand in the way of gradients, from a loss back to the parameters that are to be trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from caffe2.bridge.caffe.errors import Problem
from caffe2.bridge.caffe.translate import Translation
from caffe2.opdef import NONE, REFUSED, lookup
from caffe2.proto import caffe2_pb2

Op = caffe2_pb2.OperatorDef


def _is_open(op: Op) -> bool:
    return op.type != "StopGradient"


def behind(ops: Iterable[Op], loss: str, lets: Callable[[Op], bool] = _is_open) -> set[str]:
    """The blobs that the loss depends on through operators that `lets` lets pass: all but StopGradient."""
    found = {loss}
    for op in reversed(list(ops)):
        if lets(op) and not found.isdisjoint(op.output):
            found.update(op.input)
    return found


def _has_none(op: Op) -> bool:
    return lookup(op.type).gradient is NONE


def moving(ops: Iterable[Op], trained: Iterable[str]) -> set[str]:
    """The blobs that change with parameters that are trained, as far as gradients may flow back to them."""
    found = set(trained)
    for op in ops:
        if _is_open(op) and not found.isdisjoint(op.input):
            found.update(op.output)
    return found


def untrainable(made: Translation, loss: str, trained: Iterable[str]) -> list[Problem]:
    """A problem for every layer through which gradients should flow from `loss` to a parameter, and cannot."""
    wanted = set(trained)
    all_of_it = behind(made.ops, loss)
    smooth = behind(made.ops, loss, lambda op: not _has_none(op))
    cut_off = (wanted & all_of_it) - smooth
    moved, problems = moving(made.ops, wanted), {}
    for op, layer in zip(made.ops, made.origins, strict=False):
        if not _is_open(op) or moved.isdisjoint(op.input) or all_of_it.isdisjoint(op.output):
            continue
        refused = lookup(op.type).gradient in (None, REFUSED)
        if refused or (_has_none(op) and cut_off):
            what = "no gradient flows through this layer, and parameters before it are to be trained; set their lr_mult"
            what += " to 0, or propagate_down of this layer to false"
            problems[layer.name] = Problem(layer.name, layer.type, "", layer.position, what)
    return list(problems.values())
