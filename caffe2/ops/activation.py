"""Activation functions, elementwise but for Glu and PRelu, each with its gradient.

X: of any shape.
Y: of the shape of X.
order: NCHW: channels are the second dimension; NHWC: the last.
"""

from __future__ import annotations

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Gradient, NoGradient, gradient, op
from caffe2.ops.native import Kernel

aten = torch.ops.aten
PRELU = Kernel("channels", "prelu", "pppqqq")

SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
"""The fixed point of Klambauer et al., Self-Normalizing Neural Networks, 2017."""


def of_output(name: str, **facets: str) -> dict[str, str]:
    """The facets of an activation whose gradient is told by its output: both may be computed in place."""
    kept = {"inplace": "X -> Y", "types": "X: floating", "like": "X", "gradient": f"{name}Gradient: Y dY -> dX"}
    return kept | facets


def gradient_of_output(**facets: str) -> dict[str, str]:
    """The facets of the gradient operator that goes with `of_output`."""
    return {"inplace": "dY -> dX", "types": "Y dY: floating", "same": "Y dY", "like": "Y"} | facets


@op("Relu: X -> Y", engines="CUDNN NEON MKLDNN", over=torch.relu_, **of_output("Relu"))
def relu(x: Tensor) -> Tensor:
    """The positive part of every element: Y = max(X, 0)."""
    return torch.relu(x)


def relu_slope_(y: Tensor, dy: Tensor) -> Tensor:
    """ReluGradient, written over dY."""
    return aten.threshold_backward.grad_input(dy, y, 0, grad_input=dy)


@op("ReluGradient: Y dY -> dX", engines="CUDNN NEON MKLDNN", over=relu_slope_, **gradient_of_output())
def relu_gradient(y: Tensor, dy: Tensor) -> Tensor:
    """dX = dY where Y > 0, else 0."""
    return aten.threshold_backward.default(dy, y, 0)


@op("ReluN: X -> Y", **of_output("ReluN"))
def relu_n(x: Tensor, *, n: float = 6.0) -> Tensor:
    """Y = min(max(X, 0), n), n > 0.

    n: the largest value of Y, positive.
    """
    if n <= 0:
        raise EnforceNotMet(f"n is a positive bound; it is {n}")
    return x.clamp(0, n)


@op("ReluNGradient: Y dY -> dX", **gradient_of_output())
def relu_n_gradient(y: Tensor, dy: Tensor, *, n: float = 6.0) -> Tensor:
    """dX = dY where 0 < Y < n, else 0."""
    return torch.where((y > 0) & (y < n), dy, 0)


@op("LeakyRelu: X -> Y", **of_output("LeakyRelu"))
def leaky_relu(x: Tensor, *, alpha: float = 0.01) -> Tensor:
    """Y = X where X is positive, alpha * X elsewhere.

    alpha: the slope on the negative side.
    """
    return F.leaky_relu(x, alpha)


@op("LeakyReluGradient: Y dY -> dX", **gradient_of_output())
def leaky_relu_gradient(y: Tensor, dy: Tensor, *, alpha: float = 0.01) -> Tensor:
    """dX = dY where Y >= 0, alpha * dY elsewhere; the slope at zero is 1, as in the original."""
    return torch.where(y < 0, dy * alpha, dy)


