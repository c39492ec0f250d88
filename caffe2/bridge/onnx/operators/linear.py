"""Products of matrices."""

from __future__ import annotations

from math import prod

from caffe2.bridge.onnx.call import Call, exports


def matrix(c: Call, k: int, axis: int) -> str:
    """Input k as a matrix, cut in two at an axis."""
    shape, axis = c.shape(k), axis % c.rank(k)
    if len(shape) == 2 and axis == 1:
        return c.inputs[k]
    if c.inputs[k] in c.known:
        return c.reshape(c.inputs[k], (prod(shape[:axis]), prod(shape[axis:])))
    return c.add("Flatten", c.inputs[k], axis=axis)


@exports("FC", "FCTransposed")
def _(c: Call) -> None:
    """The dimensions before the axis stay open."""
    axis, rows = c.args.axis % c.rank(), c.op.type == "FC"
    w = matrix(c, 1, c.args.axis_w)
    if axis == 1:
        c.give("Gemm", matrix(c, 0, axis), w, *c.inputs[2:], transB=int(rows))
        return
    x = c.inputs[0] if axis == c.rank() - 1 else c.reshape(c.inputs[0], (*(0,) * axis, prod(c.shape()[axis:])))
    c.give("Add", c.add("MatMul", x, c.transpose(w, (1, 0)) if rows else w), c.inputs[2])


@exports("MatMul")
def _(c: Call) -> None:
    a = c.args
    left, right = matrix(c, 0, a.axis_a), matrix(c, 1, a.axis_b)
    like = len(c.inputs) > 2
    flags = {"transA": int(a.trans_a), "transB": int(a.trans_b)}
    y = c.add("Gemm", left, right, outputs=[] if like else c.outputs, **flags)
    if like:
        c.reshape(y, c.shape(2), c.outputs[0])


@exports("BatchMatMul")
def _(c: Call) -> None:
    left, right = (_turned(c, k, on) for k, on in enumerate((c.args.trans_a, c.args.trans_b)))
    if c.rank(0) == c.rank(1) == 1:
        c.reshape(c.add("MatMul", left, right), (1,), c.outputs[0])
    else:
        c.give("MatMul", left, right)


def _turned(c: Call, k: int, on: bool) -> str:
    rank = c.rank(k)
    return c.transpose(c.inputs[k], (*range(rank - 2), rank - 1, rank - 2)) if on and rank > 1 else c.inputs[k]
