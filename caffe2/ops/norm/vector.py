"""Normalization of vectors to unit length."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, op
from caffe2.ops import demand

TINY = 1e-12


def _axis(x: Tensor, axis: int) -> int:
    demand.least_rank(x, 1, "X")
    if not -x.dim() <= axis < x.dim():
        raise EnforceNotMet(f"axis is {axis} but X has {x.dim()} dimensions")
    return axis


@op("Normalize: X -> Y", gradient="NormalizeGradient: X dY -> dX", types="X: floating")
def normalize(x: Tensor, *, axis: int = -1) -> Tensor:
    """Y = X / |X|, the Euclidean norm taken along `axis`; norms below 1e-12 count as that.

    X: of any shape.
    Y: of the shape of X.
    axis: the dimension; a negative one counts from the end.
    """
    norm = torch.linalg.vector_norm(x, dim=_axis(x, axis), keepdim=True)
    return x / norm.clamp(min=TINY)


@op("NormalizeGradient: X dY -> dX", types="X dY: floating")
def normalize_gradient(x: Tensor, dy: Tensor, *, axis: int = -1) -> Tensor:
    """dX = dY / |X| - X <X, dY> / |X|^3, norms and products taken along `axis`; norms below 1e-12 count as that."""
    demand.same_shape(x, dy, "X and dY")
    norm = torch.linalg.vector_norm(x, dim=_axis(x, axis), keepdim=True).clamp(min=TINY)
    unit = x / norm
    return (dy - unit * (unit * dy).sum(axis, keepdim=True)) / norm


@op("NormalizeL1: X -> Y", types="X: floating")
def normalize_l1(x: Tensor, *, axis: int = -1) -> Tensor:
    """Y = X / (sum of |X| along `axis`), and 0 where all of X is.

    X: of any shape.
    Y: of the shape of X.
    axis: the dimension; a negative one counts from the end.
    """
    total = x.abs().sum(_axis(x, axis), keepdim=True)
    return torch.where(total > 0, x / total, 0)
