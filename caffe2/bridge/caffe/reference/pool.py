"""Pooling, flat and in pyramids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from google.protobuf.message import Message

from caffe2.bridge.caffe.layers import Shape
from caffe2.bridge.caffe.reference.base import Reference, layer
from caffe2.bridge.caffe.reference.windows import Kernel, patches
from caffe2.proto import caffe_pb2

MAX, AVE, STOCHASTIC = (caffe_pb2.PoolingParameter.PoolMethod.Value(name) for name in ("MAX", "AVE", "STOCHASTIC"))
_LOWEST = np.finfo(np.float32).min
_TINY = np.finfo(np.float32).tiny


@dataclass(frozen=True)
class Windows:
    """The windows of a pooling over the last axes: where each begins is position x stride - pad."""

    kernel: Kernel
    spatial: Shape
    out: Shape

    def counts(self) -> np.ndarray:
        """What Caffe's average divides by: a window's size, cut at the end of the padding and not of the image.

        A window wholly behind the image has 0 elements or fewer, as in Caffe.
        """
        result = np.ones(self.out, np.float32)
        for axis, size in enumerate(self.spatial):
            starts = np.arange(self.out[axis]) * self.kernel.stride[axis] - self.kernel.pad[axis]
            ends = np.minimum(starts + self.kernel.size[axis], size + self.kernel.pad[axis])
            result *= (ends - starts).reshape(-1, *(1,) * (len(self.out) - axis - 1))
        return result

    def reduce(self, x: np.ndarray, function: np.ufunc, fill: float) -> np.ndarray:
        """`function` over each window, one axis after the other; outside the image stands `fill`."""
        for axis in range(len(self.out)):
            line = Kernel(
                *((values[axis],) for values in (self.kernel.size, self.kernel.stride, self.kernel.pad, (1,) * 9))
            )
            moved = np.moveaxis(x, x.ndim - len(self.out) + axis, -1)
            view = patches(moved, line, (self.out[axis],), fill)
            x = np.moveaxis(function.reduce(view, axis=-2), -1, x.ndim - len(self.out) + axis)
        return x


def windows(kernel: Kernel, spatial: Shape, floor: bool = False) -> Windows:
    """The windows over `spatial`, their number rounded up or down; with padding, none begins behind the image."""
    out = []
    for size, k, s, p in zip(spatial, kernel.size, kernel.stride, kernel.pad, strict=True):
        gap = size + 2 * p - k
        count = (gap // s if floor else -(-gap // s)) + 1
        out.append(count - 1 if any(kernel.pad) and (count - 1) * s >= size + p else count)
    return Windows(kernel, spatial, tuple(out))


def max_pool(x: np.ndarray, shape: Windows) -> np.ndarray:
    """The largest number of each window; not-a-numbers are passed over, an empty window gives the lowest float."""
    return shape.reduce(x, np.fmax, _LOWEST) if np.isnan(x).any() else shape.reduce(x, np.maximum, _LOWEST)


def max_mask(x: np.ndarray, shape: Windows) -> np.ndarray:
    """Where in its image plane the first largest number of each window lies; -1 for an empty window."""
    axes = len(shape.out)
    plane = np.arange(np.prod(shape.spatial), dtype=np.int64).reshape(shape.spatial)
    where = patches(plane, shape.kernel, shape.out, -1).reshape(-1, *shape.out)
    lead = x.shape[: x.ndim - axes]
    seen = patches(x, shape.kernel, shape.out, _LOWEST).reshape(*lead, -1, *shape.out)
    first = np.argmax(np.where(where >= 0, seen, -np.inf), axis=len(lead))
    spread = np.broadcast_to(where, (*lead, *where.shape))
    return np.take_along_axis(spread, np.expand_dims(first, len(lead)), len(lead)).squeeze(len(lead))


def average_pool(x: np.ndarray, shape: Windows) -> np.ndarray:
    """The sum of each window over Caffe's count of its elements."""
    return shape.reduce(x, np.add, 0) / shape.counts()


def stochastic_pool(x: np.ndarray, shape: Windows) -> np.ndarray:
    """What Caffe's stochastic pooling gives in the test phase: sum x^2 / sum x over each window."""
    return shape.reduce(x * x, np.add, 0) / (shape.reduce(x, np.add, 0) + _TINY)


_METHODS = {MAX: max_pool, AVE: average_pool, STOCHASTIC: stochastic_pool}


def pool(x: np.ndarray, method: int, shape: Windows) -> np.ndarray:
    """x pooled by a method of PoolingParameter."""
    return _METHODS[method](x, shape).astype(np.float32, copy=False)


