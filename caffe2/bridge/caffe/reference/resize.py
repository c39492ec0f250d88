"""Layers of forks that change the size of images."""

from __future__ import annotations

import numpy as np

from caffe2.bridge.caffe.blobs import shape_text
from caffe2.bridge.caffe.layers import Shape
from caffe2.bridge.caffe.reference.base import Reference, layer


@layer("Interp", field="interp_param", bottoms=(1, 2))
class Interp(Reference):
    """DeepLab's bilinear interpolation, corners on corners, to a given size, by a factor, or to a second bottom's."""

    inplace = False

    def shapes(self, x: Shape, *size: Shape) -> list[Shape]:
        p = self.param
        self.expect(len(x) == 4, f"takes a bottom of 4 axes (num, channels, height, width), not {len(x)}")
        self.expect(p.pad_beg <= 0 and p.pad_end <= 0, "pads must be 0 or negative (crops)", "pad_beg")
        self.expect(p.interp_type == "bilinear", f'only "bilinear" is known, not "{p.interp_type}"', "interp_type")
        inner = tuple(length + p.pad_beg + p.pad_end for length in x[2:])
        self.expect(min(inner) > 0, f"nothing is left of {shape_text(x)}", "pad_beg")
        if size:
            self.expect(len(size[0]) == 4, f"the size bottom must have 4 axes, not {shape_text(size[0])}", "")
        self.out = size[0][2:] if size else tuple(self._length(length, axis) for axis, length in enumerate(inner))
        self.expect(min(self.out) > 0, f"the size {self.out} must be positive", "height")
        return [(*x[:2], *self.out)]

    def _length(self, length: int, axis: int) -> int:
        p = self.param
        zoom, shrink = p.HasField("zoom_factor"), p.HasField("shrink_factor")
        self.expect(not zoom or p.zoom_factor >= 1, "must be positive", "zoom_factor")
        self.expect(not shrink or p.shrink_factor >= 1, "must be positive", "shrink_factor")
        if not zoom and not shrink:
            given = p.HasField("height") and p.HasField("width")
            self.expect(given, "give zoom_factor, shrink_factor, or height and width", "height")
            return (p.height, p.width)[axis]
        if shrink:
            length = (length - 1) // p.shrink_factor + 1
        return length + (length - 1) * (p.zoom_factor - 1) if zoom else length

    def forward(self, x: np.ndarray, *size: np.ndarray) -> list[np.ndarray]:
        begin, end = -self.param.pad_beg, self.param.pad_end
        inner = x[:, :, begin : x.shape[2] + end, begin : x.shape[3] + end]
        return [along(along(inner, self.out[0], 2), self.out[1], 3)]


def along(x: np.ndarray, length: int, axis: int) -> np.ndarray:
    """x interpolated linearly along an axis to another length, first and last numbers kept."""
    size = x.shape[axis]
    place = np.arange(length) * np.float32((size - 1) / (length - 1) if length > 1 else 0)
    low = np.minimum(place.astype(np.int64), size - 1)
    part = (place - low).astype(np.float32).reshape(-1, *(1,) * (x.ndim - axis - 1))
    return (1 - part) * x.take(low, axis) + part * x.take(np.minimum(low + 1, size - 1), axis)


@layer("Upsample", field="upsample_param", bottoms=(1, 2))
class Upsample(Reference):
    """With two bottoms SegNet's unpooling: each number goes where the mask of a pooling says, zeros elsewhere.

    With one bottom YOLO's: each number repeated `scale` times (or `stride` times, multiplied by `scale`) both ways.
    """

    inplace = False

    def shapes(self, x: Shape, *mask: Shape) -> list[Shape]:
        p = self.param
        self.expect(len(x) == 4, f"takes a bottom of 4 axes (num, channels, height, width), not {len(x)}")
        if not mask:
            self.factor = self._factor()
            return [(*x[:2], x[2] * self.factor[0], x[3] * self.factor[1])]
        self.expect(mask[0] == x, f"the mask {shape_text(mask[0])} must have the shape {shape_text(x)}")
        if p.HasField("upsample_h") and p.HasField("upsample_w"):
            self.out = (p.upsample_h, p.upsample_w)
        else:
            high, wide = (p.scale_h, p.scale_w) if p.HasField("scale_h") else (int(p.scale),) * 2
            self.expect(high > 1 and wide > 1, "must be larger than 1", "scale")
            odd = (p.pad_out_h and high != 2) or (p.pad_out_w and wide != 2)
            self.expect(not odd, "takes a scale of 2", "pad_out_h")
            self.out = (x[2] * high - p.pad_out_h, x[3] * wide - p.pad_out_w)
        self.expect(min(self.out) > 1, f"the size {self.out} must be larger than 1", "upsample_h")
        return [(*x[:2], *self.out)]

    def _factor(self) -> Shape:
        p = self.param
        if p.HasField("stride_h") or p.HasField("stride_w"):
            factor = (p.stride_h or 2, p.stride_w or 2)
        elif p.HasField("stride"):
            factor = (p.stride, p.stride)
        else:
            factor = (int(p.scale) if p.HasField("scale") else 1,) * 2
        self.expect(min(factor) > 0, "must be positive", "scale")
        return factor

    def forward(self, x: np.ndarray, *mask: np.ndarray) -> list[np.ndarray]:
        if not mask:
            p = self.param
            gain = p.scale if p.HasField("scale") and (p.HasField("stride") or p.HasField("stride_h")) else 1
            return [np.float32(gain) * x.repeat(self.factor[0], 2).repeat(self.factor[1], 3)]
        places = mask[0].reshape(*x.shape[:2], -1).astype(np.int64)
        inside = ((places >= 0) & (places < self.out[0] * self.out[1])).all()
        self.expect(bool(inside), f"the mask names a place outside {self.out}", "upsample_h")
        top = np.zeros((*x.shape[:2], self.out[0] * self.out[1]), np.float32)
        np.put_along_axis(top, places, x.reshape(*x.shape[:2], -1), 2)
        return [top.reshape(*x.shape[:2], *self.out)]
