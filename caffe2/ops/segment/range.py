"""Reductions of sorted segments as ranges of rows, whose gradients are told by the input and the output."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from caffe2.opdef import UNKNOWN, EnforceNotMet, op
from caffe2.ops import demand, ragged
from caffe2.ops.segment.cut import by_sorted_ids, counted, demand_sorted
from caffe2.ops.segment.gradient import column
from caffe2.ops.segment.reduce import largest, pooled


def _log_exp(x: Tensor, lengths: Tensor, mean: bool) -> Tensor:
    count = x.shape[0]
    top = largest(x, None, lengths, count)
    spread = (x - top.index_select(0, ragged.segments(lengths, count))).exp_()
    return pooled(spread, None, lengths, mean=mean).log_().add_(top)


FORWARD: dict[str, tuple[str, Callable[[Tensor, Tensor], Tensor]]] = {
    "Sum": ("The sum", lambda x, n: pooled(x, None, n)),
    "Mean": ("The mean", lambda x, n: pooled(x, None, n, mean=True)),
    "Max": ("The maximum", lambda x, n: largest(x, None, n, x.shape[0])),
    "LogSumExp": ("The logarithm of the sum of exp", lambda x, n: _log_exp(x, n, mean=False)),
    "LogMeanExp": ("The logarithm of the mean of exp", lambda x, n: _log_exp(x, n, mean=True)),
}
BACKWARD: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]] = {
    "Sum": lambda x, y, dy, n: dy,
    "Mean": lambda x, y, dy, n: dy / n,
    "Max": lambda x, y, dy, n: torch.where(x == y, dy, 0),
    "LogSumExp": lambda x, y, dy, n: dy * torch.exp(x - y),
    "LogMeanExp": lambda x, y, dy, n: dy * torch.exp(x - y) / n,
}
"""What flows back to rows x of segments of n rows with the results y, whose gradients are dy."""


def _alike(dy: Tensor, y: Tensor) -> Tensor:
    """The gradient of y in y's shape: recurrent networks hand it on with further axes of one."""
    if dy.numel() != y.numel():
        raise EnforceNotMet(f"OUTPUT and its gradient have one size, not {tuple(y.shape)} and {tuple(dy.shape)}")
    return dy.reshape(y.shape)


def _define(reducer: str) -> None:
    told, forward = FORWARD[reducer]
    backward, name = BACKWARD[reducer], f"SortedSegmentRange{reducer}"

    def body(data: Tensor, ids: Tensor) -> Tensor:
        demand.least_rank(data, 1, "DATA")
        return forward(data, by_sorted_ids(ids, data.shape[0]).lengths)

    def gradient(data: Tensor, y: Tensor, dy: Tensor, ids: Tensor) -> Tensor:
        dy = _alike(dy, y)
        demand.same_rows(data, ids, "DATA and SEGMENT_IDS")
        demand_sorted(ids)
        lengths = counted(ids, dy.shape[0])
        rows = (x.index_select(0, ids) for x in (y, dy, column(lengths, dy)))
        return backward(data, *rows).expand(data.shape)

    op(
        f"{name}: DATA SEGMENT_IDS -> OUTPUT",
        gradient=f"{name}Gradient: DATA OUTPUT dOUTPUT SEGMENT_IDS -> dDATA",
        types="DATA: float, SEGMENT_IDS: int32",
        shape=UNKNOWN,
        doc=f"{told} of the rows of DATA, element by element, by segment.\n\n"
        "SEGMENT_IDS: the number of the segment of each row: 0, then always the same or one more.",
    )(body)
    op(
        f"{name}Gradient: DATA OUTPUT dOUTPUT SEGMENT_IDS -> dDATA",
        types="DATA OUTPUT dOUTPUT: float, SEGMENT_IDS: int32",
        like="DATA",
        doc=f"The gradient of {name}, from its input and its output.",
    )(gradient)


for _reducer in FORWARD:
    _define(_reducer)
