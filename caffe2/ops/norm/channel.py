"""Statistics of channels and affine maps of them, the parts of batch normalization that nets use by themselves."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Gradient, Op, op
from caffe2.ops import demand
from caffe2.ops.window import channels_last


def layout(x: Tensor, order: str) -> tuple[tuple[int, ...], list[int]]:
    """The shape with which a vector of channels broadcasts to x, and all other axes of x.

    Raises EnforceNotMet where x has fewer than two axes.
    """
    demand.least_rank(x, 2, "X")
    axis = x.dim() - 1 if channels_last(order) else 1
    return (-1, *[1] * (x.dim() - axis - 1)), [a for a in range(x.dim()) if a != axis]


def _vectors(x: Tensor, order: str, *vectors: Tensor) -> list[Tensor]:
    shape, _ = layout(x, order)
    channels = x.shape[-len(shape)]
    for v in vectors:
        if v.numel() != channels:
            raise EnforceNotMet(f"X has {channels} channels; a vector for them has {v.numel()} elements")
    return [v.view(shape) for v in vectors]


@op("ChannelStats: X -> sum sumsq", types="X: floating")
def channel_stats(x: Tensor, *, order: str = "NCHW") -> tuple[Tensor, Tensor]:
    """The sum of the elements, and of their squares, of each channel.

    X: (N, C, ...), or (N, ..., C) in the order NHWC.
    sum, sumsq: (C).
    """
    _, others = layout(x, order)
    return x.sum(others), x.square().sum(others)


@op(
    "ChannelBackpropStats: X mean inv_std output_grad -> scale_grad bias_grad",
    types="X mean inv_std output_grad: floating",
)
def channel_backprop_stats(x: Tensor, mean: Tensor, inv_std: Tensor, dy: Tensor) -> tuple[Tensor, Tensor]:
    """scale_grad = sum of output_grad * (X - mean) * inv_std, bias_grad = sum of output_grad, for each channel.

    X, output_grad: (N, C, ...), with one to three more axes.
    mean, inv_std: (C).
    scale_grad, bias_grad: (C).
    """
    demand.least_rank(x, 3, "X")
    demand.same_shape(x, dy, "X and output_grad")
    (m,), (_, others) = _vectors(x, "NCHW", mean), layout(x, "NCHW")
    return ((x - m) * dy).sum(others) * inv_std, dy.sum(others)


@op(
    "BatchMoments: X -> mu var",
    gradient="BatchMomentsGradient: dmu dvar X -> dX",
    types="X: floating",
)
def batch_moments(x: Tensor, *, order: str = "NCHW") -> tuple[Tensor, Tensor]:
    """The mean of the elements of each channel and, not centred, the mean of their squares.

    X: (N, C, ...), or (N, ..., C) in the order NHWC.
    mu: (C): the mean.
    var: (C): the mean of the squares.
    """
    _, others = layout(x, order)
    return x.mean(others), x.square().mean(others)


@op("BatchMomentsGradient: dmu dvar X -> dX", types="dmu dvar X: floating")
def batch_moments_gradient(dmu: Tensor, dvar: Tensor, x: Tensor, *, order: str = "NCHW") -> Tensor:
    """dX = (dmu + 2 X dvar) / n, n the number of elements of a channel."""
    dmu, dvar = _vectors(x, order, dmu, dvar)
    return torch.addcmul(dmu, x, dvar, value=2) * (dmu.numel() / max(x.numel(), 1))


def _affine_gradient(g: Gradient) -> Gradient:
    if g.arg("is_learnable", False):
        return g.op("AffineChannelGradient: dY X scale -> dX dscale dbias")
    return g.op("AffineChannelGradient: dY scale -> dX")


@op(
    "AffineChannel: X scale bias -> Y",
    inplace="X -> Y",
    gradient=_affine_gradient,
    types="X scale bias: floating",
)
class AffineChannel(Op):
    """Y = X * scale + bias, channel by channel.

    X: (N, C, ...), or (N, ..., C) in the order NHWC.
    scale, bias: (C).
    Y: of the shape of X.
    is_learnable: scale and bias have gradients; X is needed for them, so Y may not overwrite it.
    """

    order: str = "NCHW"
    is_learnable: bool = False

    def bind(self, site: object) -> None:
        if self.is_learnable and list(site.outputs) == list(site.inputs[:1]):
            raise EnforceNotMet("with is_learnable Y may not overwrite X, which the gradient of scale needs")

    def __call__(self, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        scale, bias = _vectors(x, self.order, scale, bias)
        return torch.addcmul(bias, x, scale)


@op(
    "AffineChannelGradient: dY X? scale -> dX dscale? dbias?",
    inplace="dY -> dX",
    types="dY X scale: floating",
    arity=lambda i, o: (i, o) in ((2, 1), (3, 3)),
)
def affine_channel_gradient(
    dy: Tensor, x: Tensor | None, scale: Tensor, *, order: str = "NCHW", is_learnable: bool = False
) -> tuple[Tensor, ...]:
    """dX = dY * scale, and with X given dscale = sum of dY * X, dbias = sum of dY, channel by channel."""
    (wide,), (_, others) = _vectors(dy, order, scale), layout(dy, order)
    if x is None:
        return (dy * wide,)
    return dy * wide, (dy * x).sum(others), dy.sum(others)


@op("NormalizePlanarYUV: X mean std -> Z", inplace="X -> Z", types="X mean std: float")
def normalize_planar_yuv(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Z = (X - mean) / std, channel by channel.

    X: (N, C, H, W).
    mean, std: (M, C), of which row 0 counts.
    Z: of the shape of X.
    """
    demand.rank(x, 4, "X")
    for name, values in (("mean", mean), ("std", std)):
        if values.dim() != 2 or len(values) < min(len(x), 1) or values.shape[1] != x.shape[1]:
            raise EnforceNotMet(f"{name} has a column for each of {x.shape[1]} channels, not {tuple(values.shape)}")
    return (x - mean[:1, :, None, None]) / std[:1, :, None, None]
