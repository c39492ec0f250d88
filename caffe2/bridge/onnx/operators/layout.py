"""Operators that move elements without changing them: other shapes, other orders, slices, copies side by side."""

from __future__ import annotations

import numpy as np

from caffe2.bridge.onnx.call import END, Call, Unexportable, exports, settled
from caffe2.bridge.onnx.operators.convolution import padded


@exports("Reshape")
def _(c: Call) -> None:
    """The shape that was is told where it is asked for."""
    if len(c.inputs) == 1:
        wanted = c.args.shape
    else:
        wanted = c.known.get(c.inputs[1])
    if wanted is None:
        c.give("Reshape", c.inputs[0], c.add("Cast", c.inputs[1], to=np.dtype(np.int64)))
    else:
        _reshaped(c, tuple(map(int, wanted)))
    kind = np.dtype(np.int64) if len(c.inputs) == 1 else c.dtype(1)
    if c.wants(1):
        c.add("Cast", c.add("Shape", c.inputs[0]), outputs=[c.outputs[1]], to=kind)


def _reshaped(c: Call, wanted: tuple[int, ...]) -> None:
    """Of an empty tensor 0 means 0 here, and the dimension that stays in ONNX."""
    if 0 in c.shape() or not c.rank():
        wanted = tuple(c.result().shape)
        c.give("Reshape", c.inputs[0], c.ints(*wanted), **_literal(c))
    else:
        c.reshape(c.inputs[0], wanted, c.outputs[0])


@exports("Flatten")
def _(c: Call) -> None:
    c.give("Flatten", c.inputs[0], axis=c.args.axis)


@exports("FlattenToVec")
def _(c: Call) -> None:
    c.reshape(c.inputs[0], (-1,), c.outputs[0])


@exports("MergeDim", "PrependDim")
def _(c: Call) -> None:
    c.give("Reshape", c.inputs[0], c.ints(*c.result().shape), **_literal(c))


def _literal(c: Call) -> dict[str, int]:
    """The attribute that says that 0 means 0."""
    if c.graph.opset < 14 and 0 in c.result().shape:
        raise Unexportable("empty tensors are reshaped from opset 14 on")
    return {"allowzero": 1} if c.graph.opset >= 14 else {}


@exports("ResizeLike")
def _(c: Call) -> None:
    c.give("Reshape", c.inputs[0], c.add("Shape", c.inputs[1]), **_literal(c))


@exports("Squeeze")
def _(c: Call) -> None:
    c.give("Squeeze", c.inputs[0], c.ints(*c.body().dims))


@exports("ExpandDims")
def _(c: Call) -> None:
    c.give("Unsqueeze", c.inputs[0], c.ints(*c.body().dims))


@exports("Transpose")
def _(c: Call) -> None:
    axes = tuple(c.args.axes) or tuple(reversed(range(c.rank())))
    c.give("Transpose", c.inputs[0], perm=axes)


@exports("NCHW2NHWC")
def _(c: Call) -> None:
    c.give("Transpose", c.inputs[0], perm=(0, *range(2, c.rank()), 1))


@exports("NHWC2NCHW")
def _(c: Call) -> None:
    c.give("Transpose", c.inputs[0], perm=(0, c.rank() - 1, *range(1, c.rank() - 1)))


@exports("Slice")
def _(c: Call) -> None:
    """Bounds below 0 count from one past the end."""
    blobs = len(c.inputs) > 2
    starts, ends = (c.value(1), c.value(2)) if blobs else (c.args.starts, c.args.ends)
    shape = c.shape() if min((0, *starts, *(e + 1 for e in ends))) < 0 else (0,) * len(ends)
    first = [int(b) + n + 1 if b < 0 else int(b) for b, n in zip(starts, shape)]
    last = [END if b == -1 else int(b) + n + 1 if b < 0 else int(b) for b, n in zip(ends, shape)]
    kept = [k for k, (a, b) in enumerate(zip(first, last)) if (a, b) != (0, END)]
    if not kept:
        c.give("Identity", c.inputs[0])
        return
    c.give("Slice", c.inputs[0], c.ints(*(first[k] for k in kept)), c.ints(*(last[k] for k in kept)), c.ints(*kept))


@exports("Tile")
def _(c: Call) -> None:
    tiles = int(c.value(1).reshape(())) if len(c.inputs) > 1 else c.args.tiles
    axis = int(c.value(2).reshape(())) if len(c.inputs) > 2 else c.args.axis or 0
    c.give("Tile", c.inputs[0], c.ints(*(tiles if k == axis % c.rank() else 1 for k in range(c.rank()))))


@exports("Expand")
def _(c: Call) -> None:
    """A dimension of -1 stays, which 1 says too."""
    wanted = c.add("Cast", c.inputs[1], to=np.dtype(np.int64))
    c.give("Expand", c.inputs[0], c.add("Max", wanted, c.constant(1, np.int64)))


@exports("Shape")
def _(c: Call) -> None:
    shape = c.add("Shape", c.inputs[0], outputs=[] if c.args.axes else c.outputs)
    if c.args.axes:
        c.give("Gather", shape, c.ints(*c.args.axes))


@exports("Size")
def _(c: Call) -> None:
    c.give("Size", c.inputs[0])


@exports("ConstantFill")
def _(c: Call) -> None:
    """In the shape of the input; others are known beforehand."""
    if len(c.inputs) != 1 or c.args.input_as_shape:
        raise Unexportable("it fills a shape, or with a value, that another operator works out; give it as an argument")
    value = np.asarray(0 if c.args.value is None else _number(c), c.result_type())
    shape = c.add("Shape", c.inputs[0])
    if c.args.extra_shape:
        shape = c.add("Concat", shape, c.ints(*c.args.extra_shape), axis=0)
    c.give("ConstantOfShape", shape, value=value.reshape(1))


def _number(c: Call) -> float | int:
    message = next(a for a in c.op.arg if a.name == "value")
    return message.f if message.HasField("f") else message.i


@exports("PadImage")
def _(c: Call) -> None:
    body = c.body()
    (top, bottom), (left, right) = body.sides
    rank_first = body.first_axis == 2
    x = c.first(c.inputs[0], 4, not rank_first)
    if body.mode == "constant":
        y = padded(c, x, 4, (top, left), (bottom, right), body.value)
    else:
        y = c.add("Pad", x, c.ints(0, 0, top, left, 0, 0, bottom, right), mode=body.mode)
    c.give_ordered(y, 4, not rank_first)


@exports("CaffePad")
def _(c: Call) -> None:
    pad = tuple(c.args.pad)
    c.finish(padded(c, c.inputs[0], c.rank(), pad, pad))


@exports("ChannelShuffle")
def _(c: Call) -> None:
    """Groups of K channels become K groups."""
    group, rank, shape = c.args.group, c.rank(), c.shape()
    at = 1 if c.args.order == "NCHW" else rank - 1
    groups = c.reshape(c.inputs[0], settled(shape, (*shape[:at], group, shape[at] // group, *shape[at + 1 :])))
    turned = c.transpose(groups, (*range(at), at + 1, at, *range(at + 2, rank + 1)))
    c.reshape(turned, settled(shape, shape), c.outputs[0])
