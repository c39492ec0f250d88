"""Gradients of weights, taken from all time steps at once."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import torch
from torch import Tensor

from caffe2.opdef import make_argument
from caffe2.ops.linear.fully_connected import matrix
from caffe2.proto.caffe2_pb2 import NetDef, OperatorDef
from caffe2.runtime.blob import Blob


class Summed:
    """The gradient of a parameter, added up step by step."""

    def __init__(self, cell: Blob, like: Tensor) -> None:
        self._cell, self._total = cell, torch.zeros_like(like)

    def take(self) -> None:
        """Take what the step at hand has made."""
        self._total.add_(self._cell.value)

    def result(self) -> dict[str, Tensor]:
        """The gradients of all steps, by the names that they have within one."""
        return {self._cell.name: self._total}


class Layer(NamedTuple):
    """A fully connected layer of a step net, whose dW and db are made of what all steps leave of X and dY."""

    x: str
    weight: str
    dy: str
    outputs: tuple[str, str]
    axis: int


class Joined:
    """dW and db of a layer: one product for all steps, in place of a sum of T."""

    def __init__(self, layer: Layer, x: Blob, dy: Blob, weight: Tensor) -> None:
        self._layer, self._x, self._dy, self._weight = layer, x, dy, weight
        self._xs: list[Tensor] = []
        self._dys: list[Tensor] = []

    def take(self) -> None:
        """Take what the step at hand leaves."""
        self._xs.append(self._x.value)
        self._dys.append(self._dy.value)

    def result(self) -> dict[str, Tensor]:
        """dW, in the shape of W, and db, by the names that they have within a step."""
        rows, slopes = (matrix(torch.cat(parts), self._layer.axis, "X or dY") for parts in (self._xs, self._dys))
        return dict(zip(self._layer.outputs, ((slopes.t() @ rows).view(self._weight.shape), slopes.sum(0))))


def take_out(net: NetDef, totals: Collection[str], changing: Collection[str]) -> list[Layer]:
    """Rewrite the FCGradients of a backward step net whose dW and db are only added up over the steps.

    totals: the blobs that are added up. changing: the blobs that differ from step to step.
    """
    found = []
    for k, op in enumerate(net.op):
        if op.type == "FCGradient" and _integer(op, "axis") > 0 and _may_wait(net, k, totals, changing):
            found.append(Layer(*op.input, tuple(op.output[:2]), _integer(op, "axis")))
            _only_input_gradient(op)
    for k in reversed(range(len(net.op))):
        if net.op[k].type == "MatMul" and not net.op[k].output:
            del net.op[k]
    return found


def _integer(op: OperatorDef, name: str) -> int:
    return next((a.i for a in op.arg if a.name == name), 1)


def _may_wait(net: NetDef, k: int, totals: Collection[str], changing: Collection[str]) -> bool:
    """Whether nothing else in the step has to do with dW and db, W stays, and X and dY are still there at its end."""
    x, weight, dy = net.op[k].input
    sums = set(net.op[k].output[:2])
    elsewhere = {name for j, o in enumerate(net.op) if j != k for name in (*o.input, *o.output)}
    later = {name for o in net.op[k:] for name in o.output}
    written = {name for o in net.op for name in o.output}
    alone = sums <= set(totals) and not sums & elsewhere
    return alone and not {x, dy} & later and weight not in written and weight not in changing


def _only_input_gradient(op: OperatorDef) -> None:
    """dX = dY W, in the shape of X; the operator has no output where dX is not asked for."""
    (x, weight, dy), outputs = op.input, op.output[2:]
    at = [make_argument("axis_a", _integer(op, "axis")), make_argument("axis_b", _integer(op, "axis_w"))]
    op.type, op.input[:], op.output[:] = "MatMul", [dy, weight, x], outputs
    op.engine = ""
    del op.arg[:]
    op.arg.extend(at)
