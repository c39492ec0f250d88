"""Poolings of regions of images."""

from __future__ import annotations

import numpy as np

from caffe2.bridge.onnx.call import Call, Unexportable, exports

INT64 = np.dtype(np.int64)


@exports("RoIPool")
def _(c: Call) -> None:
    a = c.args
    if a.order != "NCHW":
        raise Unexportable("regions are pooled from images in the order NCHW")
    c.give("MaxRoiPool", *c.inputs, pooled_shape=(a.pooled_h, a.pooled_w), spatial_scale=float(a.spatial_scale))


@exports("RoIAlign")
def _(c: Call) -> None:
    """Regions of four numbers are all of image 0."""
    a, (count, width) = c.args, c.shape(1)
    if a.aligned and c.graph.opset < 16:
        raise Unexportable("aligned regions are written from opset 16 on")
    rois, images = c.inputs[1], c.constant(np.zeros(count), np.int64)
    if width == 5:
        first = c.add("Slice", rois, c.ints(0), c.ints(1), c.ints(1))
        images = c.add("Cast", c.reshape(first, (-1,)), to=INT64)
        rois = c.add("Slice", rois, c.ints(1), c.ints(5), c.ints(1))
    mode = ("half_pixel" if a.aligned else "output_half_pixel") if c.graph.opset >= 16 else None
    last = a.order == "NHWC"
    y = c.add(
        "RoiAlign",
        c.first(c.inputs[0], 4, last),
        rois,
        images,
        mode="avg",
        output_height=a.pooled_h,
        output_width=a.pooled_w,
        sampling_ratio=max(a.sampling_ratio, 0),
        spatial_scale=float(a.spatial_scale),
        coordinate_transformation_mode=mode,
    )
    c.give_ordered(y, 4, last)


@exports("CaffePSROIPool")
def _(c: Call) -> None:
    """Sums over bins are differences of sums up to their corners, which are looked up in one row of numbers."""
    (_, channels, high, wide), g = c.shape(), c.args.group_size
    sums = c.add("Cast", c.inputs[0], to=np.dtype(np.float64))
    for axis in (2, 3):
        sums = c.add("CumSum", sums, c.constant(axis, np.int64))
    sums = c.reshape(c.add("Pad", sums, c.ints(0, 0, 1, 1, 0, 0, 0, 0), c.constant(0.0)), (-1,))
    plane = (high + 1) * (wide + 1)
    image = c.reshape(c.add("Cast", _columns(c, 0, 1), to=INT64), (-1, 1, 1, 1))
    bins = c.constant(np.arange(channels).reshape(1, -1, g, g) * plane, INT64)
    first = c.add("Add", c.add("Mul", image, c.constant(channels * plane, INT64)), bins)
    (x1, x2), (y1, y2) = _bounds(c, 0, wide), _bounds(c, 1, high)
    width = c.constant(wide + 1, INT64)

    def corner(y: str, x: str) -> str:
        place = c.add("Add", c.add("Mul", y, width), x)
        return c.add("Gather", sums, c.add("Add", first, place))

    right, left = (c.add("Sub", corner(y2, x), corner(y1, x)) for x in (x2, x1))
    sides = (c.add("Max", c.add("Sub", b, a), c.constant(0, INT64)) for a, b in ((x1, x2), (y1, y2)))
    count = c.add("Mul", *sides)
    some = c.add("Cast", c.add("Max", count, c.constant(1, INT64)), to=np.dtype(np.float64))
    mean = c.add("Div", c.add("Sub", right, left), some)
    filled = c.add("Where", c.add("Greater", count, c.constant(0, INT64)), mean, c.constant(0.0))
    c.give("Cast", filled, to=c.dtype())


def _columns(c: Call, start: int, end: int) -> str:
    return c.add("Slice", c.inputs[1], c.ints(start), c.ints(end), c.ints(1))


def _bounds(c: Call, k: int, limit: int) -> list[str]:
    """The first row, and the one behind the last, of every bin of every region; k: 0 for columns, 1 for rows."""
    g, scale, top = c.args.group_size, c.number(c.args.spatial_scale), c.number(limit)
    low, high = (_rounded(c, _columns(c, n, n + 1)) for n in (k + 1, k + 3))
    start = c.add("Mul", low, scale)
    end = c.add("Mul", c.add("Add", high, c.number(1)), scale)
    size = c.add("Div", c.add("Max", c.add("Sub", end, start), c.number(0.1)), c.number(g))
    edges = c.add("Add", c.add("Mul", c.constant(np.arange(g), c.dtype()), size), start)
    both = c.add("Floor", edges), c.add("Ceil", c.add("Add", edges, size))
    within = (c.add("Min", c.add("Max", edge, c.number(0)), top) for edge in both)
    shape = (-1, 1, 1, g) if k == 0 else (-1, 1, g, 1)
    return [c.reshape(c.add("Cast", edge, to=INT64), shape) for edge in within]


def _rounded(c: Call, x: str) -> str:
    """Halves away from 0."""
    return c.add("Mul", c.add("Sign", x), c.add("Floor", c.add("Add", c.add("Abs", x), c.number(0.5))))
