"""Normalization of groups of channels of each sample, or of single ones: GroupNorm and InstanceNorm, with gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Gradient, NoGradient, Op, gradient, op
from caffe2.ops import demand
from caffe2.ops.window import channels_last

Moments = tuple[Tensor, Tensor]
"""Means and reciprocal standard deviations."""


class Grouping(Op):
    """What these normalizations and their gradients settle alike."""

    order: str = "NCHW"
    epsilon: float = 1e-5

    def bind(self, site: object) -> None:
        self.last = channels_last(self.order)
        if self.epsilon < 0:
            raise EnforceNotMet(f"epsilon is {self.epsilon}; it must not be negative")

    def first(self, x: Tensor) -> Tensor:
        """x with its channels as its second axis."""
        return x.movedim(-1, 1).contiguous() if self.last else x

    def ordered(self, y: Tensor) -> Tensor:
        """y, its channels second, in the operator's order."""
        return y.movedim(1, -1).contiguous() if self.last else y

    def normalized(self, x: Tensor, gamma: Tensor, beta: Tensor, groups: int) -> tuple[Tensor, Tensor, Tensor]:
        """(x - mean) * rstd * gamma + beta for each group of channels, with the means and rstds, N by groups."""
        demand.least_rank(x, 2, "X")
        x = self.first(x)
        n, c = x.shape[:2]
        if groups < 1 or c % groups:
            raise EnforceNotMet(f"{c} channels do not fall into {groups} groups")
        if gamma.numel() != c or beta.numel() != c:
            raise EnforceNotMet(f"X has {c} channels; the weights have {gamma.numel()} and {beta.numel()} elements")
        if not x.numel():
            none = x.new_zeros(n, groups)
            return self.ordered(x.clone()), none, (none + self.epsilon).rsqrt()
        y, mean, rstd = torch.native_group_norm(x, gamma, beta, n, c, x[0, 0].numel(), groups, self.epsilon)
        return self.ordered(y), mean, rstd

    def gradients(
        self, dy: Tensor, x: Tensor, gamma: Tensor, moments: Moments, groups: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The gradients of x, gamma and beta."""
        x, dy = self.first(x), self.first(dy)
        if not x.numel():
            return self.ordered(x.clone()), torch.zeros_like(gamma), torch.zeros_like(gamma)
        n, c = x.shape[:2]
        dx, dgamma, dbeta = torch.ops.aten.native_group_norm_backward(
            dy, x, *moments, gamma, n, c, x[0, 0].numel(), groups, [True, True, True]
        )
        return self.ordered(dx), dgamma, dbeta


@op(
    "GroupNorm: X gamma beta -> Y mean? std?",
    types="X gamma beta: floating",
    arity=lambda i, o: o in (1, 3),
)
class GroupNorm(Grouping):
    """Y = (X - mean) * std * gamma + beta, mean and std those of a sample and a group of channels (Wu and He, 2018).

    X: (N, C, ...), or (N, ..., C) in the order NHWC.
    gamma, beta: (C).
    Y: of the shape of X.
    mean, std: (N, group): the mean, and 1 / sqrt(variance + epsilon).
    group: how many groups the channels fall into; it divides C.
    """

    group: int = 32

    def __call__(self, x: Tensor, gamma: Tensor, beta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.normalized(x, gamma, beta, self.group)


@gradient("GroupNorm")
def _(g: Gradient) -> Gradient:
    if not g.has("mean"):
        raise NoGradient("the gradient of GroupNorm needs its outputs mean and std")
    return g.op("GroupNormGradient: dY X gamma beta mean std -> dX dgamma dbeta")


@op("GroupNormGradient: dY X gamma beta mean std -> dX dgamma dbeta", types="dY X gamma: floating")
class GroupNormGradient(Grouping):
    """The gradients of GroupNorm; with h = (X - mean) * std, g = dY * gamma and means over a sample's group:

    dX = std * (g - mean of g - h * mean of g * h), dgamma = sum of dY * h, dbeta = sum of dY, channel by channel.
    """

    group: int = 32

    def __call__(
        self, dy: Tensor, x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, std: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        if gamma.numel() != beta.numel():
            raise EnforceNotMet(f"gamma and beta hold a number a channel, not {gamma.numel()} and {beta.numel()}")
        return self.gradients(dy, x, gamma, (mean, std), self.group)


@op(
    "InstanceNorm: input scale bias -> output saved_mean? saved_inv_stdev?",
    inplace="input -> output",
    types="input scale bias: floating",
)
class InstanceNorm(Grouping):
    """output = (input - saved_mean) * saved_inv_stdev * scale + bias, each channel of each sample by itself.

    Ulyanov et al., Instance Normalization, 2016.

    input: (N, C, ...), or (N, ..., C) in the order NHWC.
    scale, bias: (C).
    output: of the shape of input.
    saved_mean, saved_inv_stdev: (N, C): the mean, and 1 / sqrt(variance + epsilon).
    """

    def __call__(self, x: Tensor, scale: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.normalized(x, scale, bias, scale.numel())


@gradient("InstanceNorm")
def _(g: Gradient) -> Gradient:
    saved = " saved_mean" * g.has("saved_mean") + " saved_inv_stdev" * g.has("saved_inv_stdev")
    return g.op(f"InstanceNormGradient: input scale bias doutput{saved} -> dinput dscale dbias")


@op(
    "InstanceNormGradient: input scale bias doutput saved_mean? saved_inv_stdev? -> dinput dscale dbias",
    types="input scale bias doutput: floating",
)
class InstanceNormGradient(Grouping):
    """The gradients of InstanceNorm: those of GroupNorm, a channel a group. Statistics not given are found."""

    def __call__(
        self,
        x: Tensor,
        scale: Tensor,
        bias: Tensor,
        dy: Tensor,
        mean: Tensor | None = None,
        rstd: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        flat = self.first(x).flatten(2) if x.dim() > 2 else self.first(x)[:, :, None]
        if mean is None or rstd is None:
            var, mean = torch.var_mean(flat, 2, correction=0)
            rstd = (var + self.epsilon).rsqrt()
        return self.gradients(dy, x, scale, (mean, rstd), scale.numel())
