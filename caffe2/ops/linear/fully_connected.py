"""Fully connected layers: Y = X W^T + b and its gradient."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.opdef import EnforceNotMet, op
from caffe2.ops.native import Kernel

ENGINES = "TENSORCORE FAKE_FP16 FAKE_BFP_16 FAKE_BFP_16_ROUND FAKE_BFP_24 FAKE_BFP_14"
TYPES = "X W b: floating"
FEW_ROWS = Kernel("linear", "few_rows", "pppp qqq")
FEW, LARGE = 4, 1 << 16
"""The most rows of X and the least elements of W for which the compiled kernel is the faster one."""


def matrix(x: Tensor, axis: int, name: str) -> Tensor:
    """x as a matrix, cut in two at an axis. Raises EnforceNotMet where x has no such axis."""
    if axis == 1 and x.dim() == 2:
        return x
    if not -x.dim() <= axis < x.dim():
        raise EnforceNotMet(f"{name} {[*x.shape]} has no axis {axis}")
    cut = axis % x.dim()
    return x.reshape(x.shape[:cut].numel(), x.shape[cut:].numel())


def _demand_fit(x: Tensor, w: Tensor, b: Tensor | None, rows: int) -> None:
    """rows: which dimension of the matrix w the outputs are counted along."""
    if x.shape[-1] != w.shape[1 - rows] or (b is not None and (b.dim() != 1 or len(b) != w.shape[rows])):
        bias = "" if b is None else f" and b {[*b.shape]}"
        raise EnforceNotMet(f"X as [M, K] is {[*x.shape]}, which does not go with W as {[*w.shape]}{bias}")


def _product(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """X W^T + b; of few rows by a compiled kernel, as fast as memory gives W."""
    few = w.numel() >= LARGE and 0 < x.numel() <= FEW * w.shape[1]
    if few and x.dtype == w.dtype == b.dtype == torch.float32 and FEW_ROWS.serves(x, w, b):
        y = x.new_empty(*x.shape[:-1], w.shape[0])
        FEW_ROWS(x, w, b, y, x.numel() // w.shape[1], *w.shape)
        return y
    return F.linear(x, w, b)


def _shape(rows: int) -> Callable[..., Tensor]:
    """The shape inference of a layer whose outputs are counted along a dimension of the matrix W."""

    def shape(x: Tensor, w: Tensor, b: Tensor, *, axis: int = 1, axis_w: int = 1) -> Tensor:
        weight = matrix(w, axis_w, "W")
        _demand_fit(matrix(x, axis, "X"), weight, b, rows)
        return x.new_empty(*x.shape[: axis % x.dim()], weight.shape[rows])

    return shape


@op(
    "FC: X W b -> Y",
    gradient="FCGradient: X W dY -> dW db dX",
    shape=_shape(0),
    types=TYPES,
    engines=ENGINES,
)
def fc(x: Tensor, w: Tensor, b: Tensor, *, axis: int = 1, axis_w: int = 1, float16_compute: bool = False) -> Tensor:
    """A fully connected layer: Y = X W^T + b.

    X: made a matrix (M, K) by joining the dimensions before `axis`, and those from it on.
    W: made a matrix (N, K) at axis_w.
    b: (N).
    Y: the dimensions of X before axis, then N.
    """
    rows = x if axis == x.dim() - 1 else matrix(x, axis, "X")
    weight = matrix(w, axis_w, "W")
    _demand_fit(rows, weight, b, 0)
    y = _product(rows, weight, b)
    return y if rows is x else y.view(*x.shape[: axis % x.dim()], y.shape[1])


@op("FCGradient: X W dY -> dW db dX?", types="X W dY: floating", engines=ENGINES)
def fc_gradient(
    x: Tensor, w: Tensor, dy: Tensor, *, axis: int = 1, axis_w: int = 1, float16_compute: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """dW = dY^T X, db = the sum of dY over its rows, dX = dY W."""
    rows, weight = matrix(x, axis, "X"), matrix(w, axis_w, "W")
    _demand_fit(rows, weight, None, 0)
    slope = dy.reshape(len(rows), len(weight))
    return (slope.t() @ rows).view(w.shape), slope.sum(0), (slope @ weight).view(x.shape)


@op(
    "FCTransposed: X W b -> Y",
    gradient="FCTransposedGradient: X W dY -> dW db dX",
    shape=_shape(1),
    types=TYPES,
    engines=ENGINES,
)
def fc_transposed(x: Tensor, w: Tensor, b: Tensor, *, axis: int = 1, axis_w: int = 1) -> Tensor:
    """A fully connected layer with transposed weights: Y = X W + b.

    X: made a matrix (M, K) by joining the dimensions before `axis`, and those from it on.
    W: made a matrix (K, N) at axis_w.
    b: (N).
    Y: the dimensions of X before axis, then N.
    """
    rows, weight = matrix(x, axis, "X"), matrix(w, axis_w, "W")
    _demand_fit(rows, weight, b, 1)
    y = torch.addmm(b, rows, weight)
    return y if rows is x else y.view(*x.shape[: axis % x.dim()], y.shape[1])


@op("FCTransposedGradient: X W dY -> dW db dX?", types="X W dY: floating", engines=ENGINES)
def fc_transposed_gradient(
    x: Tensor, w: Tensor, dy: Tensor, *, axis: int = 1, axis_w: int = 1
) -> tuple[Tensor, Tensor, Tensor]:
    """dW = X^T dY, db = the sum of dY over its rows, dX = dY W^T."""
    rows, weight = matrix(x, axis, "X"), matrix(w, axis_w, "W")
    _demand_fit(rows, weight, None, 1)
    slope = dy.reshape(len(rows), weight.shape[1])
    return (rows.t() @ slope).view(w.shape), slope.sum(0), (slope @ weight.t()).view(x.shape)
