"""Operators on quantized images: poolings, regions, normalizations, rows picked out."""

from __future__ import annotations

import math
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

X is N H W C, or N C H W with an engine of the DNNLOWP family and the order NCHW.{more}
The arguments are those of every sliding window.
"""
KEPT = " Its bytes are kept as they are."
MEAN = """ Y is quantized by Y_scale and
Y_zero_point. Padding counts as zeros; with these engines it counts with count_include_pad alone."""


class Dense(Quantizing, Window):
    """A pooling; `dilation` counts for how many windows there are, and not within one, as in the original."""

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
    """RoIAlign of a quantized tensor, N H W C, quantized by Y_scale and Y_zero_point."""

    order: str = "NHWC"

    def __call__(self, x: Int8Tensor, rois: Tensor) -> Int8Tensor:
        return self.output(super().__call__(self.real(quantized(x)), rois))


class Int8SpatialBN(Quantizing):
    """Y = (X - mean) / sqrt(var + epsilon) * scale + bias for a quantized X, channel by channel, with given statistics.

    X is N C H W (order NHWC: N H W C); the others have an element a channel. It is for inference: is_test must be set.
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
        doc=Int8SpatialBN.__doc__ + ("\n    Negative values count as 0." if _suffix else ""),
    )(_body)


@op("Int8GroupNorm: X gamma beta -> Y mean? std?", shape=UNKNOWN, engines="DNNLOWP")
class Int8GroupNorm(Quantizing, GroupNorm):
    """GroupNorm of a quantized tensor, quantized by Y_scale and Y_zero_point."""

    outputs: OutputCount

    def __call__(self, x: Int8Tensor, gamma: Tensor, beta: Tensor) -> tuple[Any, ...]:
        slope, shift = (to_real(v) if isinstance(v, Int8Tensor) else v for v in (gamma, beta))
        y, mean, std = super().__call__(self.real(x), slope, shift)
        return self.output(y), mean, std


@op("Int8Gather: DATA INDICES -> OUTPUT", shape=UNKNOWN, engines="DNNLOWP", types="INDICES: index")
class Int8Gather(Quantizing):
    """The rows of a quantized tensor that INDICES name, in their shape."""

    def __call__(self, x: Int8Tensor, indices: Tensor) -> Int8Tensor:
        x = self.held(x)
        demand.in_range(indices, x.data.shape[0], "INDICES")
        return x._replace(data=x.data[indices.long()])
