"""Distances and similarities of vectors, row by row.

X, Y: (N, ...), of one shape.
Z: (N).
"""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Gradient, gradient, op

EPS = 1e-12
ROWS = {"types": "X Y: floating"}
SLOPES = {"types": "X Y dZ: floating", "like": "X Y"}


def rows(x: Tensor) -> Tensor:
    """[N, D] of [N, ...]; a scalar is one row of one."""
    return x.reshape(x.shape[0] if x.dim() else 1, -1) if x.numel() else x.reshape(x.shape[0] if x.dim() else 1, 0)


def pair(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Both as [N, D]. Raises EnforceNotMet where their shapes differ."""
    if x.shape != y.shape:
        raise EnforceNotMet(f"X and Y have one shape, got {[*x.shape]} and {[*y.shape]}")
    return rows(x), rows(y)


def _slope(dz: Tensor, count: int) -> Tensor:
    if dz.shape != (count,):
        raise EnforceNotMet(f"dZ holds one number a row, {count}; got {[*dz.shape]}")
    return dz.reshape(-1, 1)


@op("SquaredL2Distance: X Y -> Z", gradient="SquaredL2DistanceGradient: X Y dZ -> dX dY", **ROWS)
def squared_l2_distance(x: Tensor, y: Tensor) -> Tensor:
    """Z[n] = sum over d of (X[n, d] - Y[n, d])^2 / 2."""
    a, b = pair(x, y)
    return (a - b).square().sum(1) * 0.5


@op("SquaredL2DistanceGradient: X Y dZ -> dX dY", **SLOPES)
def squared_l2_distance_gradient(x: Tensor, y: Tensor, dz: Tensor) -> tuple[Tensor, Tensor]:
    """dX = (X - Y) dZ, dY = -dX."""
    a, b = pair(x, y)
    grad = ((a - b) * _slope(dz, len(a))).view(x.shape)
    return grad, -grad


@op("L1Distance: X Y -> Z", gradient="L1DistanceGradient: X Y dZ -> dX dY", **ROWS)
def l1_distance(x: Tensor, y: Tensor) -> Tensor:
    """Z[n] = sum over d of |X[n, d] - Y[n, d]|."""
    a, b = pair(x, y)
    return (a - b).abs().sum(1)


@op("L1DistanceGradient: X Y dZ -> dX dY", **SLOPES)
def l1_distance_gradient(x: Tensor, y: Tensor, dz: Tensor) -> tuple[Tensor, Tensor]:
    """dX = sign(X - Y) dZ, dY = -dX; differences below 1e-12 count as none."""
    a, b = pair(x, y)
    apart = a - b
    grad = (torch.sign(apart) * (apart.abs() > EPS) * _slope(dz, len(a))).view(x.shape)
    return grad, -grad


@op("DotProduct: X Y -> Z", gradient="DotProductGradient: X Y dZ -> dX dY", **ROWS)
def dot_product(x: Tensor, y: Tensor) -> Tensor:
    """Z[n] = sum over d of X[n, d] Y[n, d]; of an empty X there are no rows."""
    a, b = pair(x, y)
    return (a * b).sum(1) if x.numel() else x.new_zeros(0)


@op("DotProductGradient: X Y dZ -> dX dY", **SLOPES)
def dot_product_gradient(x: Tensor, y: Tensor, dz: Tensor) -> tuple[Tensor, Tensor]:
    """dX = Y dZ, dY = X dZ."""
    a, b = pair(x, y)
    if not x.numel():
        return torch.zeros_like(x), torch.zeros_like(y)
    slope = _slope(dz, len(a))
    return (b * slope).view(x.shape), (a * slope).view(y.shape)


@op("CosineSimilarity: X Y -> Z", gradient="CosineSimilarityGradient: X Y dZ -> dX dY", **ROWS)
def cosine_similarity(x: Tensor, y: Tensor) -> Tensor:
    """Z[n] = X[n] . Y[n] / sqrt(max(|X[n]|^2, 1e-12) max(|Y[n]|^2, 1e-12))."""
    a, b = pair(x, y)
    return (a * b).sum(1) / (_square(a) * _square(b)).sqrt().squeeze(1)


def _square(a: Tensor) -> Tensor:
    return (a * a).sum(1, keepdim=True).clamp_min(EPS)


@op("CosineSimilarityGradient: X Y dZ -> dX dY", **SLOPES)
def cosine_similarity_gradient(x: Tensor, y: Tensor, dz: Tensor) -> tuple[Tensor, Tensor]:
    """dX = dZ (Y / (|X| |Y|) - X (X . Y) / (|X|^3 |Y|)), and dY the same the other way round."""
    a, b = pair(x, y)
    a2, b2, slope = _square(a), _square(b), _slope(dz, len(a))
    norm = (a2 * b2).sqrt()
    cross = (a * b).sum(1, keepdim=True)
    dx, dy = (slope / norm * (p - q * cross / q2) for p, q, q2 in ((b, a, a2), (a, b, b2)))
    return dx.view(x.shape), dy.view(y.shape)


def _padded(x: Tensor, y: Tensor, pad_value: float, replicate: bool) -> tuple[Tensor, Tensor]:
    """Both as [N, D], the shorter rows repeated or filled up. Raises EnforceNotMet where that cannot be."""
    if x.dim() != y.dim() or x.shape[:1] != y.shape[:1]:
        raise EnforceNotMet(f"X and Y have as many rows and dimensions each, got {[*x.shape]} and {[*y.shape]}")
    a, b = rows(x), rows(y)
    longest, shortest = max(a.shape[1], b.shape[1]), min(a.shape[1], b.shape[1])
    if not replicate:
        return tuple(torch.nn.functional.pad(t, (0, longest - t.shape[1]), value=pad_value) for t in (a, b))
    if not shortest or longest % shortest:
        raise EnforceNotMet(f"rows of {longest} are no whole number of rows of {shortest}")
    return tuple(t.repeat(1, longest // t.shape[1]) for t in (a, b))


@op("DotProductWithPadding: X Y -> Z", **ROWS)
def dot_product_with_padding(x: Tensor, y: Tensor, *, pad_value: float = 0.0, replicate: bool = False) -> Tensor:
    """The dot products of rows, the shorter ones filled up with pad_value, or repeated with replicate.

    X: (N, D).
    Y: (N, D'), one of D and D' a multiple of the other with replicate.
    pad_value: what shorter rows are filled up with.
    replicate: shorter rows are repeated instead.
    """
    if not x.numel():
        return x.new_zeros(0)
    a, b = _padded(x, y, pad_value, replicate)
    return (a * b).sum(1)


@gradient("DotProductWithPadding")
def _(g: Gradient) -> None:
    args = {"pad_value": float(g.arg("pad_value", 0.0)), "replicate": int(g.arg("replicate", False))}
    g.op("DotProductWithPaddingGradient: X Y dZ -> dX dY", **args)


@op("DotProductWithPaddingGradient: X Y dZ -> dX dY", **SLOPES)
def dot_product_with_padding_gradient(
    x: Tensor, y: Tensor, dz: Tensor, *, pad_value: float = 0.0, replicate: bool = False
) -> tuple[Tensor, Tensor]:
    """dX = Y dZ and dY = X dZ as padded, what lies beyond a row cut off, or added up where it was repeated.

    pad_value, replicate: as in DotProductWithPadding.
    """
    if not x.numel():
        return torch.zeros_like(x), torch.zeros_like(y)
    a, b = _padded(x, y, pad_value, replicate)
    slope = _slope(dz, len(a))

    def folded(grad: Tensor, like: Tensor) -> Tensor:
        width = like[0].numel()
        grad = grad.reshape(len(grad), -1, width).sum(1) if replicate else grad[:, :width]
        return grad.reshape(like.shape).contiguous()

    return folded(b * slope, x), folded(a * slope, y)
