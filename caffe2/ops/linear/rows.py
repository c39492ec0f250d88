"""Products with a row or a column of weights, and the sums that go with them."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Gradient, gradient, op
from caffe2.ops.linear.fully_connected import matrix


def weights_fit(x: Tensor, axis: int, **weights: Tensor) -> Tensor:
    """X as a matrix at `axis`. Raises EnforceNotMet unless each of the weights is a vector as long as its rows."""
    rows = matrix(x, axis, "X")
    for name, w in weights.items():
        if w.dim() != 1 or w.shape[0] != rows.shape[1]:
            raise EnforceNotMet(f"{name}{list(w.shape)} is a vector of {rows.shape[1]}, as long as the rows of X")
    return rows


@op(
    "ElementwiseLinear: X w b -> Y",
    types="X=w=b: floating",
    like="X",
    gradient="ElementwiseLinearGradient: dY X w -> dX dw db",
)
def elementwise_linear(x: Tensor, w: Tensor, b: Tensor, *, axis: int = 1) -> Tensor:
    """Y[n, d] = X[n, d] * w[d] + b[d].

    X: made a matrix (N, D) by joining the dimensions before `axis`, and those from it on.
    w, b: (D).
    Y: of the shape of X.
    """
    rows = weights_fit(x, axis, w=w, b=b)
    return torch.addcmul(b, rows, w).reshape(x.shape)


@op("ElementwiseLinearGradient: dY X w -> dX dw db", types="dY=X=w: floating", same="dY X", like="X w w")
def elementwise_linear_gradient(dy: Tensor, x: Tensor, w: Tensor, *, axis: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """dX = dY * w, dw and db the sums over n of dY[n] * X[n] and of dY[n]."""
    rows, slope = weights_fit(x, axis, w=w), matrix(dy, axis, "dY")
    return (slope * w).reshape(x.shape), (slope * rows).sum(0), slope.sum(0)


@op("RowMul: mat w -> output", types="mat=w: floating", like="mat")
def row_mul(mat: Tensor, w: Tensor) -> Tensor:
    """Row i of mat times w[i].

    mat: (N, ...).
    w: N elements.
    output: of the shape of mat.
    """
    if mat.dim() == 0 or w.numel() != mat.shape[0]:
        raise EnforceNotMet(f"w has one element for each row of mat{list(mat.shape)}, not {w.numel()}")
    return mat * w.reshape((-1,) + (1,) * (mat.dim() - 1))


@gradient("RowMul")
def _(g: Gradient) -> None:
    mat, w, dy = g.inputs["mat"], g.inputs["w"], g.blob("doutput")
    dmat, dw = g.grad_name("mat"), g.grad_name("w")
    g.add("RowMul", [dy, w], [dmat]).set("mat", dmat)
    g.add("Mul", [dy, mat], [f"{dw}before_aggregate"])
    g.add("ReduceTailSum", [f"{dw}before_aggregate"], [dw]).set("w", dw)


@op("ReduceTailSum: mat -> output", types="mat: floating")
def reduce_tail_sum(mat: Tensor) -> Tensor:
    """output[i] = the sum of all elements of mat[i].

    mat: (N, ...).
    output: (N).
    """
    if mat.dim() == 0:
        raise EnforceNotMet("mat has at least one dimension")
    return matrix(mat, 1, "mat").sum(1) if mat.dim() > 1 else mat.clone()
