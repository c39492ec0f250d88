"""Batch normalization over all axes but the channels, and its gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Gradient, Op, OutputCount, op
from caffe2.ops import demand
from caffe2.ops.native import Kernel
from caffe2.ops.window import channels_last

COMPILED = Kernel("channels", "batch_norm", "pppppp qqq f")


class Normalizing(Op):
    """What batch normalization and its gradient settle alike."""

    is_test: bool = False
    epsilon: float = 1e-5
    order: str = "NCHW"
    num_batches: int = 1

    def bind(self, site: object) -> None:
        self.last = channels_last(self.order)
        if not self.epsilon > 0:
            raise EnforceNotMet(f"epsilon is {self.epsilon}; it must be positive")
        if self.num_batches > 1 and self.is_test:
            raise EnforceNotMet("num_batches goes with training, not with is_test")

    def first(self, x: Tensor) -> Tensor:
        """A view of x with the channels as its second axis."""
        return x.movedim(-1, 1) if self.last else x

    def checked(self, x: Tensor, *vectors: Tensor) -> Tensor:
        """first(x); EnforceNotMet unless it has channels, and each vector one element for each."""
        demand.least_rank(x, 2, "X")
        x = self.first(x)
        for v in vectors:
            if v.numel() != x.shape[1]:
                raise EnforceNotMet(f"X has {x.shape[1]} channels; a vector for them has {v.numel()} elements")
        return x

    def ordered(self, y: Tensor) -> Tensor:
        """y, its channels second, in the operator's order."""
        return y.movedim(1, -1).contiguous() if self.last else y


def _gradient(g: Gradient) -> Gradient:
    if g.arg("is_test", False):
        return g.op("SpatialBNGradient: X scale dY mean var -> dX dscale dbias")
    saved = ("saved_mean", "saved_var")
    inputs = [g.blob(b) for b in ("X", "scale", "dY", *saved)]
    grads = [g.grad_name(b) for b in ("X", "scale", "bias")]
    if g.has("sums"):  # in place of the sums over all batches, which another operator has put there
        inputs += grads[1:]
    g.add("SpatialBNGradient", inputs, grads)
    for slot, name in zip(("X", "scale", "bias"), grads):
        g.set(slot, name)
    return g


