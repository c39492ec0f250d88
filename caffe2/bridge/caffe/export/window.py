"""Operators that slide a window of weights over images: convolutions; and padding, which is one."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from caffe2.bridge.caffe.export.draft import Draft, Weight, exports
from caffe2.bridge.caffe.export.neuron import first_channels
from caffe2.bridge.caffe.export.site import Refusal, Shape, Site
from caffe2.ops.window import Frame, Window

SYMMETRIC = "pad both sides alike, or cut the image first"


def frame(s: Site) -> Frame:
    """The window of an operator as it lies over its input, all ways to say so settled. Raises Refusal for NHWC."""
    first_channels(s)
    body = s.definition.body(**s.definition.arguments(s.op))
    Window.bind(body, s)
    return body.frame(torch.empty(s.in_shape, device="meta"))


def spread(stem: str, values: Shape, default: int | None = None) -> dict[str, Any]:
    """A field of ConvolutionParameter given once, for each of two axes by name, or for every axis in order."""
    name = "kernel_size" if stem == "kernel" else stem
    if default is not None and all(v == default for v in values):
        return {}
    if len(values) == 2 and values[0] != values[1] and stem != "dilation":
        return {f"{stem}_h": values[0], f"{stem}_w": values[1]}
    return {name: list(values[:1] if len(set(values)) == 1 else values)}


@exports("Conv", "Conv1D", "Conv2D", "Conv3D", "ConvRelu")
def _(s: Site, e: Draft) -> None:
    """Padding behind that no window reaches is of no account: it may be as large as Caffe's, who divides as C does."""
    w, (kernel, stride, dilation, head, _) = e.weight(s.inputs[1]), frame(s)
    extent = [d * (k - 1) + 1 for k, d in zip(kernel, dilation)]
    caffe = tuple(int((n + 2 * p - r) / t) + 1 for n, p, r, t in zip(s.in_shape[2:], head, extent, stride))
    if caffe != s.out_shape[2:] or min(head) < 0:
        raise Refusal(unlike(frame(s), s.out_shape[2:], caffe), argument="pads", advice=SYMMETRIC)
    bias = [e.shaped(s.inputs[2], (-1,))] if len(s.inputs) > 2 else []
    group = {"group": s.args["group"]} if s.args["group"] != 1 else {}
    param = {"num_output": w.array.shape[0], **_bias(bias), **spread("kernel", kernel)}
    param |= spread("stride", stride, 1) | spread("pad", head, 0) | spread("dilation", dilation, 1) | group
    e.layer("Convolution", s.x, s.y, weights=[w, *bias], convolution_param=param)
    if s.type == "ConvRelu":
        e.layer("ReLU", s.y, s.y)


def unlike(f: Frame, found: Shape, caffe: Shape) -> str:
    pads = f"{list(f.head)} before and {list(f.tail)} behind the image"
    return f"with padding {pads} there are {list(found)} windows, and in Caffe, which pads both sides alike, {[*caffe]}"


def _bias(bias: list[Weight]) -> dict[str, bool]:
    return {} if bias else {"bias_term": False}


@exports("ConvTranspose")
def _(s: Site, e: Draft) -> None:
    """Rows that are cut off at the end, or added there, differ from Caffe's where the size does."""
    first_channels(s)
    body = s.definition.body(**s.definition.arguments(s.op))
    Window.bind(body, s)
    adjusted = body._per_axis("adj", (0, 0))
    w, (kernel, stride, dilation, head, tail) = e.weight(s.inputs[1]), body.settled
    caffe = tuple((n - 1) * t + k - 2 * p for n, t, k, p in zip(s.in_shape[2:], stride, kernel, head))
    if caffe != s.out_shape[2:]:
        what = f"the output is {list(s.out_shape[2:])}, and in Caffe {list(caffe)}: padding {[*head]}, {[*tail]}, adj"
        raise Refusal(f"{what} {list(adjusted)}", argument="adj", advice="pad both sides alike, without adj")
    group = s.args.get("group", 1)
    _deconvolution(s, e, w, s.inputs[2:], Frame(kernel, stride, dilation, head, tail), group)


@exports("CaffeDeconvolution")
def _(s: Site, e: Draft) -> None:
    w, a = e.weight(s.inputs[1]), s.args
    f = Frame(w.array.shape[2:], a["stride"], a["dilation"], a["pad"], a["pad"])
    _deconvolution(s, e, w, s.inputs[2:], f, a["group"])


def _deconvolution(s: Site, e: Draft, w: Weight, more: list[str], f: Frame, group: int) -> None:
    bias = [e.shaped(more[0], (-1,))] if more else []
    param = {"num_output": w.array.shape[1] * group, **_bias(bias), **spread("kernel", tuple(f.kernel))}
    param |= spread("stride", tuple(f.stride), 1) | spread("pad", tuple(f.head), 0)
    param |= spread("dilation", tuple(f.dilation), 1) | ({"group": group} if group != 1 else {})
    e.layer("Deconvolution", s.x, s.y, weights=[w, *bias], convolution_param=param)


@exports("Im2Col")
def _(s: Site, e: Draft) -> None:
    kernel, stride, dilation, head, tail = frame(s)
    if tail != head:
        raise Refusal("Caffe pads both sides alike", argument="pads", advice=SYMMETRIC)
    param = spread("kernel", kernel) | spread("stride", stride, 1) | spread("pad", head, 0)
    e.layer("Im2col", s.x, s.y, convolution_param=param | spread("dilation", dilation, 1))


@exports("PadImage", "CaffePad")
def _(s: Site, e: Draft) -> None:
    """Zeros around images: a convolution of each channel by the number 1, padded."""
    head, channels = padding(s), s.in_shape[1]
    axes = len(head)
    param = {"num_output": channels, "group": channels, "bias_term": False, "kernel_size": [1], **spread("pad", head)}
    weights = [Weight(np.ones((channels, 1, *(1,) * axes), np.float32))]
    e.layer("Convolution", s.x, s.y, weights=weights, convolution_param=param)


def padding(s: Site) -> Shape:
    """The zeros before images, and behind them. Raises Refusal for padding that is other than zeros, or uneven."""
    if s.type == "CaffePad":
        return tuple(s.args["pad"])
    first_channels(s)
    mode = s.args["mode"]
    if mode != "constant" or s.args["value"] != 0:
        raise Refusal("Caffe pads with zeros only", argument="mode" if mode != "constant" else "value")
    body = s.definition.body(**s.definition.arguments(s.op))
    body.bind(s)
    (top, bottom), (left, right) = body.sides
    if (top, left) != (bottom, right) or min(top, left) < 0:
        raise Refusal("Caffe pads both sides alike", argument="pads", advice=SYMMETRIC)
    return top, left
