"""Poolings of images, and their inverse."""

from __future__ import annotations

import numpy as np

from caffe2.bridge.onnx.call import Call, Unexportable, exports
from caffe2.bridge.onnx.operators.convolution import padded, windows
from caffe2.ops.window import Frame

MAX, AVERAGE = (tuple(f"{kind}Pool{axes}" for axes in ("", "1D", "2D", "3D")) for kind in ("Max", "Average"))


def trimmed(frame: Frame, size: tuple[int, ...]) -> Frame:
    """The window without padding behind that none of its places reaches: runtimes refuse more than the kernel."""
    spans = (d * (k - 1) + 1 for d, k in zip(frame.dilation, frame.kernel))
    rows = zip(frame.out(size), frame.stride, spans, size, frame.head)
    return frame._replace(tail=tuple(max(0, (out - 1) * s + span - n - head) for out, s, span, n, head in rows))


def _within(frame: Frame) -> bool:
    return all(p < k for p, k in zip(frame.head + frame.tail, frame.kernel * 2))


def _pooled(c: Call, kind: str, lowest: float, **attributes: object) -> None:
    """lowest: what to pad with where windows lie wholly in the padding, which runtimes do not take."""
    body, rank = c.body(), c.rank()
    x = c.first(c.inputs[0], rank, body.last)
    if body.global_pooling:
        y = c.add(f"Global{kind}", x, **{k: v for k, v in attributes.items() if k == "p"})
    else:
        size = body.size(c.meta())
        frame = trimmed(body.frame(c.meta()), size)
        if not _within(frame):
            x = padded(c, x, rank, frame.head, frame.tail, lowest)
            blank = (0,) * len(size)
            y = c.add(kind, x, **_shown(c, kind, frame._replace(head=blank, tail=blank)), **attributes)
            y = _recounted(c, y, frame, size) if attributes.get("count_include_pad") == 0 else y
        else:
            y = c.add(kind, x, **_shown(c, kind, frame), **attributes)
    c.give_ordered(y, rank, body.last)


def _shown(c: Call, kind: str, frame: Frame) -> dict[str, object]:
    attributes = windows(frame)
    oldest = {"MaxPool": 10, "AveragePool": 19, "LpPool": 18}[kind]
    if c.graph.opset < oldest:
        if any(d != 1 for d in attributes.pop("dilations")):
            raise Unexportable(f"{kind} has dilation from opset {oldest} on")
    return attributes


def _recounted(c: Call, y: str, frame: Frame, size: tuple[int, ...]) -> str:
    """Means over windows, as means over what of each lies in the image; behind it, of negative counts, they are 0."""
    shares = np.ones(())
    for n, out, k, s, head in zip(size, frame.out(size), frame.kernel, frame.stride, frame.head):
        start = np.arange(out) * s - head
        inside = np.minimum(start + k, n) - np.maximum(start, 0)
        shares = shares[..., None] * inside / k
    return c.add("Div", y, c.constant(shares, c.dtype()))


@exports(*MAX)
def _(c: Call) -> None:
    _pooled(c, "MaxPool", -np.inf)


@exports(*AVERAGE)
def _(c: Call) -> None:
    _pooled(c, "AveragePool", 0.0, count_include_pad=int(c.args.count_include_pad))


@exports("LpPool")
def _(c: Call) -> None:
    if c.args.p != int(c.args.p):
        raise Unexportable("ONNX takes p-norms of a whole p")
    _pooled(c, "LpPool", 0.0, p=int(c.args.p))


@exports("CaffeMaxPoolMask")
def _(c: Call) -> None:
    """ONNX counts places through all planes."""
    a, size = c.args, c.shape()[2:]
    frame = Frame(tuple(a.kernel), tuple(a.stride), (1, 1), tuple(a.pad), (0, 0))
    need = [(o - 1) * s + k - n - h for o, s, k, n, h in zip(a.size, a.stride, a.kernel, size, a.pad)]
    frame = frame._replace(tail=tuple(max(n, 0) for n in need))
    if not _within(frame):
        raise Unexportable("a window lies wholly in the padding; pad less")
    if frame.out(size) != tuple(a.size):
        raise Unexportable("the last windows that fit are left out; let the size be that of all of them")
    y, places = c.outputs[0], c.graph.fresh(c.outputs[1])
    c.add("MaxPool", c.inputs[0], outputs=[y, places], **windows(frame))
    within = c.add("Mod", places, c.constant(size[0] * size[1], np.int64))
    c.add("Cast", within, outputs=[c.outputs[1]], to=c.dtype())


@exports("CaffeUnpool")
def _(c: Call) -> None:
    high, wide = c.args.size
    planes = c.add("Slice", c.add("Shape", c.inputs[0]), c.ints(0), c.ints(2))
    shape = c.add("Concat", planes, c.ints(high * wide), axis=0)
    blank = c.add("ConstantOfShape", shape, value=np.zeros(1, c.dtype()))
    values, mask = (c.reshape(name, (0, 0, -1)) for name in c.inputs)
    places = c.add("Cast", mask, to=np.dtype(np.int64))
    c.reshape(c.add("ScatterElements", blank, places, values, axis=2), (0, 0, high, wide), c.outputs[0])
