"""Convolution, Deconvolution, Im2col and InnerProduct."""

from __future__ import annotations

import math
from typing import Any

from caffe2.bridge.caffe.layers import Layer
from caffe2.bridge.caffe.translate.builder import Builder, translates


def _arguments(layer: Layer, spatial: tuple[int, ...]) -> dict[str, Any]:
    """The window of a layer along its spatial axes; the padding behind reaches as far as Caffe's last window."""
    kernel, out = layer.reference.kernel, layer.reference.out
    reach = [(o - 1) * s + e for o, s, e in zip(out, kernel.stride, kernel.extent)]
    tail = tuple(max(pad, r - size - pad) for r, size, pad in zip(reach, spatial, kernel.pad))
    return {
        "kernels": kernel.size,
        "strides": kernel.stride,
        "pads": (*kernel.pad, *tail),
        "dilations": kernel.dilation if any(d != 1 for d in kernel.dilation) else None,
        "order": "NCHW",
    }


def _weights(layer: Layer, b: Builder) -> list[str]:
    return [b.param(layer, 0, "w")] + ([b.param(layer, 1, "b")] if len(layer.params) > 1 else [])


def _each(layer: Layer, b: Builder, kind: str, weights: list[str], args: dict[str, Any]) -> None:
    """Add the operator for every bottom, with the axes before the channels as one."""
    at = layer.reference.at
    for bottom, shape, top, out in zip(layer.bottoms, layer.bottom_shapes, layer.tops, layer.top_shapes):
        if at == 1:
            b.op(kind, [bottom, *weights], top, **args)
        else:
            merged = b.op("Reshape", bottom, ["", ""], shape=(-1, *shape[at:]))
            b.op("Reshape", b.op(kind, [merged, *weights], "", **args), [top, ""], shape=tuple(out))


@translates("Convolution", "ConvolutionDepthwise", "DepthwiseConvolution", "Convolution3D")
def _(layer: Layer, b: Builder) -> None:
    group = layer.reference.group
    args = _arguments(layer, layer.bottom_shapes[0][layer.reference.at + 1 :])
    _each(layer, b, "Conv", _weights(layer, b), {**args, "group": group if group != 1 else None})


@translates("Deconvolution", "DeconvolutionDepthwise")
def _(layer: Layer, b: Builder) -> None:
    """Images without dilation are what ConvTranspose takes."""
    reference, weights = layer.reference, _weights(layer, b)
    kernel, group = reference.kernel, reference.group if reference.group != 1 else None
    if len(kernel.size) == 2 and kernel.dilation == (1, 1):
        args = {"kernels": kernel.size, "strides": kernel.stride, "pads": kernel.pad * 2, "order": "NCHW"}
        _each(layer, b, "ConvTranspose", weights, {**args, "group": group})
        return
    if len(weights) == 1:
        weights.append(b.constant_zeros(reference.outputs))
    args = {"stride": kernel.stride, "pad": kernel.pad, "dilation": kernel.dilation, "group": group}
    _each(layer, b, "CaffeDeconvolution", weights, args)


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
    """Of images with channels first Im2Col takes the patches; others are unfolded like images of one row."""
    kernel, (shape,), (out,) = layer.reference.kernel, layer.bottom_shapes, layer.top_shapes
    at = layer.reference.at
    if len(kernel.size) > 2:
        raise layer.error("patches along more than 2 axes are not translated", "convolution_param")
    lift = (1,) * (2 - len(kernel.size))
    (kh, kw), (sh, sw), (dh, dw) = (lift + v for v in (kernel.size, kernel.stride, kernel.dilation))
    ph, pw = (0,) * len(lift) + kernel.pad
    args = {"kernel_h": kh, "kernel_w": kw, "stride_h": sh, "stride_w": sw, "dilation_h": dh, "dilation_w": dw}
    args |= {"pad_t": ph, "pad_b": ph, "pad_l": pw, "pad_r": pw, "order": "NCHW"}
    if at == 1 and not lift:
        b.op("Im2Col", layer.bottoms[0], layer.tops[0], **args)
        return
    merged = b.op("Reshape", layer.bottoms[0], ["", ""], shape=(-1, shape[at], *lift, *shape[at + 1 :]))
    b.op("Reshape", b.op("Im2Col", merged, "", **args), [layer.tops[0], ""], shape=tuple(out))
