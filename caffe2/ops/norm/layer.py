"""Normalization of feature vectors by their own moments: LayerNorm and RMSNorm, with their gradients."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Gradient, OutputCount, op
from caffe2.ops import demand

Shape = torch.Size


def split_shape(x: Tensor, axis: int) -> tuple[Shape, Shape]:
    """The shape of x before an axis, and from it on. Raises EnforceNotMet where x has no such axis, or one alone."""
    demand.least_rank(x, 2, "X")
    if not -x.dim() <= axis < x.dim():
        raise EnforceNotMet(f"axis is {axis} but X has {x.dim()} dimensions")
    axis %= x.dim()
    return x.shape[:axis], x.shape[axis:]


def _weights(weights: tuple[Tensor, ...], shape: Shape) -> tuple[Tensor, ...]:
    for w in weights:
        if w.numel() != shape.numel():
            raise EnforceNotMet(f"gamma and beta have an element for each of {tuple(shape)}, not {tuple(w.shape)}")
    return tuple(w.reshape(shape) for w in weights)


def _layer_gradient(g: Gradient) -> Gradient:
    if g.arg("elementwise_affine", False):
        return g.op("LayerNormGradient: doutput output mean stddev input gamma -> dinput dgamma dbeta")
    return g.op("LayerNormGradient: doutput output mean stddev input -> dinput")


def layer_norm(
    x: Tensor,
    gamma: Tensor | None = None,
    beta: Tensor | None = None,
    *,
    axis: int = 1,
    epsilon: float = 1e-5,
    elementwise_affine: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """output = (input - mean) / stddev, then * gamma + beta with elementwise_affine (Ba, Kiros and Hinton, 2016).

    input: of any shape.
    gamma, beta: the shape of input from `axis` on.
    output: of the shape of input.
    mean, stddev: the shape of input before `axis`, then 1: the mean, and sqrt(variance + epsilon), of the elements from
        `axis` on.
    axis: the first of the dimensions that are normalized together.
    elementwise_affine: there are gamma and beta.
    """
    lead, shape = split_shape(x, axis)
    affine: tuple[Tensor | None, ...] = (None, None)
    if elementwise_affine:
        if gamma is None or beta is None:
            raise EnforceNotMet("elementwise_affine needs gamma and beta")
        affine = _weights((gamma, beta), shape)
    if not shape.numel():
        none = x.new_zeros(*lead, 1)
        return x.clone(), none, none + epsilon**0.5
    y, mean, rstd = torch.native_layer_norm(x, shape, *affine, epsilon)
    return y, mean.reshape(*lead, 1), rstd.reciprocal().reshape(*lead, 1)


for _name in ("LayerNorm", "C10LayerNorm_DontUseThisOpYet"):
    op(
        f"{_name}: input gamma? beta? -> output mean stddev",
        gradient=_layer_gradient,
        types="input gamma beta: float double float16 bfloat16",
        arity=lambda i, o: i in (1, 3),
    )(layer_norm)


@op(
    "LayerNormGradient: doutput output mean stddev input gamma? -> dinput dgamma? dbeta?",
    types="doutput output mean stddev input gamma: floating",
)
def layer_norm_gradient(
    dy: Tensor,
    y: Tensor,
    mean: Tensor,
    stddev: Tensor,
    x: Tensor,
    gamma: Tensor | None = None,
    *,
    outputs: OutputCount,
    axis: int = 1,
    epsilon: float = 1e-5,
    elementwise_affine: bool = False,
) -> tuple[Tensor, ...]:
    """The gradients of LayerNorm; with h = (input - mean) / stddev, g = doutput * gamma, means over a feature vector:

    dinput = (g - mean of g - h * mean of g * h) / stddev, dgamma = sum of doutput * h, dbeta = sum of doutput.
    """
    lead, shape = split_shape(x, axis)
    if (gamma is None or outputs != 3) if elementwise_affine else outputs != 1:
        raise EnforceNotMet(f"elementwise_affine={elementwise_affine:d} does not go with these inputs and outputs")
    kept = (*lead, *[1] * len(shape))
    weights = (
        (*_weights((gamma,), shape), torch.empty_like(gamma).reshape(shape)) if elementwise_affine else (None, None)
    )
    wanted = [True, elementwise_affine, elementwise_affine]
    dx, dgamma, dbeta = torch.ops.aten.native_layer_norm_backward(
        dy, x, shape, mean.reshape(kept), stddev.reciprocal().reshape(kept), *weights, wanted
    )
    return (dx, dgamma.view_as(gamma), dbeta.view_as(gamma)) if elementwise_affine else (dx,)


@op(
    "RMSNorm: input gamma beta -> output rrms",
    gradient="RMSNormGradient: doutput input gamma rrms -> dinput dgamma dbeta",
    types="input gamma beta: floating",
)
def rms_norm(x: Tensor, gamma: Tensor, beta: Tensor, *, axis: int = 1, eps: float = 0.0) -> tuple[Tensor, Tensor]:
    """output = input * rrms * gamma + beta with rrms = 1 / sqrt(mean of squares + eps) (Zhang and Sennrich, 2019).

    input: of any shape.
    gamma, beta: the shape of input from `axis` on.
    output: of the shape of input.
    rrms: the shape of input before `axis`; the mean is over the elements from `axis` on.
    axis: the first of the dimensions that are normalized together.
    eps: is added to the mean of the squares.
    """
    lead, shape = split_shape(x, axis)
    gamma, beta = _weights((gamma, beta), shape)
    rrms = x.reshape(*lead, shape.numel()).square().mean(-1).add(eps).rsqrt()
    return torch.addcmul(beta, x * rrms.reshape(*lead, *[1] * len(shape)), gamma), rrms


@op("RMSNormGradient: doutput input gamma rrms -> dinput dgamma dbeta", types="doutput input gamma rrms: floating")
def rms_norm_gradient(
    dy: Tensor, x: Tensor, gamma: Tensor, rrms: Tensor, *, axis: int = 1, eps: float = 0.0
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of RMSNorm; with h = input * rrms, g = doutput * gamma and the mean over a feature vector:

    dinput = rrms * (g - h * mean of g * h), dgamma = sum of doutput * h, dbeta = sum of doutput.
    """
    lead, shape = split_shape(x, axis)
    flat = (lead.numel(), shape.numel())
    scale, dy, h = rrms.reshape(-1, 1), dy.reshape(flat), x.reshape(flat) * rrms.reshape(-1, 1)
    g = dy * gamma.reshape(-1)
    dx = scale * (g - h * (g * h).mean(1, keepdim=True))
    return dx.view_as(x), (dy * h).sum(0).view_as(gamma), dy.sum(0).view_as(gamma)
