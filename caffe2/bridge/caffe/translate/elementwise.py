"""Layers that combine blobs or parameters: Eltwise, Scale, Bias, Reduction, Axpy."""

from __future__ import annotations

from caffe2.bridge.caffe.layers import Layer
from caffe2.bridge.caffe.translate.builder import Builder, translates
from caffe2.bridge.caffe.translate.neuron import scaled


@translates("Eltwise")
def _(layer: Layer, b: Builder) -> None:
    """In place, Caffe's sum clears its first bottom before it adds it."""
    p, (top,) = layer.param, layer.tops
    if p.operation == p.PROD:
        _chain(b, "Mul", layer.bottoms, top)
    elif p.operation == p.MAX:
        b.op("Max", layer.bottoms, top)
    else:
        terms = list(zip(layer.bottoms, p.coeff or (1.0,) * len(layer.bottoms)))[layer.reference.overwrites :]
        if any(c != 1 for _, c in terms):
            b.op("WeightedSum", [n for x, c in terms for n in (x, b.constant(c))], top)
        else:
            b.op("Sum", [x for x, _ in terms], top)


def _chain(b: Builder, kind: str, xs: tuple[str, ...], top: str) -> None:
    found = xs[0]
    for x in xs[1:-1]:
        found = b.op(kind, [found, x])
    b.op(kind, [found, xs[-1]], top)


@translates("Scale", "Bias")
def _(layer: Layer, b: Builder) -> None:
    """Multiply by, or add, a blob that covers the axes from one on; the blob is the second bottom or a parameter."""
    p, shape, (top,) = layer.param, layer.bottom_shapes[0], layer.tops
    learned = len(layer.bottoms) == 1
    other = b.param(layer, 0, "w" if layer.type == "Scale" else "b") if learned else layer.bottoms[1]
    covered = layer.params[0].shape if learned else layer.bottom_shapes[1]
    axis = p.axis % len(shape) if covered else 0
    kind = "Mul" if layer.type == "Scale" else "Add"
    bias = b.param(layer, len(layer.params) - 1, "b") if layer.type == "Scale" and p.bias_term else None
    made = _spread(b, kind, layer.bottoms[0], other, covered, axis, len(shape), "" if bias else top)
    if bias:
        _spread(b, "Add", made, bias, covered, axis, len(shape), top)


def _spread(b: Builder, kind: str, x: str, y: str, covered: tuple, axis: int, rank: int, top: str) -> str:
    if len(covered) == rank:
        return b.op(kind, [x, y], top)
    return b.op(kind, [x, y], top, broadcast=1, **({"axis": axis} if covered else {}))


@translates("Reduction")
def _(layer: Layer, b: Builder) -> None:
    p, (shape,), (x,), (top,) = layer.param, layer.bottom_shapes, layer.bottoms, layer.tops
    axis = p.axis % max(len(shape), 1)
    axes = tuple(range(axis, len(shape)))
    if p.operation == p.ASUM:
        x = b.op("Abs", x)
    elif p.operation == p.SUMSQ:
        x = b.op("Sqr", x)
    kind = "ReduceMean" if p.operation == p.MEAN else "ReduceSum"
    found = b.op(kind, x, "" if p.coeff != 1 else top, axes=axes, keepdims=0)
    if p.coeff != 1:
        scaled(b, found, p.coeff, top=top)


@translates("Axpy")
def _(layer: Layer, b: Builder) -> None:
    """a[n, c] x[n, c] + y, the first bottom one number a plane."""
    (weight, x, y), (n, c, *_) = layer.bottoms, layer.bottom_shapes[1]
    factors = b.op("Reshape", weight, ["", ""], shape=(n, c, *(1,) * (len(layer.bottom_shapes[1]) - 2)))
    b.op("Add", [b.op("Mul", [x, factors]), y], layer.tops[0])
