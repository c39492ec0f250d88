"""Operators on quantized images: poolings, regions, normalizations, rows picked out."""

from __future__ import annotations

import math
from inspect import cleandoc
from typing import Any

import torch
from torch import Tensor

from caffe2.opdef import UNKNOWN, EnforceNotMet, OutputCount, op
from caffe2.ops import demand
from caffe2.ops.detection.roi_align import Align, Upright
from caffe2.ops.norm.group import GroupNorm
from caffe2.ops.pool.average_pool import averaged
from caffe2.ops.pool.pooling import own, reduced
from caffe2.ops.quant.scheme import Quantizing, quantized, to_real
from caffe2.ops.window import Frame, Window, channels_last
from caffe2.runtime.blob import Int8Tensor

POOL = """The {what} of each window of a quantized tensor{relu}.

X: (N, H, W, C) in the order NHWC, or (N, C, H, W), quantized.
Y: (N, H', W', C), or (N, C, H', W'), {more}
dilation, dilation_h, dilation_w, dilations: counts for the size of Y and not within a window, as in the original.
"""
KEPT = """with the bytes, scale and zero point of X.
count_include_pad: accepted and ignored."""
MEAN = """quantized.
count_include_pad: with an engine of the DNNLOWP family: whether the padding counts as zeros, or not at all. Without
    such an engine it always counts as zeros."""


class Dense(Quantizing, Window):
    """A pooling; `dilation` counts for how many windows there are, and not within one, as in the original.

    count_include_pad: whether the padding counts, as zeros, in the mean of a window.
    """

    count_include_pad: bool = False

    def pooled(self, x: Tensor, combine: Any, blank: int = 0) -> tuple[Tensor, Frame]:
        """The windows of x combined, the padding being `blank`, and the window."""
        frame = self.frame(x)
        count = frame.out(self.size(x))
        frame = frame._replace(dilation=(1,) * len(count))
        y = reduced(frame.pad(x, self.first_axis, blank), self.first_axis, frame, combine)[-1]
        for axis, n in enumerate(count, self.first_axis):
            y = y.narrow(axis, 0, n)
        return own(y, frame), frame


class MaxPool(Dense):
    def __call__(self, x: Int8Tensor) -> Int8Tensor:
        x = self.held(x)
        y, _ = self.pooled(x.data, torch.maximum)
        return self.as_is(y.clamp(min=x.zero_point) if self.relu else y, x)


class MaxPoolRelu(MaxPool):
    relu = True


class AveragePool(Dense):
    def __call__(self, x: Int8Tensor) -> Int8Tensor:
        real = self.real(x)
        total, frame = self.pooled(real, torch.add)
        if self.lowp:
            return self.output(averaged(total, self.size(real), self.first_axis, frame, self.count_include_pad))
        return self.output(total, 1 / math.prod(frame.kernel))


class AveragePoolRelu(AveragePool):
    relu = True


for _name, _what, _more, _bodies in (
    ("MaxPool", "maximum", KEPT, (MaxPool, MaxPoolRelu)),
    ("AveragePool", "mean", MEAN, (AveragePool, AveragePoolRelu)),
):
    for _suffix, _relu, _body in zip(("", "Relu"), ("", ", negative ones raised to 0"), _bodies):
        op(
            f"Int8{_name}{_suffix}: X -> Y",
            shape=UNKNOWN,
            engines="DNNLOWP",
            doc=POOL.format(what=_what, relu=_relu, more=_more),
        )(_body)


@op("Int8RoIAlign: X RoIs -> Y", shape=UNKNOWN)
class Int8RoIAlign(Quantizing, Upright, Align):
    """RoIAlign of quantized images: the mean of bilinear samples in each cell of a grid laid over each region.

    X: (N, H, W, C), or (N, C, H, W) in the order NCHW, quantized.
    RoIs: (R, 4) or (R, 5), floats: rows (image, x1, y1, x2, y2); image may be left out where N is 1.
    Y: (R, pooled_h, pooled_w, C), or (R, C, pooled_h, pooled_w), quantized.
    spatial_scale: pixels of X for one unit of the coordinates in RoIs.
    pooled_h, pooled_w: how many rows and columns of cells the grid has.
    sampling_ratio: samples along each axis of a cell; 0 or less: ceil(size of the region / cells).
    aligned: coordinates are shifted by half a pixel, and regions may be smaller than one.
    """

    order: str = "NHWC"

    def __call__(self, x: Int8Tensor, rois: Tensor) -> Int8Tensor:
        return self.output(super().__call__(self.real(quantized(x)), rois))


