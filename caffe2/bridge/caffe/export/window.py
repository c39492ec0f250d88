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
    w, f = e.weight(s.inputs[1]), frame(s)
    extent = [d * (k - 1) + 1 for k, d in zip(f.kernel, f.dilation)]
    caffe = tuple(int((n + 2 * p - r) / t) + 1 for n, p, r, t in zip(s.in_shape[2:], f.head, extent, f.stride))
    if caffe != s.out_shape[2:] or min(f.head) < 0:
        w, f = _evened(s, e, w, f, caffe)
    bias = [e.shaped(s.inputs[2], (-1,))] if len(s.inputs) > 2 else []
    group = {"group": s.args["group"]} if s.args["group"] != 1 else {}
    param = {"num_output": w.array.shape[0], **_bias(bias), **_window(f), **group}
    e.layer("Convolution", s.x, s.y, weights=[w, *bias], convolution_param=param)
    if s.type == "ConvRelu":
        e.layer("ReLU", s.y, s.y)


def _window(f: Frame) -> dict[str, Any]:
    """The fields of ConvolutionParameter for a window that is padded alike on both sides."""
    parts = spread("kernel", tuple(f.kernel)), spread("stride", tuple(f.stride), 1), spread("pad", tuple(f.head), 0)
    return {name: v for part in (*parts, spread("dilation", tuple(f.dilation), 1)) for name, v in part.items()}


def _evened(s: Site, e: Draft, w: Weight, f: Frame, caffe: Shape) -> tuple[Weight, Frame]:
    """The same convolution, padded on both sides as on the larger one: a larger kernel with zeros on the other side.

    Raises Refusal where elements of the kernel do not fall on its own.
    """
    more = [(tail - head, d) for head, tail, d in zip(f.head, f.tail, f.dilation)]
    if min(f.head + f.tail) < 0 or any(m % d for m, d in more):
        raise Refusal(unlike(f, s.out_shape[2:], caffe), argument="pads", advice=SYMMETRIC)
    zeros = [(max(m, 0) // d, max(-m, 0) // d) for m, d in more]
    array = np.pad(w.array, [(0, 0), (0, 0), *zeros])
    pads = tuple(map(max, f.head, f.tail))
    sizes = " x ".join(map(str, array.shape[2:]))
    e.note(f"the padding of {s.y!r} is not alike on both sides: its kernel becomes {sizes}, with zeros at the edge")
    return Weight(array, stem=w.stem), f._replace(kernel=array.shape[2:], head=pads, tail=pads)


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
    param = {"num_output": w.array.shape[1] * group, **_bias(bias), **_window(f)}
    param |= {"group": group} if group != 1 else {}
    e.layer("Deconvolution", s.x, s.y, weights=[w, *bias], convolution_param=param)


@exports("Im2Col")
def _(s: Site, e: Draft) -> None:
    f = frame(s)
    if f.tail != f.head:
        raise Refusal("Caffe pads both sides alike", argument="pads", advice=SYMMETRIC)
    e.layer("Im2col", s.x, s.y, convolution_param=_window(f))


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
        if len(s.args["pad"]) != len(s.in_shape) - 2:
            raise Refusal("it pads other axes than those of images", argument="pad")
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