@op(
    "SpatialBN: X scale bias mean var sums? sumsq? -> Y mean? var? saved_mean? saved_var?",
    inplace="X -> Y, mean => mean, var => var, sums -> saved_mean, sumsq -> saved_var",
    gradient=_gradient,
    types="X scale bias: floating",
    engines="CUDNN MIOPEN MKLDNN",
    arity=lambda i, o: i in (5, 7) and o in (1, 5),
)
class SpatialBN(Normalizing):
    """Batch normalization: Y = (X - m) / sqrt(v + epsilon) * scale + bias, by channel (Ioffe and Szegedy, 2015).

    With is_test m and v are the inputs mean and var. Otherwise they are the mean and variance of X over all axes but
    the channels, or over num_batches batches of its size; then mean and var move towards them: mean = momentum * mean +
    (1 - momentum) * m, and var likewise towards v * n / (n - 1), n the elements of a channel.

    X: (N, C, ...), or (N, ..., C) in the order NHWC.
    scale, bias: (C).
    mean, var: (C): the running mean and variance, overwritten without is_test. Empty ones are taken for zeros, and an
        empty X leaves them alone.
    sums, sumsq: (C): the sums of the elements of num_batches batches, and of their squares.
    Y: of the shape of X.
    saved_mean, saved_var: (C): m and 1 / sqrt(v + epsilon), for the gradient.
    is_test: the given statistics are used.
    momentum: the weight of the running statistics before.
    num_batches: how many batches sums and sumsq are of.
    """

    momentum: float = 0.9
    outputs: OutputCount

    def bind(self, site: object) -> None:
        super().bind(site)
        if self.outputs != (1 if self.is_test else 5):
            raise EnforceNotMet(f"is_test={self.is_test:d} goes with {1 if self.is_test else 5} outputs")
        if not 0 <= self.momentum <= 1:
            raise EnforceNotMet(f"momentum is {self.momentum}; it must lie between 0 and 1")

    def __call__(
        self,
        x: Tensor,
        scale: Tensor,
        bias: Tensor,
        mean: Tensor,
        var: Tensor,
        sums: Tensor | None = None,
        sumsq: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        mean, var = (t if t.numel() or self.is_test else torch.zeros_like(scale) for t in (mean, var))
        x = self.checked(x, scale, bias, mean, var)
        if self.is_test:
            return (self.ordered(torch.batch_norm(x, scale, bias, mean, var, False, 0.0, self.epsilon, True)),)
        if not x.numel():
            return self.ordered(x.clone()), mean, var, torch.zeros_like(scale), torch.zeros_like(scale)
        if self.num_batches > 1:
            y, m, rstd = self._together(x, scale, bias, mean, var, sums, sumsq)
        elif x.dtype == torch.float32 == scale.dtype and COMPILED.serves(x, scale, bias):
            y, m, rstd = self._compiled(x, scale, bias, mean, var)
        else:
            y, m, rstd, *_ = torch._batch_norm_impl_index(
                x, scale, bias, mean, var, True, 1 - self.momentum, self.epsilon, True
            )
        return self.ordered(y), mean, var, m, rstd

    def _compiled(
        self, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, var: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What torch's kernel gives, reading X from memory once."""
        y, m, v = torch.empty_like(x), torch.empty_like(scale), torch.empty_like(scale)
        n = x.numel() // x.shape[1]
        COMPILED(x, scale, bias, y, m, v, x.shape[0], x.shape[1], n // x.shape[0], self.epsilon)
        mean.lerp_(m, 1 - self.momentum)
        var.lerp_(v * (n / (n - 1) if n > 1 else float("nan")), 1 - self.momentum)
        return y, m, torch.rsqrt(v + self.epsilon)

    def _together(
        self, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, var: Tensor, sums: Tensor, sumsq: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """X normalized by the statistics of several batches, that mean, and one over that standard deviation."""
        if sums is None:
            raise EnforceNotMet(f"num_batches={self.num_batches} needs the inputs sums and sumsq")
        n = x.numel() // x.shape[1] * self.num_batches
        m = sums / n
        v = sumsq / n - m * m
        mean.lerp_(m, 1 - self.momentum)
        var.lerp_(v * (n / (n - 1) if n > 1 else float("nan")), 1 - self.momentum)
        y = torch.batch_norm(x, scale, bias, m, v, False, 0.0, self.epsilon, True)
        return y, m, torch.rsqrt(v + self.epsilon)


@op(
    "SpatialBNGradient: X scale dY mean var dscale? dbias? -> dX dscale dbias",
    inplace="dscale -> dscale, dbias -> dbias",
    types="X scale dY: floating",
    engines="CUDNN MIOPEN MKLDNN",
    arity=lambda i, o: i in (5, 7),
    differs="with is_test the gradient is that of the forward operator in that mode",
)
class SpatialBNGradient(Normalizing):
    """The gradients of batch normalization; with h = (X - mean) * var, that is of the saved statistics, and n as there:

    dscale = sum of dY * h, dbias = sum of dY, dX = scale * var * (dY - (dbias + h * dscale) / n), channel by channel.
    With num_batches the sums over all batches are given as dscale and dbias; they are divided by it first.
    With is_test mean and var are the forward operator's own, and dX = scale / sqrt(var + epsilon) * dY.
    """

    def __call__(
        self,
        x: Tensor,
        scale: Tensor,
        dy: Tensor,
        mean: Tensor,
        var: Tensor,
        dscale: Tensor | None = None,
        dbias: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        demand.same_shape(x, dy, "X and dY")
        x, dy = self.checked(x, scale, mean, var), self.first(dy)
        if not x.numel():
            return self.ordered(x.clone()), torch.zeros_like(scale), torch.zeros_like(scale)
        if self.num_batches > 1:
            return self._together(x, scale, dy, mean, var, dscale, dbias)
        given = (mean, var, None, None) if self.is_test else (None, None, mean, var)
        dx, dscale, dbias = torch.ops.aten.native_batch_norm_backward(
            dy, x, scale, *given, not self.is_test, self.epsilon, [True, True, True]
        )
        return self.ordered(dx), dscale, dbias

    def _together(
        self, x: Tensor, scale: Tensor, dy: Tensor, mean: Tensor, rstd: Tensor, dscale: Tensor, dbias: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        if dscale is None:
            raise EnforceNotMet(f"num_batches={self.num_batches} needs the gradients of scale and bias of all batches")
        dscale, dbias = dscale / self.num_batches, dbias / self.num_batches
        n = x.numel() // x.shape[1]
        shape = (-1, *[1] * (x.dim() - 2))
        slope = -rstd * dscale / n
        shift = -dbias / n - slope * mean
        dx = torch.addcmul(dy + shift.view(shape), x, slope.view(shape)) * (scale * rstd).view(shape)
        return self.ordered(dx), dscale, dbias
