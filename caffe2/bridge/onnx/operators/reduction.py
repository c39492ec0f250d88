"""Reductions over axes, and where the extremes stand."""

from __future__ import annotations

from math import prod

from caffe2.bridge.onnx.call import Call, Unexportable, exports

AXES = {f"Reduce{name}": f"Reduce{name}" for name in ("L1", "L2", "Max", "Mean", "Min", "Sum")}
FRONT_BACK = {f"Reduce{end}{name}": f"Reduce{name}" for end in ("Front", "Back") for name in ("Max", "Mean", "Sum")}


@exports(*AXES)
def _(c: Call) -> None:
    axes = tuple(a % c.rank() for a in c.args.axes) or tuple(range(c.rank()))
    c.reduce(AXES[c.op.type], c.inputs[0], axes, bool(c.args.keepdims), c.outputs[0])


@exports(*FRONT_BACK)
def _(c: Call) -> None:
    if len(c.inputs) > 1:
        raise Unexportable("reductions of a part of each row have no form in ONNX; leave the lengths out")
    count, rank = c.args.num_reduce_dim, c.rank()
    axes = tuple(range(count) if "Front" in c.op.type else range(rank - count, rank))
    c.reduce(FRONT_BACK[c.op.type], c.inputs[0], axes, False, c.outputs[0])


@exports("SumElements", "SumSqrElements")
def _(c: Call) -> None:
    x = c.inputs[0]
    x = c.add("Mul", x, x) if c.op.type == "SumSqrElements" else x
    kind = "ReduceMean" if c.args.average else "ReduceSum"
    c.reduce(kind, x, tuple(range(c.rank())), False, c.outputs[0])


@exports("ColwiseMax", "RowwiseMax")
def _(c: Call) -> None:
    """Of a stack of matrices [B, M, N]."""
    c.reduce("ReduceMax", c.inputs[0], (1 if c.op.type == "ColwiseMax" else 2,), False, c.outputs[0])


@exports("ArgMax", "ArgMin")
def _(c: Call) -> None:
    a = c.args
    c.give(c.op.type, c.inputs[0], axis=a.axis % c.rank(), keepdims=int(a.keepdims))


@exports("TopK")
def _(c: Call) -> None:
    """The places within the whole tensor, the third output, are not written."""
    k = int(c.value(1).reshape(())) if len(c.inputs) > 1 else c.args.k
    axis = c.args.axis % c.rank()
    if k > c.shape()[axis]:
        raise Unexportable(f"k is {k}, and there are {c.shape()[axis]} elements; ONNX fills nothing up")
    outputs = [*c.outputs[:2], *([c.graph.fresh(c.outputs[0])] if not c.wants(1) else [])]
    c.add("TopK", c.inputs[0], c.ints(k), outputs=outputs, axis=axis)


@exports("DotProduct", "SquaredL2Distance", "L1Distance")
def _(c: Call) -> None:
    """Row by row."""
    rows = _rows(c)
    if c.op.type == "DotProduct":
        c.reduce("ReduceSum", c.add("Mul", *rows), (1,), False, c.outputs[0])
        return
    apart = c.add("Sub", *rows)
    if c.op.type == "L1Distance":
        c.reduce("ReduceL1", apart, (1,), False, c.outputs[0])
    else:
        c.give("Mul", c.reduce("ReduceSumSquare", apart, (1,), False), c.number(0.5))


@exports("CosineSimilarity")
def _(c: Call) -> None:
    """Norms below 1e-6 count as that."""
    rows = _rows(c)
    product = c.reduce("ReduceSum", c.add("Mul", *rows), (1,), False)
    norms = [c.add("Max", c.reduce("ReduceL2", x, (1,), False), c.number(1e-6)) for x in rows]
    c.give("Div", product, c.add("Mul", *norms))


def _rows(c: Call) -> list[str]:
    """Both inputs as matrices of as many rows as their first dimension has."""
    if c.shape(0) != c.shape(1) or not prod(c.shape(0)):
        raise Unexportable("rows of different lengths, or of none, have no form in ONNX")
    return [c.reshape(x, (0, -1)) if c.rank() > 1 else c.reshape(x, (-1, 1)) for x in c.inputs]
