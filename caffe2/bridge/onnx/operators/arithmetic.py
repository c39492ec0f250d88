"""Operators that combine blobs element by element: Caffe2's two ways to broadcast, sums and extremes of many."""

from __future__ import annotations

from caffe2.bridge.onnx.call import Call, Unexportable, exporters, exports
from caffe2.ops.broadcast import first_dimension

BINARY = {
    "Add": "Add",
    "And": "And",
    "Div": "Div",
    "EQ": "Equal",
    "GE": "GreaterOrEqual",
    "GT": "Greater",
    "LE": "LessOrEqual",
    "LT": "Less",
    "Mul": "Mul",
    "Or": "Or",
    "Pow": "Pow",
    "Sub": "Sub",
    "Xor": "Xor",
}
NARY = {"Max": "Max", "Mean": "Mean", "Min": "Min", "Sum": "Sum"}


def aligned(c: Call) -> str:
    """The second input, shaped so that NumPy's rules broadcast it against the first as the arguments say."""
    a = c.args
    if not a.broadcast:
        return c.inputs[1]
    if c.meta(1).numel() == 1:
        return c.reshape(c.inputs[1], ()) if c.rank(1) > c.rank(0) else c.inputs[1]
    first = first_dimension(c.meta(0), c.meta(1), a.axis, a.axis_str, a.order)
    behind = c.rank(0) - c.rank(1) - first
    return c.reshape(c.inputs[1], (*c.shape(1), *(1,) * behind)) if behind else c.inputs[1]


def _binary(c: Call) -> None:
    if c.op.type in ("GE", "GT", "LE", "LT") and c.dtype().kind == "b":
        raise Unexportable("ONNX does not order truth values; cast them to int32")
    c.give(BINARY[c.op.type], c.inputs[0], aligned(c))


for _type in BINARY.keys() - {"Pow"}:
    exporters[_type] = _binary


@exports("Pow")
def _(c: Call) -> None:
    """The exponent is an argument, or the second input."""
    if len(c.inputs) == 1:
        c.give("Pow", c.inputs[0], c.number(c.args.exponent))
    else:
        _binary(c)


@exports("NE")
def _(c: Call) -> None:
    c.give("Not", c.add("Equal", c.inputs[0], aligned(c)))


@exports(*NARY)
def _(c: Call) -> None:
    """ONNX adds floats alone in its operators of many blobs."""
    if c.dtype().kind == "f" or c.op.type != "Sum" or len(c.inputs) == 1:
        c.give(NARY[c.op.type] if len(c.inputs) > 1 else "Identity", *c.inputs)
        return
    total = c.inputs[0]
    for x in c.inputs[1:-1]:
        total = c.add("Add", total, x)
    c.give("Add", total, c.inputs[-1])


@exports("WeightedSum")
def _(c: Call) -> None:
    """A weight is a vector of one number; as a scalar it leaves the shape of what it multiplies."""
    terms = [_weighted(c, k) for k in range(0, len(c.inputs), 2)]
    c.give("Sum" if len(terms) > 1 else "Identity", *terms)


def _weighted(c: Call, k: int) -> str:
    x, weight = c.inputs[k : k + 2]
    if weight in c.known and float(c.known[weight].reshape(())) == 1:
        return x
    return c.add("Mul", x, c.reshape(weight, ()))


@exports("Where", "Conditional")
def _(c: Call) -> None:
    """The condition is an element's own, or that of its row."""
    rows = c.op.type == "Conditional" or c.args.broadcast_on_rows
    condition = c.reshape(c.inputs[0], (-1, *(1,) * (c.rank(1) - 1))) if rows and c.rank(1) > 1 else c.inputs[0]
    c.give("Where", condition, *c.inputs[1:])


@exports("RowMul")
def _(c: Call) -> None:
    c.give("Mul", c.inputs[0], c.reshape(c.inputs[1], (-1, *(1,) * (c.rank() - 1))))


@exports("ElementwiseLinear")
def _(c: Call) -> None:
    """Weights and biases cover the axes from one on."""
    covered = c.shape()[c.args.axis % c.rank() :]
    w, b = (c.reshape(name, covered) for name in c.inputs[1:])
    c.give("Add", c.add("Mul", c.inputs[0], w), b)


@exports("AffineChannel")
def _(c: Call) -> None:
    behind = 0 if c.args.order == "NHWC" else c.rank() - 2
    scale, bias = (c.reshape(name, (-1, *(1,) * behind)) for name in c.inputs[1:])
    c.give("Add", c.add("Mul", c.inputs[0], scale), bias)
