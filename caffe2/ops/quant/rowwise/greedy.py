"""The range of a row that loses least when quantized, searched greedily."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.ops.quant.rowwise.fused import Fused

BINS = 200
KEPT = int(BINS * (1 - 0.16))


def narrowed(rows: Tensor, layout: Fused) -> tuple[Tensor, Tensor]:
    """The low and the high end of each row's range, a column each.

    Both ends start at the extremes; the end whose move inwards by a 200th of the range loses less, in the Euclidean
    norm of the error, is moved until 16 % of the range are gone. Of the ranges on the way that lose less than
    both next ones, the best is taken, and the whole range where that loses no more.
    """
    low, high = rows.amin(1, keepdim=True), rows.amax(1, keepdim=True)
    found, best = (low, high), loss(rows, low, high, layout.levels)
    step, least = (high - low) / BINS, (high - low) / BINS * KEPT
    now = best
    for _ in range(BINS - KEPT + 2):
        moving = low + least < high
        left, right = (
            loss(rows, low + step, high, layout.levels),
            loss(rows, low, high - step, layout.levels),
        )
        better = moving & (now < left) & (now < right) & (now < best)
        best = torch.where(better, now, best)
        found = torch.where(better, low, found[0]), torch.where(better, high, found[1])
        low = torch.where(moving & (left < right), low + step, low)
        high = torch.where(moving & (left >= right), high - step, high)
        now = torch.where(moving, torch.minimum(left, right), now)
    return found


def loss(rows: Tensor, low: Tensor, high: Tensor, levels: int) -> Tensor:
    """The Euclidean norm of what is lost in each row, a column, when its range is quantized to 0 .. levels."""
    low = low.half().float()
    scale = (torch.where(high == low, levels, high - low) / levels).half().float()
    q = ((rows - low) / scale).round_().clamp_(0, levels)
    return (rows - (q * scale + low)).square_().sum(1, keepdim=True).sqrt_()
