"""Operators that scale what training works with: rates by layer, gradients by norm, weights and counters over time."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Op, Site, op
from caffe2.ops.optim.rows import scalar, update_rows

FOREVER = 2**63 - 1


@op("Lars: X dX wd trust lr_max -> lr_rescaled", types="X dX wd trust lr_max: float")
class Lars(Op):
    """The factor of layer-wise adaptive rate scaling: lr_rescaled = trust / (|dX| / |X| + wd + offset).

    |.| is the Euclidean norm. The factor is 1 where |X| is 0, and kept between lr_min and lr_max. You, Gitman and
    Ginsburg, Large Batch Training of Convolutional Networks, 2017.

    X: the parameter, of any shape.
    dX: its gradient, of the same shape.
    wd: the weight decay, one number.
    trust: the trust coefficient, one number.
    lr_max: the upper bound, one number.
    lr_rescaled: (1).
    offset: is added to the divisor.
    lr_min: the lower bound.
    """

    offset: float = 0.5
    lr_min: float = 0.02

    def bind(self, site: Site) -> None:
        if self.offset < 0 or self.lr_min < 0:
            raise EnforceNotMet(f"Lars\n  offset and lr_min are not negative: {self.offset}, {self.lr_min}")

    def __call__(self, x: Tensor, dx: Tensor, wd: Tensor, trust: Tensor, lr_max: Tensor) -> Tensor:
        if x.numel() != dx.numel():
            raise EnforceNotMet(f"X and dX have as many elements, not {x.numel()} and {dx.numel()}")
        size, slope = torch.linalg.vector_norm(x), torch.linalg.vector_norm(dx)
        rate = scalar(trust, "trust") / (slope / size + scalar(wd, "wd") + self.offset)
        rate = torch.where(size > 0, rate, 1.0).minimum(scalar(lr_max, "lr_max")).clamp(min=self.lr_min)
        return rate.reshape(1)


@op(
    "ClipTensorByScaling: input_tensor val additional_threshold? -> clipped",
    inplace="input_tensor -> clipped",
    types="input_tensor val additional_threshold: float",
    like="input_tensor",
    differs="additional_threshold counts once a run; the original multiplies the threshold by it again at every run",
)
class ClipTensorByScaling(Op):
    """clipped = input_tensor * min(1, threshold * additional_threshold / val).

    input_tensor: of any shape.
    val: one number, not negative: the norm of input_tensor, for instance.
    additional_threshold: one number; 1 unless given.
    clipped: of the shape of input_tensor.
    threshold: the largest val that leaves the tensor as it is.
    """

    threshold: float = 0.0

    def bind(self, site: Site) -> None:
        if self.threshold <= 0:
            raise EnforceNotMet(f"ClipTensorByScaling\n  threshold is positive, not {self.threshold}")

    def __call__(self, x: Tensor, val: Tensor, additional_threshold: Tensor | None = None) -> Tensor:
        if not x.numel():
            raise EnforceNotMet("input_tensor has no element to clip")
        limit, size = self.threshold, scalar(val, "val")
        if additional_threshold is not None:
            limit = scalar(additional_threshold, "additional_threshold") * limit
        return x * torch.where(size > limit, limit / size, 1.0)


@op("WeightScale: w iter -> nw", inplace="w -> nw", types="w: float, iter: int64", host="iter", like="w")
class WeightScale(Op):
    """nw = scale * w where iter + 1 is a multiple of stepsize and below upper_bound_iter, else w.

    nw: of the shape of w.
    scale: the factor.
    stepsize: every how many iterations.
    upper_bound_iter: the iteration from which on w stays as it is.
    """

    stepsize: int = FOREVER
    upper_bound_iter: int = FOREVER
    scale: float = 1.0

    def bind(self, site: Site) -> None:
        if self.stepsize <= 0:
            raise EnforceNotMet(f"WeightScale\n  stepsize is positive, not {self.stepsize}")

    def __call__(self, w: Tensor, iter: Tensor) -> Tensor:
        t = scalar(iter, "iter") + 1
        due = (t % self.stepsize == 0) & (t < self.upper_bound_iter)
        return w * torch.where(due, self.scale, 1.0)


@op(
    "RowWiseCounter: prev_iter update_counter indices iter -> output_prev_iter output_update_counter",
    inplace="prev_iter => output_prev_iter, update_counter => output_update_counter",
    types="prev_iter iter: int64, update_counter: double, indices: index",
    host="iter",
    mutates=True,
    like="prev_iter update_counter",
)
def row_wise_counter(
    prev_iter: Tensor, update_counter: Tensor, indices: Tensor, iter: Tensor, *, counter_halflife: int = -1
) -> tuple[Tensor, Tensor]:
    """How often each row was updated, long ago counting less: for the rows that indices name

    update_counter = 1 + 2^(-(iter - prev_iter) / counter_halflife) update_counter, prev_iter = iter.

    prev_iter: (M), int64: the iteration at which each row was updated last.
    update_counter: (M): the counts.
    output_prev_iter: prev_iter, updated.
    output_update_counter: update_counter, updated.
    counter_halflife: after how many iterations an update counts half; below 1 nothing is updated.
    """
    if prev_iter.numel() != update_counter.numel():
        raise EnforceNotMet(f"there are {prev_iter.numel()} numbers in prev_iter, {update_counter.numel()} counters")
    now = scalar(iter, "iter").to(prev_iter.device)
    if counter_halflife <= 0:
        return prev_iter, update_counter

    def rule(before: Tensor, count: Tensor) -> None:
        age = (now - before).clamp(min=0)
        count.mul_(torch.exp(age * (-math.log(2.0) / counter_halflife))).add_(1)
        before.clamp_(min=now)

    update_rows(rule, (prev_iter.view(-1), update_counter.view(-1)), indices)
    return prev_iter, update_counter