@op("ThresholdedRelu: X -> Y", **of_output("ThresholdedRelu"))
def thresholded_relu(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    """Y = X where X > alpha, else 0.

    alpha: the threshold.
    """
    return F.threshold(x, alpha, 0)


@op("ThresholdedReluGradient: Y dY -> dX", **gradient_of_output())
def thresholded_relu_gradient(y: Tensor, dy: Tensor, *, alpha: float = 1.0) -> Tensor:
    """dX = dY * sign(Y); the sign matters only for a negative alpha, where the original has it too."""
    return dy * torch.sign(y)


def exponential_slope(y: Tensor, dy: Tensor, alpha: float, scale: float = 1.0) -> Tensor:
    """scale * dY where Y > 0, dY * (Y + scale * alpha) elsewhere."""
    if alpha < 0:  # torch refuses it, because Y no longer tells the sign of X; the original does not
        return torch.where(y > 0, dy * scale, dy * (y + scale * alpha))
    return aten.elu_backward.default(dy, alpha, scale, 1, True, y)


@op("Elu: X -> Y", engines="CUDNN", **of_output("Elu"))
def elu(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    """Y = X where X is positive, alpha * (exp(X) - 1) elsewhere (Clevert et al., 2015).

    alpha: minus the limit of Y for small X.
    """
    return F.elu(x, alpha)


@op("EluGradient: Y dY -> dX", engines="CUDNN", **gradient_of_output())
def elu_gradient(y: Tensor, dy: Tensor, *, alpha: float = 1.0) -> Tensor:
    """dX = dY * (Y + alpha) where Y < 0, dY elsewhere."""
    return torch.where(y < 0, dy * (y + alpha), dy)


@op("Selu: X -> Y", **of_output("Selu"))
def selu(x: Tensor, *, alpha: float = SELU_ALPHA, scale: float = SELU_SCALE) -> Tensor:
    """Y = scale * X where X is positive, scale * alpha * (exp(X) - 1) elsewhere (Klambauer et al., 2017).

    alpha, scale: with the values that they have by default, zero mean and unit variance are a fixed point; scale > 1.
    """
    if scale <= 1:
        raise EnforceNotMet(f"scale must be greater than 1; it is {scale}")
    return aten.elu(x, alpha, scale)


@op("SeluGradient: Y dY -> dX", **gradient_of_output())
def selu_gradient(y: Tensor, dy: Tensor, *, alpha: float = SELU_ALPHA, scale: float = SELU_SCALE) -> Tensor:
    """dX = scale * dY where Y > 0, dY * (Y + scale * alpha) elsewhere."""
    return exponential_slope(y, dy, alpha, scale)


@op("HardSigmoid: X -> Y", **of_output("HardSigmoid"))
def hard_sigmoid(x: Tensor, *, alpha: float = 0.2, beta: float = 0.5) -> Tensor:
    """Y = min(max(alpha * X + beta, 0), 1).

    alpha, beta: slope and offset of the part between 0 and 1.
    """
    return (x * alpha + beta).clamp(0, 1)


@op("HardSigmoidGradient: Y dY -> dX", **gradient_of_output())
def hard_sigmoid_gradient(y: Tensor, dy: Tensor, *, alpha: float = 0.2, beta: float = 0.5) -> Tensor:
    """dX = alpha * dY where 0 < Y < 1, else 0."""
    return torch.where((y > 0) & (y < 1), dy * alpha, 0)


@op("Sigmoid: X -> Y", engines="CUDNN", over=torch.sigmoid_, **of_output("Sigmoid"))
def sigmoid(x: Tensor) -> Tensor:
    """Y = 1 / (1 + exp(-X))."""
    return torch.sigmoid(x)


@op("SigmoidGradient: Y dY -> dX", engines="CUDNN", **gradient_of_output())
def sigmoid_gradient(y: Tensor, dy: Tensor) -> Tensor:
    """dX = dY * Y * (1 - Y)."""
    return aten.sigmoid_backward.default(dy, y)


@op("Tanh: X -> Y", engines="CUDNN", over=torch.tanh_, **of_output("Tanh"))
def tanh(x: Tensor) -> Tensor:
    """The hyperbolic tangent: Y = (exp(X) - exp(-X)) / (exp(X) + exp(-X))."""
    return torch.tanh(x)


@op("TanhGradient: Y dY -> dX", engines="CUDNN", **gradient_of_output())
def tanh_gradient(y: Tensor, dy: Tensor) -> Tensor:
    """dX = dY * (1 - Y^2)."""
    return aten.tanh_backward.default(dy, y)


@op("Softplus: X -> Y", differs="does not overflow for X > 88", **of_output("Softplus"))
def softplus(x: Tensor) -> Tensor:
    """Y = log(1 + exp(X))."""
    return F.softplus(x)


@op("SoftplusGradient: Y dY -> dX", **gradient_of_output())
def softplus_gradient(y: Tensor, dy: Tensor) -> Tensor:
    """dX = dY * (1 - exp(-Y))."""
    return dy * -torch.expm1(-y)


@op("Softsign: X -> Y", inplace="X -> Y", types="X: floating", like="X")
def softsign(x: Tensor) -> Tensor:
    """Y = X / (1 + |X|)."""
    return F.softsign(x)


@op("SoftsignGradient: X dY -> dX", inplace="dY -> dX", types="X dY: floating", same="X dY", like="X")
def softsign_gradient(x: Tensor, dy: Tensor) -> Tensor:
    """dX = dY / (1 + |X|)^2."""
    return dy / torch.square(1 + x.abs())


@gradient("Softsign")
def _(g: Gradient) -> None:
    if g.inputs["X"] == g.outputs["Y"]:
        raise NoGradient("Softsign: X -> Y\n  its gradient needs X, which Y overwrites; write Y to another blob")
    g.op("SoftsignGradient: X dY -> dX")


@op("Swish: X -> Y", gradient="SwishGradient: X Y dY -> dX", types="X: floating", like="X")
def swish(x: Tensor) -> Tensor:
    """Y = X / (1 + exp(-X)) (Ramachandran et al., 2017)."""
    return F.silu(x)


@op("SwishGradient: X Y dY -> dX", inplace="dY -> dX", types="X Y dY: floating", same="X Y dY", like="X")
def swish_gradient(x: Tensor, y: Tensor, dy: Tensor) -> Tensor:
    """dX = dY * (Y + (1 - Y) / (1 + exp(-X)))."""
    return dy * torch.addcmul(y, torch.sigmoid(x), 1 - y)


@op("Mish: X -> Y", gradient="MishGradient: X Y dY -> dX", types="X: floating", like="X")
def mish(x: Tensor) -> Tensor:
    """Y = X * tanh(log(1 + exp(X))) (Misra, 2019)."""
    return F.mish(x)


@op("MishGradient: X Y dY -> dX", types="X Y dY: floating", same="X Y dY", like="X")
def mish_gradient(x: Tensor, y: Tensor, dy: Tensor) -> Tensor:
    """dX = dY * (t + X * (1 - t^2) / (1 + exp(-X))), t = tanh(log(1 + exp(X))); Y is not looked at."""
    return aten.mish_backward.default(dy, x)


@op("Gelu: X -> Y", gradient="GeluGradient: dY X -> dX", types="X: floating", like="X")
def gelu(x: Tensor, *, fast_gelu: bool = False) -> Tensor:
    """Y = X * P(Z <= X), Z standard normal (Hendrycks and Gimpel, 2016).

    fast_gelu: the approximation Y = X / 2 * (1 + tanh(sqrt(2 / pi) * (X + 0.044715 X^3))) instead.
    """
    return F.gelu(x, approximate="tanh" if fast_gelu else "none")


@op("GeluGradient: dY X -> dX", types="dY X: floating", same="dY X", like="X")
def gelu_gradient(dy: Tensor, x: Tensor, *, fast_gelu: bool = False) -> Tensor:
    """dX = dY * Y'(X), Y the Gelu of X, or its fast form."""
    return aten.gelu_backward.default(dy, x, approximate="tanh" if fast_gelu else "none")


def half(x: Tensor, *, dim: int = -1) -> Tensor:
    """The shape of one half of X along a dimension."""
    if not -x.dim() <= dim < x.dim() or x.shape[dim] % 2:
        raise EnforceNotMet(f"X{list(x.shape)} has no halves along dimension {dim}")
    return x.new_empty([n // 2 if k == dim % x.dim() else n for k, n in enumerate(x.shape)])


@op("Glu: X -> Y", types="X: floating", shape=half)
def glu(x: Tensor, *, dim: int = -1) -> Tensor:
    """Y = A / (1 + exp(-B)), A and B the first and the second half of X along `dim` (Dauphin et al., 2016).

    Y: of the shape of X, with half as many elements along `dim`.
    dim: a dimension of X of even size; a negative one counts from the end.
    """
    return F.glu(x, dim)


@op("Logit: X -> Y", inplace="X -> Y", gradient="LogitGradient: X dY -> dX", types="X: floating", like="X")
def logit(x: Tensor, *, eps: float = 1e-6) -> Tensor:
    """Y = log(P / (1 - P)), P = min(max(X, eps), 1 - eps); 0 < eps < 1/2.

    eps: how close to 0 and 1 X is taken to come.
    """
    if not 0 < eps < 0.5:
        raise EnforceNotMet(f"eps lies between 0 and 1/2; it is {eps}")
    return torch.logit(x, eps)


@op("LogitGradient: X dY -> dX", types="X dY: floating", same="X dY", like="X")
def logit_gradient(x: Tensor, dy: Tensor, *, eps: float = 1e-6) -> Tensor:
    """dX = dY / (X * (1 - X)) where eps <= X <= 1 - eps, else 0."""
    return aten.logit_backward.default(dy, x, eps)


def slope_view(slope: Tensor, x: Tensor, order: str) -> Tensor:
    """Slope so that it broadcasts against X: one for each channel, dimension 1 of X (NCHW) or its last (NHWC)."""
    if slope.numel() == 1:
        return slope.reshape(())
    channel = 1 if order == "NCHW" else x.dim() - 1
    if x.dim() <= channel or x.shape[channel] != slope.numel():
        raise EnforceNotMet(f"Slope has {slope.numel()} elements; X{list(x.shape)} differs in dimension {channel}")
    return slope.reshape((-1,) + (1,) * (x.dim() - 1 - channel))


@op(
    "PRelu: X Slope -> Y",
    inplace="X -> Y",
    types="X Slope: floating",
    like="X",
)
def prelu(x: Tensor, slope: Tensor, *, order: str = "NCHW") -> Tensor:
    """Y = X where X > 0, Slope * X elsewhere, with one slope for each channel or one for all (He et al., 2015).

    Slope: one element, or one for each channel.
    """
    view = slope_view(slope, x, order)
    if x.dtype == torch.float32 == slope.dtype and order == "NCHW" and slope.numel() > 1 and PRELU.serves(x, slope):
        y = torch.empty_like(x)
        PRELU(x, slope, y, x.shape[0], x.shape[1], prod(x.shape[2:]))
        return y
    if order == "NCHW" and x.dim() >= 2 or slope.numel() == 1:
        return torch.prelu(x, slope.reshape(-1))
    return torch.where(x > 0, x, x * view)


@op("PReluGradient: Y dY X Slope -> dX dSlope", types="Y dY X Slope: floating", same="Y dY X", like="X Slope")
def prelu_gradient(y: Tensor, dy: Tensor, x: Tensor, slope: Tensor, *, order: str = "NCHW") -> tuple[Tensor, Tensor]:
    """dX = dY where X > 0, Slope * dY elsewhere; dSlope sums dY * X over X <= 0 of each channel, or of all."""
    view = slope_view(slope, x, order)
    positive = x > 0
    below = torch.where(positive, 0, dy * x)
    return torch.where(positive, dy, dy * view), below.sum_to_size(view.shape).reshape(slope.shape)


@gradient("PRelu")
def _(g: Gradient) -> None:
    if g.inputs["X"] == g.outputs["Y"]:
        raise NoGradient("PRelu: X Slope -> Y\n  its gradient needs X, which Y overwrites; write Y to another blob")
    g.op("PReluGradient: Y dY X Slope -> dX dSlope")
