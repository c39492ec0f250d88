"""Pooling as Caffe does it: sizes rounded up, averages over windows clipped to the padded input; SPP."""

from __future__ import annotations

import numpy as np

from caffe2.bridge.caffe.layers import Layer
from caffe2.bridge.caffe.reference.pool import Windows
from caffe2.bridge.caffe.translate.builder import Builder, translates
from caffe2.proto import caffe_pb2

Axes = tuple[int, ...]
LOWEST = float(np.finfo(np.float32).min)
TINY = float(np.finfo(np.float32).tiny)
CAFFE_POOLING = 3
MAX, AVE, STOCHASTIC = (caffe_pb2.PoolingParameter.PoolMethod.Value(name) for name in ("MAX", "AVE", "STOCHASTIC"))


def counted(spatial: Axes, windows: Windows, pad: Axes, floor: bool) -> Axes:
    """How many windows Caffe2 places along each axis, rounding down, or as `legacy_pad` 3 says."""
    found = []
    for n, k, s, p in zip(spatial, windows.kernel.size, windows.kernel.stride, pad):
        count = (n + 2 * p - k) // s + 1 if floor else -(-(n + 2 * p - k) // s) + 1
        found.append(count - 1 if p and not floor and (count - 1) * s >= n + p else count)
    return tuple(found)


def add_pool(b: Builder, x: str, kind: str, windows: Windows, top: str, floor: bool = False) -> str:
    """Add the operators of a maximum ("Max") or mean ("Average") over windows that Caffe places; the top's name.

    Sizes rounded up need padding behind that no maximum sees and no average counts: `legacy_pad` 3. A padded average
    counts its padding, so the padding is made beforehand; windows that Caffe leaves out are cut off. The maximum over
    a window wholly in the padding is the lowest float. In training the first of equal maxima is to take the whole
    gradient: equal ones are frequent where images have even ground.
    """
    if kind == "Max" and b.trains and not b.is_test and len(windows.out) == 2:
        return b.op("CaffeMaxPoolMask", x, [top, ""], **_windows(windows))
    kernel, spatial, pad = windows.kernel, windows.spatial, windows.kernel.pad
    empty = any((o - 1) * s - p >= n for o, s, p, n in zip(windows.out, kernel.stride, pad, spatial))
    args = {"kernels": kernel.size, "strides": kernel.stride, "legacy_pad": None if floor else CAFFE_POOLING}
    if kind == "Average" and any(pad):
        x, spatial, pad = _padded(b, x, pad), tuple(n + 2 * p for n, p in zip(spatial, pad)), (0,) * len(pad)
    args |= {"pads": pad * 2 if any(pad) else None, "order": "NCHW"}
    cut, clipped = counted(spatial, windows, pad, floor) != windows.out, kind == "Max" and empty
    made = b.op(f"{kind}Pool", x, "" if cut or clipped else top, **args)
    if cut:
        starts, ends = (0,) * (2 + len(pad)), (-1, -1, *windows.out)
        made = b.op("Slice", made, "" if clipped else top, starts=starts, ends=ends)
    return b.op("Clip", made, top, min=LOWEST, max=-LOWEST) if clipped else made


def _windows(windows: Windows) -> dict[str, Axes]:
    kernel = windows.kernel
    return {"kernel": kernel.size, "stride": kernel.stride, "pad": kernel.pad, "size": windows.out}


def _padded(b: Builder, x: str, pad: Axes) -> str:
    if len(pad) == 2:
        (ph, pw), mode = pad, {"mode": "constant", "value": 0.0, "order": "NCHW"}
        return b.op("PadImage", x, "", pad_t=ph, pad_l=pw, pad_b=ph, pad_r=pw, **mode)
    return b.op("CaffePad", x, "", pad=pad)


def add_method(b: Builder, layer: Layer, windows: Windows, top: str, floor: bool = False) -> str:
    """Add the pooling that a layer's `pool` names; the stochastic one, in tests, is sum x^2 / sum x over a window."""
    (x,), method = layer.bottoms, layer.param.pool
    if method != STOCHASTIC:
        return add_pool(b, x, "Max" if method == MAX else "Average", windows, top, floor)
    if not b.is_test:
        what = "stochastic pooling draws random numbers in training and is not translated; use MAX or AVE"
        raise layer.error(what, f"{layer.reference.field}.pool")
    squares = add_pool(b, b.op("Sqr", x), "Average", windows, "", floor)
    means = b.op("Add", [add_pool(b, x, "Average", windows, "", floor), b.constant(TINY)], "", broadcast=1)
    return b.op("Div", [squares, means], top)


@translates("Pooling")
def _(layer: Layer, b: Builder) -> None:
    p, windows = layer.param, layer.reference.windows
    if len(layer.tops) > 1:
        b.op("CaffeMaxPoolMask", layer.bottoms[0], layer.tops, **_windows(windows))
    elif p.global_pooling and (p.pool == AVE or (p.pool == MAX and not b.trains)):
        kind = "Max" if p.pool == MAX else "Average"
        b.op(f"{kind}Pool", layer.bottoms[0], layer.tops[0], global_pooling=1, order="NCHW")
    else:
        forked = layer.fork.pooling_param
        floor = p.round_mode == p.FLOOR or (forked.HasField("ceil_mode") and not forked.ceil_mode)
        add_method(b, layer, windows, layer.tops[0], floor)


@translates("Pooling3D")
def _(layer: Layer, b: Builder) -> None:
    add_method(b, layer, layer.reference.windows, layer.tops[0])


@translates("SPP")
def _(layer: Layer, b: Builder) -> None:
    """One level alone stays as it is; more are flattened and joined."""
    levels, (top,) = layer.reference.levels, layer.tops
    if len(levels) == 1:
        add_method(b, layer, levels[0], top)
        return
    parts = [b.op("Flatten", add_method(b, layer, level, ""), "", axis=1) for level in levels]
    b.op("Concat", parts, [top, ""], axis=1)
