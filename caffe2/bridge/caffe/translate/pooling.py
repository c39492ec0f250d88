"""Pooling as Caffe does it: sizes rounded up, averages over windows clipped to the padded input; SPP."""

from __future__ import annotations

import math
from dataclasses import dataclass

from caffe2.bridge.caffe.layers import Layer, Shape
from caffe2.bridge.caffe.translate.builder import Builder, translates


@dataclass(frozen=True)
class Pool:
    """Windows of a two-dimensional pooling: each pair is along height and width."""

    kind: str  # "Max" or "Average"
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int] = (0, 0)
    floor: bool = False

    def sizes(self, shape: Shape) -> tuple[int, int]:
        """Height and width of the output, as Caffe counts them: no window starts beyond the input and its padding."""
        found = []
        for size, k, s, p in zip(shape[2:], self.kernel, self.stride, self.pad):
            steps = (size + 2 * p - k) / s
            count = (math.floor(steps) if self.floor else math.ceil(steps)) + 1
            found.append(count - 1 if p and (count - 1) * s >= size + p else count)
        return found[0], found[1]


def add_pool(b: Builder, x: str, shape: Shape, pool: Pool, top: str) -> None:
    """Add the operators of a pooling whose windows Caffe places.

    Sizes rounded up need padding below and to the right that no maximum sees and no average counts: `legacy_pad` 3.
    A padded average counts its padding, so the padding is made beforehand; a window that Caffe leaves out is cut off.
    """
    sizes = pool.sizes(shape)
    (kh, kw), (sh, sw), (ph, pw) = pool.kernel, pool.stride, pool.pad
    args = {"kernel_h": kh, "kernel_w": kw, "stride_h": sh, "stride_w": sw, "order": "NCHW"}
    padded = (shape[2], shape[3])
    if pool.kind == "Average" and (ph or pw):
        x = b.op("PadImage", x, "", pad_t=ph, pad_l=pw, pad_b=ph, pad_r=pw, mode="constant", value=0.0, order="NCHW")
        padded = (shape[2] + 2 * ph, shape[3] + 2 * pw)
        pool = Pool(pool.kind, pool.kernel, pool.stride, (0, 0), pool.floor)
    if not pool.floor:
        args["legacy_pad"] = 3
    if any(pool.pad):
        args |= {"pad_t": ph, "pad_b": ph, "pad_l": pw, "pad_r": pw}
    counted = pool.sizes((*shape[:2], *padded))
    cut = counted != sizes
    made = b.op(f"{pool.kind}Pool", x, "" if cut else top, **args)
    if cut:
        b.op("Slice", made, top, starts=(0, 0, 0, 0), ends=(-1, -1, *sizes))


@translates("Pooling")
def _(layer: Layer, b: Builder) -> None:
    param, (shape,) = layer.param, layer.bottom_shapes
    if param.pool == param.STOCHASTIC:
        raise layer.error(
            "stochastic pooling draws random numbers and is not translated; use MAX or AVE", "pooling_param.pool"
        )
    kind = "Max" if param.pool == param.MAX else "Average"
    if len(layer.tops) > 1:
        _with_mask(layer, b, shape)
    elif param.global_pooling:
        b.op(f"{kind}Pool", layer.bottoms[0], layer.tops[0], global_pooling=1, order="NCHW")
    else:
        add_pool(b, layer.bottoms[0], shape, windows(layer, kind), layer.tops[0])


def windows(layer: Layer, kind: str) -> Pool:
    """The windows that a Pooling layer's parameters describe."""
    p = layer.param
    kernel = (p.kernel_h, p.kernel_w) if p.HasField("kernel_h") else (p.kernel_size,) * 2
    stride = (p.stride_h, p.stride_w) if p.HasField("stride_h") else (p.stride,) * 2
    pad = (p.pad_h, p.pad_w) if p.HasField("pad_h") or p.HasField("pad_w") else (p.pad,) * 2
    forked = layer.fork.pooling_param
    floor = p.round_mode == p.FLOOR or (forked.HasField("ceil_mode") and not forked.ceil_mode)
    return Pool(kind, kernel, stride, pad, floor)


def _with_mask(layer: Layer, b: Builder, shape: Shape) -> None:
    """Maximum pooling that also tells where in its plane each maximum stands."""
    if layer.param.global_pooling:
        pool = Pool("Max", tuple(shape[2:]))
    else:
        pool = windows(layer, "Max")
    args = {"kernel": pool.kernel, "stride": pool.stride, "pad": pool.pad, "size": pool.sizes(shape)}
    b.op("CaffeMaxPoolMask", layer.bottoms[0], list(layer.tops), **args)


@translates("SPP")
def _(layer: Layer, b: Builder) -> None:
    param, (shape,) = layer.param, layer.bottom_shapes
    kind = "Max" if param.pool == param.MAX else "Average"
    parts = []
    for level in range(param.pyramid_height):
        bins = 2**level
        kernel = tuple(math.ceil(size / bins) for size in shape[2:])
        pad = tuple((k * bins - size + 1) // 2 for k, size in zip(kernel, shape[2:]))
        made = b.fresh(layer.name)
        add_pool(b, layer.bottoms[0], shape, Pool(kind, kernel, kernel, pad), made)
        parts.append(b.op("Flatten", made, "", axis=1))
    if len(parts) > 1:
        b.op("Concat", parts, [layer.tops[0], ""], axis=1)
    else:
        b.op("Copy", parts, layer.tops[0])
