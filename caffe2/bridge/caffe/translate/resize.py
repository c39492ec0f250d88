"""Layers of forks that change the size of images: Interp and Upsample."""

from __future__ import annotations

from caffe2.bridge.caffe.layers import Layer
from caffe2.bridge.caffe.translate.builder import Builder, translates


@translates("Interp")
def _(layer: Layer, b: Builder) -> None:
    p = layer.param
    crop = (-p.pad_beg, -p.pad_end) if p.pad_beg or p.pad_end else None
    b.op("CaffeInterp", layer.bottoms[0], layer.tops[0], size=tuple(layer.reference.out), crop=crop)


@translates("Upsample")
def _(layer: Layer, b: Builder) -> None:
    """With a mask, each number goes where it says; without, each is repeated."""
    p, (top,) = layer.param, layer.tops
    if len(layer.bottoms) == 2:
        b.op("CaffeUnpool", layer.bottoms, top, size=tuple(layer.reference.out))
        return
    high, wide = map(float, layer.reference.factor)
    gain = p.scale if p.HasField("scale") and (p.HasField("stride") or p.HasField("stride_h")) else 1
    args = {"height_scale": high, "width_scale": wide, "order": "NCHW"}
    made = b.op("ResizeNearest", layer.bottoms[0], top if gain == 1 else "", **args)
    if gain != 1:
        b.op("Scale", made, top, scale=gain)