class Int8SpatialBN(Quantizing):
    """Batch normalization with given statistics: Y = (X - mean) / sqrt(var + epsilon) * scale + bias, by channel.

    X: (N, C, H, W), or (N, H, W, C) in the order NHWC.
    scale, bias, mean, var: (C), floats.
    Y: quantized, of the shape of X.
    is_test: must be set: it is for inference alone.
    epsilon: is added to the variance; positive.
    """

    is_test: bool = False
    epsilon: float = 1e-5
    order: str = "NCHW"

    def bind(self, site: Any) -> None:
        super().bind(site)
        if not self.is_test or not self.epsilon > 0:
            raise EnforceNotMet(f"is_test must be set and epsilon positive; they are {self.is_test} and {self.epsilon}")
        self.last = channels_last(self.order)

    def __call__(self, x: Int8Tensor, scale: Tensor, bias: Tensor, mean: Tensor, var: Tensor) -> Int8Tensor:
        real = self.real(x)
        slope = scale / (var + self.epsilon).sqrt()
        shape = (-1,) if self.last else (-1, *[1] * (real.dim() - 2))
        y = torch.addcmul((bias - mean * slope).view(shape), real, slope.view(shape))
        return self.output(y)


class Int8SpatialBNRelu(Int8SpatialBN):
    relu = True


for _suffix, _body in (("", Int8SpatialBN), ("Relu", Int8SpatialBNRelu)):
    op(
        f"Int8SpatialBN{_suffix}: X scale bias mean var -> Y",
        inplace="X -> Y",
        shape=UNKNOWN,
        engines="DNNLOWP",
        doc=cleandoc(Int8SpatialBN.__doc__) + ("\n\nNegative values of Y are raised to 0." if _suffix else ""),
    )(_body)


@op("Int8GroupNorm: X gamma beta -> Y mean? std?", shape=UNKNOWN, engines="DNNLOWP")
class Int8GroupNorm(Quantizing, GroupNorm):
    """GroupNorm of a quantized tensor: Y = (X - mean) / sqrt(variance + epsilon) * gamma + beta.

    Mean and variance are those of each sample's group of channels.

    X: (N, C, ...), or (N, ..., C) in the order NHWC.
    gamma, beta: (C), floats or quantized.
    Y: quantized, of the shape of X.
    mean, std: (N, group), float32: the mean, and 1 / sqrt(variance + epsilon).
    group: how many groups the channels fall into; it divides C.
    epsilon: is added to the variance.
    """

    outputs: OutputCount

    def __call__(self, x: Int8Tensor, gamma: Tensor, beta: Tensor) -> tuple[Any, ...]:
        slope, shift = (to_real(v) if isinstance(v, Int8Tensor) else v for v in (gamma, beta))
        y, mean, std = super().__call__(self.real(x), slope, shift)
        return self.output(y), mean, std


@op("Int8Gather: DATA INDICES -> OUTPUT", shape=UNKNOWN, engines="DNNLOWP", types="INDICES: index")
class Int8Gather(Quantizing):
    """Rows of a quantized tensor.

    DATA: (M, ...), quantized.
    INDICES: any shape; rows of DATA, counted from 0.
    OUTPUT: the shape of INDICES, then that of a row, with the scale and zero point of DATA.
    """

    def __call__(self, x: Int8Tensor, indices: Tensor) -> Int8Tensor:
        x = self.held(x)
        demand.in_range(indices, x.data.shape[0], "INDICES")
        return x._replace(data=x.data[indices.long()])
