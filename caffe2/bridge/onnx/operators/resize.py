"""Resizing of images."""

from __future__ import annotations

from caffe2.bridge.onnx.call import Call, Unexportable, exports


def _scales(c: Call) -> tuple[float, ...]:
    body = c.body()
    return tuple(c.value(1).tolist()) if len(c.inputs) > 1 else tuple(body.scales)


@exports("ResizeNearest", "ResizeNearest3D")
def _(c: Call) -> None:
    last = c.args.order == "NHWC"
    y = _nearest(c, c.first(c.inputs[0], c.rank(), last), _scales(c))
    c.give_ordered(y, c.rank(), last)


@exports("UpsampleNearest")
def _(c: Call) -> None:
    c.finish(_nearest(c, c.inputs[0], (float(c.args.scale),) * 2))


def _nearest(c: Call, x: str, scales: tuple[float, ...]) -> str:
    by = c.constant((1.0, 1.0, *scales), "float32")
    modes = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return c.add("Resize", x, "", by, mode="nearest", **modes)


@exports("UpsampleBilinear")
def _(c: Call) -> None:
    if 0 in c.shape():
        raise Unexportable("there is nothing to stretch: X is empty")
    _stretched(c, c.inputs[0], tuple(c.result().shape[2:]))


@exports("CaffeInterp")
def _(c: Call) -> None:
    (before, behind), (high, wide), x = c.args.crop, c.shape()[2:], c.inputs[0]
    if before or behind:
        ends = c.ints(high - behind, wide - behind)
        x = c.add("Slice", x, c.ints(before, before), ends, c.ints(2, 3))
    _stretched(c, x, tuple(c.args.size))


def _stretched(c: Call, x: str, size: tuple[int, ...]) -> None:
    """Bilinearly, corner on corner; ONNX wants the sizes of images and channels too."""
    front = c.add("Slice", c.add("Shape", x), c.ints(0), c.ints(2))
    sizes = c.add("Concat", front, c.ints(*size), axis=0)
    c.give("Resize", x, "", "", sizes, mode="linear", coordinate_transformation_mode="align_corners")
