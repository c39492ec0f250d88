"""Reductions of all elements to one number, and the maxima of matrices by row and by column."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, op

NORM_EPSILON = 1e-12


def averaged(total: Tensor, x: Tensor, average: bool) -> Tensor:
    """A total, or the mean that it makes over the elements of X, if there are any."""
    return total / x.numel() if average and x.numel() else total


SCALAR = {"shape": lambda x, **_: x.new_empty(())}


@op("SumElements: X -> sum", types="X: floating", **SCALAR, gradient="SumElementsGradient: X dsum -> dX")
def sum_elements(x: Tensor, *, average: bool = False) -> Tensor:
    """The sum of all elements of X, or their mean.

    sum: of no dimensions.
    """
    return averaged(x.sum(), x, average)


@op(
    "SumElementsGradient: X dsum -> dX",
    types="dsum: floating",
    shape=lambda x, dsum, **_: dsum.new_empty(x.shape),
)
def sum_elements_gradient(x: Tensor, dsum: Tensor, *, average: bool = False) -> Tensor:
    """dX = dsum for every element of X, or dsum / n where the n elements were averaged."""
    if dsum.numel() != 1:
        raise EnforceNotMet(f"dsum is one number, not {list(dsum.shape)}")
    return averaged(dsum.reshape(()), x, average).expand(x.shape).clone(memory_format=torch.contiguous_format)


@op("SumElementsInt: X -> sum", types="X: int32", **SCALAR)
def sum_elements_int(x: Tensor) -> Tensor:
    """The sum of all elements of X.

    sum: int32, of no dimensions.
    """
    return x.sum(dtype=torch.int32)


@op("SumSqrElements: X -> sum", types="X: floating", **SCALAR)
def sum_sqr_elements(x: Tensor, *, average: bool = False) -> Tensor:
    """The sum of X^2 over all elements, or its mean.

    sum: of no dimensions.
    """
    return averaged(torch.dot(flat, flat) if (flat := x.reshape(-1)).numel() else x.sum(), x, average)


def demand_norm(x: Tensor, p: int, average: bool) -> None:
    """Raise EnforceNotMet unless p is 1 or 2 and there is something to average."""
    if p not in (1, 2):
        raise EnforceNotMet(f"p is 1 or 2, not {p}")
    if average and not x.numel():
        raise EnforceNotMet("no mean can be taken of no elements")


@op(
    "LpNorm: X -> Z",
    types="X: floating",
    shape=lambda x, **_: x.new_empty(1),
    gradient="LpNormGradient: X dZ -> dX",
)
def lp_norm(x: Tensor, *, p: int = 2, average: bool = False) -> Tensor:
    """Z = the sum of |X|^p over all elements; no root is taken.

    Z: (1).
    p: 1 or 2.
    """
    demand_norm(x, p, average)
    return averaged((x.abs() if p == 1 else torch.square(x)).sum(), x, average).reshape(1)


@op("LpNormGradient: X dout -> dx", types="X=dout: floating", like="X")
def lp_norm_gradient(x: Tensor, dz: Tensor, *, p: int = 2, average: bool = False) -> Tensor:
    """dx = dout * sign(X) for p = 1, where |X| > 1e-12, and dout * 2 X for p = 2; divided by n where averaged.

    p: 1 or 2.
    dout: (1): the gradient of Z.
    dx: the gradient of X.
    """
    demand_norm(x, p, average)
    if tuple(dz.shape) != (1,):
        raise EnforceNotMet(f"dout has the shape (1), not {tuple(dz.shape)}")
    slope = torch.where(x.abs() > NORM_EPSILON, torch.sign(x), 0) if p == 1 else x * 2
    return slope * averaged(dz.reshape(()), x, average)


def maxima(x: Tensor, axis: int) -> Tensor:
    """The maxima of a stack of matrices along one axis; of no elements the least number.

    Raises EnforceNotMet where X is no such stack.
    """
    if x.dim() != 3:
        raise EnforceNotMet(f"X is a stack of matrices, of three dimensions, not {list(x.shape)}")
    return torch.amax(x, axis) if x.shape[axis] else x.sum(axis).fill_(torch.finfo(x.dtype).min)


def to_maxima(x: Tensor, y: Tensor, dy: Tensor, axis: int) -> Tensor:
    """dY wherever X holds the maximum along an axis, else 0."""
    if x.dim() != 3 or y.shape != dy.shape or y.numel() * x.shape[axis] != x.numel():
        raise EnforceNotMet(f"X{list(x.shape)}, Y{list(y.shape)} and dY{list(dy.shape)} do not belong together")
    return torch.where(x == y.unsqueeze(axis), dy.unsqueeze(axis), 0)


@op("RowwiseMax: X -> Y", types="X: floating", gradient="RowwiseMaxGradient: X Y dY -> dX")
def rowwise_max(x: Tensor) -> Tensor:
    """Y[b, m] = the maximum over n of X[b, m, n].

    X: (B, M, N).
    Y: (B, M).
    """
    return maxima(x, 2)


@op("RowwiseMaxGradient: X Y dY -> dX", types="X=Y=dY: floating", like="X")
def rowwise_max_gradient(x: Tensor, y: Tensor, dy: Tensor) -> Tensor:
    """dX[b, m, n] = dY[b, m] where X[b, m, n] is the maximum Y[b, m], else 0."""
    return to_maxima(x, y, dy, 2)


@op("ColwiseMax: X -> Y", types="X: floating", gradient="ColwiseMaxGradient: X Y dY -> dX")
def colwise_max(x: Tensor) -> Tensor:
    """Y[b, n] = the maximum over m of X[b, m, n].

    X: (B, M, N).
    Y: (B, N).
    """
    return maxima(x, 1)


@op(
    "ColwiseMaxGradient: *inputs -> *outputs",
    types="inputs: floating",
    shape=lambda x, *_: x,
    arity=lambda i, o: (i, o) == (3, 1),
)
def colwise_max_gradient(*inputs: Tensor) -> tuple[Tensor]:
    """dX[b, m, n] = dY[b, n] where X[b, m, n] is the maximum Y[b, n], else 0.

    inputs: X, Y and dY.
    outputs: dX.
    """
    return (to_maxima(*inputs, 1),)
