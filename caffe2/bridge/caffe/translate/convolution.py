"""Convolution, Deconvolution, Im2col and InnerProduct."""

from __future__ import annotations

import math

from caffe2.bridge.caffe.layers import Layer
from caffe2.bridge.caffe.translate.builder import Builder, translates


def window(param, rank: int) -> dict[str, tuple[int, ...]]:
    """Kernel, stride, pad and dilation along each of the `rank` axes of a window, as Caffe's parameters give them."""

    def each(name: str, default: int) -> tuple[int, ...]:
        h, w = (getattr(param, f"{prefix}_{end}", 0) for prefix in (_PREFIX.get(name, name),) for end in "hw")
        listed = tuple(getattr(param, name))
        if not listed and (param.HasField(f"{_PREFIX.get(name, name)}_h") or h or w):
            return (h, w)
        return listed * rank if len(listed) == 1 else listed or (default,) * rank

    found = {name: each(name, default) for name, default in (("kernel_size", 0), ("stride", 1), ("pad", 0))}
    dilation = tuple(param.dilation)
    found["dilation"] = dilation * rank if len(dilation) == 1 else dilation or (1,) * rank
    return found


_PREFIX = {"kernel_size": "kernel"}


def _arguments(param, rank: int) -> dict:
    w = window(param, rank)
    dilations = w["dilation"] if any(d != 1 for d in w["dilation"]) else None
    return {
        "kernels": w["kernel_size"],
        "strides": w["stride"],
        "pads": w["pad"] * 2,
        "dilations": dilations,
        "group": param.group if param.group != 1 else None,
        "order": "NCHW",
    }


@translates("Convolution", "Deconvolution", "Convolution3D", "ConvolutionDepthwise", "DepthwiseConvolution")
def _(layer: Layer, b: Builder) -> None:
    param = layer.param
    kind = "ConvTranspose" if layer.type == "Deconvolution" else "Conv"
    weights = [b.param(layer, 0, "w")] + ([b.param(layer, 1, "b")] if len(layer.params) > 1 else [])
    for bottom, shape, top in zip(layer.bottoms, layer.bottom_shapes, layer.tops):
        axis = getattr(param, "axis", 1) % len(shape)
        rank = len(shape) - axis - 1
        args = _arguments(param, rank)
        if layer.type in ("ConvolutionDepthwise", "DepthwiseConvolution"):
            args["group"] = shape[axis]
        if axis == 1:
            b.op(kind, [bottom, *weights], top, **args)
        else:
            merged = b.op("Reshape", bottom, ["", ""], shape=(-1, *shape[axis:]))
            made = b.op(kind, [merged, *weights], "", **args)
            out = layer.top_shapes[layer.tops.index(top)]
            b.op("Reshape", made, [top, ""], shape=tuple(out))


@translates("InnerProduct")
def _(layer: Layer, b: Builder) -> None:
    param, (shape,), (top,) = layer.param, layer.bottom_shapes, layer.tops
    axis = param.axis % len(shape)
    weight = b.param(layer, 0, "w")
    bias = b.param(layer, 1, "b") if len(layer.params) > 1 else b.constant_zeros(param.num_output)
    kind = "FCTransposed" if param.transpose else "FC"
    x, direct = layer.bottoms[0], axis == 1
    if not direct:
        x = b.op("Reshape", x, ["", ""], shape=(-1, math.prod(shape[axis:])))
    made = b.op(kind, [x, weight, bias], top if direct else "")
    if not direct:
        b.op("Reshape", made, [top, ""], shape=(*shape[:axis], param.num_output))


@translates("Im2col")
def _(layer: Layer, b: Builder) -> None:
    (shape,) = layer.bottom_shapes
    w = window(layer.param, len(shape) - 2)
    b.op(
        "Im2Col",
        layer.bottoms[0],
        layer.tops[0],
        kernel_h=w["kernel_size"][0],
        kernel_w=w["kernel_size"][1],
        stride_h=w["stride"][0],
        stride_w=w["stride"][1],
        pad_t=w["pad"][0],
        pad_b=w["pad"][0],
        pad_l=w["pad"][1],
        pad_r=w["pad"][1],
        dilation_h=w["dilation"][0],
        dilation_w=w["dilation"][1],
    )
