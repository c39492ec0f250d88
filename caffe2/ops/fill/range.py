"""Ranges of numbers whose bounds are blobs."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe2.opdef import NONE, UNKNOWN, EnforceNotMet, op
from caffe2.ops.demand import one_number


@op(
    "Range: start stop? step? -> output",
    types="start=stop=step: index float double",
    gradient=NONE,
    shape=UNKNOWN,
)
def range_(start: Tensor, stop: Tensor | None = None, step: Tensor | None = None) -> Tensor:
    """start, start + step ... up to, but not including, stop.

    Of integers that fall by a step which does not divide stop - start, the last number is left out, as in the original.

    start: one number; where it is the only input, it is stop and start is 0.
    stop: one number.
    step: one number, not 0; 1 unless given.
    output: a vector of the element type of start.
    """
    given = [start, stop, step]
    for name, value in zip(("start", "stop", "step"), given):
        if value is not None:
            one_number(value, name)
    first, last = (0, start.item()) if stop is None else (start.item(), stop.item())
    by = 1 if step is None else step.item()
    if by == 0:
        raise EnforceNotMet("Step size cannot be 0")
    return first + torch.arange(count(first, last, by), dtype=start.dtype, device=start.device) * by


def count(first: float, last: float, by: float) -> int:
    """How many numbers there are; for whole ones in whole numbers, so that nothing is rounded."""
    distance = last - first
    if isinstance(distance, float):
        return max(math.ceil(distance / by), 0)
    whole = int(math.copysign(abs(distance) // abs(by), distance * by)) if distance else 0
    return max(whole + (whole * by < distance), 0)