@layer("Pooling", field="pooling_param")
class Pooling(Reference):
    """The maximum or mean of each window; a second top takes the places of the maxima."""

    inplace, forks = False, frozenset({"pooling_param.ceil_mode"})

    def count_tops(self) -> tuple[int, int]:
        return 1, 2 if self.param.pool == MAX else 1

    def shapes(self, x: Shape) -> list[Shape]:
        self.kernel = self.read_kernel(self.legacy(x)[2:])
        self.expect(len(x) == 4, f"takes a bottom of 4 axes (num, channels, height, width), not {len(x)}", "")
        fork = self.layer.fork.pooling_param
        floor = self.param.round_mode == caffe_pb2.PoolingParameter.FLOOR
        self.windows = windows(self.kernel, x[2:], floor or (fork.HasField("ceil_mode") and not fork.ceil_mode))
        return [(*x[:2], *self.windows.out)] * len(self.layer.tops)

    def read_kernel(self, spatial: Shape) -> Kernel:
        """The kernel of the layer's PoolingParameter over an image of size `spatial`."""
        p = self.param
        size = self.read_size(p, spatial)
        pad, stride = self.pair(p, "pad"), self.pair(p, "stride")
        self.expect(all(size), "must not be 0", "kernel_size")
        self.expect(all(stride), "must not be 0", "stride")
        if p.global_pooling:
            what = "with global_pooling, pad must be 0 and stride 1"
            self.expect(pad == (0, 0) and stride == (1, 1), what, "global_pooling")
        if any(pad):
            self.expect(p.pool in (MAX, AVE), "stochastic pooling takes no padding", "pad")
            self.expect(pad[0] < size[0] and pad[1] < size[1], f"{pad} must be smaller than the kernel {size}", "pad")
        return Kernel(size, stride, pad, (1, 1))

    def read_size(self, p: Message, spatial: Shape) -> Shape:
        """The window's size: the image's with global_pooling, else kernel_size, else kernel_h and kernel_w."""
        one, both = p.HasField("kernel_size"), p.HasField("kernel_h") and p.HasField("kernel_w")
        if p.global_pooling:
            given = one or p.HasField("kernel_h") or p.HasField("kernel_w")
            self.expect(not given, "with global_pooling, no kernel size can be given", "global_pooling")
            return spatial
        self.expect(one != both, "give kernel_size, or kernel_h and kernel_w, and not both", "kernel_size")
        return (p.kernel_size,) * 2 if one else (p.kernel_h, p.kernel_w)

    def pair(self, p: Message, name: str) -> Shape:
        """`name`, or `name`_h and `name`_w."""
        high, wide = p.HasField(f"{name}_h"), p.HasField(f"{name}_w")
        allowed = not (high or wide) or (high and wide and not p.HasField(name))
        self.expect(allowed, f"give {name}, or {name}_h and {name}_w, and not both", name)
        return (getattr(p, f"{name}_h"), getattr(p, f"{name}_w")) if high else (getattr(p, name),) * 2

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        top = pool(x, self.param.pool, self.windows)
        return [top] if len(self.layer.tops) == 1 else [top, max_mask(x, self.windows).astype(np.float32)]


@layer("SPP", field="spp_param")
class SPP(Reference):
    """Spatial pyramid pooling: the image in 1, 2^2, 4^2, ... bins, flattened and joined; one level alone stays 4-D."""

    inplace = False

    def shapes(self, x: Shape) -> list[Shape]:
        height = self.param.pyramid_height
        self.expect(len(x) == 4, f"takes a bottom of 4 axes (num, channels, height, width), not {len(x)}")
        self.expect(x[2] > 0 and x[3] > 0, "takes no image of size 0")
        self.expect(0 < height < 16, f"must be between 1 and 15, not {height}", "pyramid_height")
        self.levels = [self._level(x[2:], 2**index) for index in range(height)]
        if height == 1:
            return [(*x[:2], *self.levels[0].out)]
        return [(x[0], sum(x[1] * level.out[0] * level.out[1] for level in self.levels))]

    def _level(self, spatial: Shape, bins: int) -> Windows:
        size = tuple(-(-length // bins) for length in spatial)
        pad = tuple((k * bins - length + 1) // 2 for k, length in zip(size, spatial, strict=True))
        what = f"an image of {spatial} cannot be divided into {bins} x {bins} bins"
        self.expect(all(p < k for p, k in zip(pad, size, strict=True)), what, "pyramid_height")
        self.expect(not any(pad) or self.param.pool in (MAX, AVE), "stochastic pooling takes no padding", "pool")
        return windows(Kernel(size, size, pad, (1, 1)), spatial)

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        parts = [pool(x, self.param.pool, level) for level in self.levels]
        if len(parts) == 1:
            return parts
        return [np.concatenate([part.reshape(len(x), -1) for part in parts], axis=1)]
