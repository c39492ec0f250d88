"""Products of matrices, and of stacks of them."""

from __future__ import annotations

from torch import Tensor

from caffe2.opdef import EnforceNotMet, Gradient, gradient, op
from caffe2.ops import demand
from caffe2.ops.linear.fully_connected import matrix


@op("MatMul: A B like? -> Y", types="A B: floating")
def matmul(
    a: Tensor,
    b: Tensor,
    like: Tensor | None = None,
    *,
    axis_a: int = 1,
    axis_b: int = 1,
    trans_a: bool = False,
    trans_b: bool = False,
) -> Tensor:
    """The product of two matrices: Y = A B.

    A, B: made matrices by joining the dimensions before axis_a, or axis_b, and those from it on.
    like: a tensor whose shape Y takes; the gradient needs it.
    Y: (M, N).
    trans_a, trans_b: the matrix A, or B, is transposed first.
    """
    rows = like is not None and not trans_a and axis_a == a.dim() - 1
    left, right = a if rows else matrix(a, axis_a, "A"), matrix(b, axis_b, "B")
    left, right = left.t() if trans_a else left, right.t() if trans_b else right
    if left.shape[-1] != right.shape[0]:
        raise EnforceNotMet(f"A as a matrix is {[*left.shape]}, which does not go with B as {[*right.shape]}")
    y = left @ right
    return y if like is None else y.view(like.shape)


@gradient("MatMul")
def _(g: Gradient) -> None:
    """Each factor's gradient is a product of dY and the other factor, the right way round and transposed."""
    at_a, at_b = g.arg("axis_a", 1), g.arg("axis_b", 1)
    trans_a, trans_b = bool(g.arg("trans_a", False)), bool(g.arg("trans_b", False))
    if trans_a:
        g.op("MatMul: B dY A -> dA", copy=False, **_flags(trans_b, True), axis_a=at_b)
    else:
        g.op("MatMul: dY B A -> dA", copy=False, **_flags(False, not trans_b), axis_b=at_b)
    if trans_b:
        g.op("MatMul: dY A B -> dB", copy=False, **_flags(True, trans_a), axis_b=at_a)
    else:
        g.op("MatMul: A dY B -> dB", copy=False, **_flags(not trans_a, False), axis_a=at_a)


def _flags(trans_a: bool, trans_b: bool) -> dict[str, int]:
    return {name: 1 for name, on in (("trans_a", trans_a), ("trans_b", trans_b)) if on}


@op("BatchMatMul: A B -> Y", types="A B: floating", engines="TENSORCORE")
def batch_matmul(
    a: Tensor,
    b: Tensor,
    *,
    trans_a: bool = False,
    trans_b: bool = False,
    broadcast: bool = False,
    use_scratch: bool = False,
) -> Tensor:
    """Y[..., :, :] = A[..., :, :] B[..., :, :].

    A vector A is a row, B a column, and leaves no dimension in Y; of two vectors Y is the product, (1).

    A: (..., M, K); (..., K, M) with trans_a.
    B: (..., K, N); (..., N, K) with trans_b.
    Y: (..., M, N).
    trans_a, trans_b: the last two dimensions of A, or B, are transposed first.
    broadcast: the dimensions before the last two broadcast as NumPy's matmul does; otherwise they are alike.
    use_scratch: accepted and ignored.
    """
    demand.least_rank(a, 1, "A")
    demand.least_rank(b, 1, "B")
    if not broadcast and a.shape[:-2] != b.shape[:-2] and min(a.dim(), b.dim()) > 1:
        _demand_batches(a, b)
    left = a.mT if trans_a and a.dim() > 1 else a
    right = b.mT if trans_b and b.dim() > 1 else b
    if left.shape[-1] != right.shape[-2 if right.dim() > 1 else 0]:
        raise EnforceNotMet(f"A as {[*left.shape]} does not go with B as {[*right.shape]}")
    y = left @ right
    return y if y.dim() else y.view(1)


def _demand_batches(a: Tensor, b: Tensor) -> None:
    """Raise EnforceNotMet unless the dimensions before the last two agree, leading ones apart."""
    least = max(a.dim(), b.dim()) - 2
    of_a, of_b = ((1,) * (least + 2 - x.dim()) + x.shape[:-2] for x in (a, b))
    if of_a != of_b:
        raise EnforceNotMet(f"A {[*a.shape]} and B {[*b.shape]} differ in more than the last two: set broadcast=1")


@gradient("BatchMatMul")
def _(g: Gradient) -> None:
    if g.arg("broadcast", False):
        raise EnforceNotMet("BatchMatMul: there is no gradient through it with broadcast")
    trans_a, trans_b = bool(g.arg("trans_a", False)), bool(g.arg("trans_b", False))
    kept = {"use_scratch": 1} if "use_scratch" in g.args else {}
    if trans_a:
        g.op("BatchMatMul: B dY -> dA", copy=False, **_flags(trans_b, True), **kept)
    else:
        g.op("BatchMatMul: dY B -> dA", copy=False, **_flags(False, not trans_b), **kept)
    if trans_b:
        g.op("BatchMatMul: dY A -> dB", copy=False, **_flags(True, trans_a), **kept)
    else:
        g.op("BatchMatMul: A dY -> dB", copy=False, **_flags(not trans_a, False), **kept)
