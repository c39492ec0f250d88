"""What an operator costs: floating-point operations, and bytes that it writes, from the shapes of its blobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

from caffe2.opdef import EnforceNotMet, infer
from caffe2.proto import caffe2_pb2

Metas = Sequence[torch.Tensor]


class Cost(NamedTuple):
    """Floating-point operations, a multiplication and an addition being two, and bytes written."""

    flops: int
    bytes_written: int


def operator_cost(op: caffe2_pb2.OperatorDef, values: Sequence[Any]) -> Cost:
    """The cost of running an operator on blobs that hold these values; 0 flops for what only moves data.

    Raises EnforceNotMet where the shapes contradict the operator.
    """
    metas = [v.to("meta") if isinstance(v, torch.Tensor) else None for v in values]
    if FLOPS.get(op.type) is _convolution:
        metas = _fitted(op, metas)
    if len(metas) != len(op.input):
        raise EnforceNotMet(f"{op.type}: {len(metas)} blobs are given for its {len(op.input)} inputs")
    outputs = [meta for meta in infer(op, metas) if meta is not None]
    written = sum(meta.numel() * meta.element_size() for meta in outputs)
    count = FLOPS.get(op.type)
    known = [meta for meta in metas if meta is not None]
    return Cost(count(known, outputs) if count and outputs and len(known) == len(metas) else 0, written)


def _fitted(op: caffe2_pb2.OperatorDef, metas: list) -> list:
    """X with as many channels as the filter takes: the original asks them to agree when it runs, not before."""
    arguments = {a.name: a for a in op.arg}
    axis = -1 if "order" in arguments and arguments["order"].s == b"NHWC" else 1
    if any(meta is None or meta.dim() < 2 for meta in metas[:2]):
        return metas
    shape = list(metas[0].shape)
    shape[axis] = metas[1].shape[axis] * (arguments["group"].i if "group" in arguments else 1)
    return [metas[0].new_empty(shape), *metas[1:]]


def _product(x: Metas, y: Metas) -> int:
    """A product over the last axis of the first factor."""
    return 2 * y[0].numel() * x[0].shape[-1]


def _fully_connected(x: Metas, y: Metas) -> int:
    """X W^T + b: the rows of X times the elements of W, twice, and the bias."""
    return 2 * y[0].numel() * (x[1].numel() // max(x[1].shape[0], 1)) + y[0].numel()


def _convolution(x: Metas, y: Metas) -> int:
    """Every element of the output takes one filter's elements, twice."""
    return 2 * y[0].numel() * (x[1].numel() // max(x[1].shape[0], 1))


def _transposed(x: Metas, y: Metas) -> int:
    """Every element of the input takes one filter's elements, twice."""
    return 2 * x[0].numel() * (x[1].numel() // max(x[1].shape[0], 1))


def _elementwise(x: Metas, y: Metas) -> int:
    return y[0].numel()


def _sum(x: Metas, y: Metas) -> int:
    return (len(x) - 1) * y[0].numel()


FLOPS: dict[str, Callable[[Metas, Metas], int]] = {
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), _elementwise),
    **dict.fromkeys(("Conv", "Conv1D", "Conv2D", "Conv3D", "Int8Conv"), _convolution),
    **dict.fromkeys(("MatMul", "BatchMatMul"), _product),
    "ConvGradient": lambda x, y: 2 * 2 * x[2].numel() * (x[1].numel() // max(x[1].shape[0], 1)),
    "ConvTranspose": _transposed,
    "FC": _fully_connected,
    "FCGradient": lambda x, y: 2 * 2 * x[2].numel() * (x[1].numel() // max(x[1].shape[0], 1)),
    "SpatialBN": lambda x, y: 4 * x[0].numel(),
    "Sum": _sum,
}
"""Operators that compute, and how much; all others count as moving data."""
