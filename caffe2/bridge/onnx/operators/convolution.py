"""Convolutions, their transposes, and patches as rows; images with channels last are turned around."""

from __future__ import annotations

import numpy as np

from caffe2.bridge.onnx.call import Call, Unexportable, exports
from caffe2.ops.window import Frame


def padded(c: Call, x: str, rank: int, head: tuple[int, ...], tail: tuple[int, ...], value: float = 0.0) -> str:
    """x, its last axes padded with a number; negative ones crop."""
    lead = (0,) * (rank - len(head))
    return c.add("Pad", x, c.ints(*lead, *head, *lead, *tail), c.number(value), mode="constant")


def windows(frame: Frame) -> dict[str, tuple[int, ...]]:
    """A window as ONNX's attributes."""
    return {
        "kernel_shape": frame.kernel,
        "strides": frame.stride,
        "dilations": frame.dilation,
        "pads": (*frame.head, *frame.tail),
    }


@exports("Conv", "Conv1D", "Conv2D", "Conv3D")
def _(c: Call) -> None:
    body, rank = c.body(), c.rank()
    frame = body.frame(c.meta())
    x, w = (c.first(name, rank, body.last) for name in c.inputs[:2])
    if min(frame.head + frame.tail) < 0:
        x = padded(c, x, rank, frame.head, frame.tail)
        frame = frame._replace(head=(0,) * len(frame.head), tail=(0,) * len(frame.tail))
    y = c.add("Conv", x, w, *c.inputs[2:], group=body.group, **windows(frame))
    c.give_ordered(y, rank, body.last)


@exports("ConvTranspose")
def _(c: Call) -> None:
    body = c.body()
    frame, adj = body.settled, body.adjusted
    x, w = (c.first(name, 4, body.last) for name in c.inputs[:2])
    if any(a >= s for a, s in zip(adj, frame.stride)):
        raise Unexportable("adj is as large as the stride, which ONNX does not allow; make it smaller")
    attributes = windows(frame) | {"dilations": (1, 1), "output_padding": adj if any(adj) else None}
    c.give_ordered(c.add("ConvTranspose", x, w, *c.inputs[2:], group=body.group, **attributes), 4, body.last)


@exports("CaffeDeconvolution")
def _(c: Call) -> None:
    a, kernel = c.args, c.shape(1)[2:]
    attributes = {"kernel_shape": kernel, "strides": a.stride, "dilations": a.dilation, "pads": tuple(a.pad) * 2}
    c.give("ConvTranspose", *c.inputs, group=a.group, **attributes)


@exports("Im2Col")
def _(c: Call) -> None:
    """Patches are what a convolution gives whose every filter copies one element of one channel."""
    body = c.body()
    if body.last or c.rank() != 4:
        raise Unexportable("patches are written for images in the order NCHW")
    frame, channels = body.frame(c.meta()), c.shape()[1]
    size = int(np.prod(frame.kernel))
    filters = np.tile(np.eye(size, dtype=c.dtype()), (channels, 1)).reshape(-1, 1, *frame.kernel)
    c.give("Conv", c.inputs[0], c.constant(filters), group=channels, **windows(frame))
