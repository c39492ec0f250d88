"""Normalizations, softmax among them."""

from __future__ import annotations

from math import prod

from caffe2.bridge.onnx.call import Call, Unexportable, exports, settled


@exports("SpatialBN")
def _(c: Call) -> None:
    """By stored statistics; by those of the batch where the running ones are nobody's concern."""
    a, rank = c.args, c.rank()
    last = a.order == "NHWC"
    x = c.first(c.inputs[0], rank, last)
    if a.is_test:
        c.give_ordered(c.add("BatchNormalization", x, *c.inputs[1:5], epsilon=float(a.epsilon)), rank, last)
        return
    if len(c.inputs) > 5:
        raise Unexportable("sums of several batches are for training; set is_test to 1")
    axes = (0, *range(2, rank))
    scale, bias = (c.reshape(name, (-1, *(1,) * (rank - 2))) for name in c.inputs[1:3])
    y = c.add("Add", c.add("Mul", _standard(c, x, axes, a.epsilon), scale), bias)
    c.give_ordered(y, rank, last)


def _standard(c: Call, x: str, axes: tuple[int, ...], epsilon: float) -> str:
    """x with mean 0 and variance 1 over axes."""
    centred = c.add("Sub", x, c.reduce("ReduceMean", x, axes))
    variance = c.reduce("ReduceMean", c.add("Mul", centred, centred), axes)
    return c.add("Div", centred, c.add("Sqrt", c.add("Add", variance, c.number(epsilon))))


@exports("InstanceNorm")
def _(c: Call) -> None:
    rank, last = c.rank(), c.args.order == "NHWC"
    x = c.first(c.inputs[0], rank, last)
    y = c.add("InstanceNormalization", x, *c.inputs[1:], epsilon=float(c.args.epsilon))
    c.give_ordered(y, rank, last)


@exports("GroupNorm")
def _(c: Call) -> None:
    a, rank, last = c.args, c.rank(), c.args.order == "NHWC"
    x = c.first(c.inputs[0], rank, last)
    shape = c.shape() if not last else (c.shape()[0], c.shape()[-1], *c.shape()[1:-1])
    groups = c.reshape(x, (0, a.group, prod(shape[1:]) // a.group))
    back = c.reshape(_standard(c, groups, (2,), a.epsilon), settled(shape, shape))
    gamma, beta = (c.reshape(name, (-1, *(1,) * (rank - 2))) for name in c.inputs[1:])
    c.give_ordered(c.add("Add", c.add("Mul", back, gamma), beta), rank, last)


@exports("LayerNorm")
def _(c: Call) -> None:
    axis = c.args.axis % c.rank()
    y = _standard(c, c.inputs[0], tuple(range(axis, c.rank())), c.args.epsilon)
    if c.args.elementwise_affine:
        gamma, beta = (c.reshape(name, c.shape()[axis:]) for name in c.inputs[1:])
        y = c.add("Add", c.add("Mul", y, gamma), beta)
    c.finish(y)


@exports("LRN")
def _(c: Call) -> None:
    """Runtimes take odd sizes of images alone, and do not tell the scale."""
    a, rank = c.args, c.rank()
    last = a.order == "NHWC"
    x = c.first(c.inputs[0], rank, last)
    if a.size % 2 and rank == 4 and not c.wants(1):
        made = c.add("LRN", x, size=a.size, alpha=float(a.alpha), beta=float(a.beta), bias=float(a.bias))
        c.give_ordered(made, rank, last)
        return
    if last:
        raise Unexportable("a neighbourhood of an even size, or its scale, is written for the order NCHW")
    scale = _neighbourhood(c, x, c.outputs[1:])
    c.give("Div", x, c.add("Pow", scale, c.number(a.beta)))


def _neighbourhood(c: Call, x: str, outputs: list[str]) -> str:
    """bias + alpha times the mean of the squares of the neighbours, a mean over rows of an image of one channel."""
    a, shape = c.args, c.shape()
    image = c.reshape(c.add("Mul", x, x), (0, 1, shape[1], -1))
    head = (a.size - 1) // 2
    sides = c.ints(0, 0, head, 0, 0, 0, a.size - 1 - head, 0)
    means = c.add("AveragePool", c.add("Pad", image, sides, c.number(0)), kernel_shape=(a.size, 1))
    means = c.reshape(means, settled(shape, shape))
    return c.add("Add", c.add("Mul", means, c.number(a.alpha)), c.number(a.bias), outputs=outputs)


@exports("Softmax")
def _(c: Call) -> None:
    """Along all axes from one on together."""
    shape, axis = c.shape(), c.args.axis % c.rank()
    if all(n == 1 for n in shape[axis + 1 :]):
        c.give("Softmax", c.inputs[0], axis=axis)
    else:
        rows = c.add("Softmax", c.add("Flatten", c.inputs[0], axis=axis), axis=1)
        c.reshape(rows, settled(shape, shape), c.outputs[0])


@exports("Normalize")
def _(c: Call) -> None:
    norm = c.reduce("ReduceL2", c.inputs[0], (c.args.axis % c.rank(),))
    c.give("Div", c.inputs[0], c.add("Max", norm, c.number(1e-12)))


@exports("NormalizeL1")
def _(c: Call) -> None:
    """0 where all of a vector is."""
    x = c.inputs[0]
    total = c.reduce("ReduceL1", x, (c.args.axis % c.rank(),))
    c.give("Div", x, c.add("Where", c.add("Greater", total, c.number(0)), total, c.constant(1, c.dtype())))
