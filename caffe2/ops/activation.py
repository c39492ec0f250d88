"""Activation functions of one argument, elementwise."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.opdef import op


@op(
    "Relu: X -> Y",
    inplace="X -> Y",
    gradient="ReluGradient: Y dY -> dX",
    types="X: floating",
    engines="CUDNN NEON MKLDNN",
)
def relu(x: Tensor) -> Tensor:
    """The positive part of every element: Y = max(X, 0)."""
    return torch.relu(x)


@op("ReluGradient: Y dY -> dX", inplace="dY -> dX", types="Y dY: floating")
def relu_gradient(y: Tensor, dy: Tensor) -> Tensor:
    """dX = dY where Y > 0, else 0."""
    return torch.ops.aten.threshold_backward(dy, y, 0)


@op(
    "LeakyRelu: X -> Y",
    inplace="X -> Y",
    gradient="LeakyReluGradient: Y dY -> dX",
    types="X: floating",
)
def leaky_relu(x: Tensor, *, alpha: float = 0.01) -> Tensor:
    """Y = X where X is positive, alpha * X elsewhere.

    alpha: the slope on the negative side.
    """
    return F.leaky_relu(x, alpha)


@op("LeakyReluGradient: Y dY -> dX", inplace="dY -> dX", types="Y dY: floating")
def leaky_relu_gradient(y: Tensor, dy: Tensor, *, alpha: float = 0.01) -> Tensor:
    """dX = dY where Y > 0, alpha * dY elsewhere."""
    return torch.where(y > 0, dy, dy * alpha)
