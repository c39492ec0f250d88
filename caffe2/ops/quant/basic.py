"""Quantized tensors made, undone and rearranged: what leaves bytes as they are, or only makes or reads them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from caffe2.opdef import UNKNOWN, EnforceNotMet, Op, op
from caffe2.ops import demand
from caffe2.ops.image.arrange import channel_shuffle
from caffe2.ops.image.resize import scaled
from caffe2.ops.join.slice import Slice
from caffe2.ops.quant.scheme import FOLLOWED, Quantizing, floats, quantized, to_real
from caffe2.ops.shape.layout import Transpose
from caffe2.ops.shape.reshape import Reshape, flatten
from caffe2.ops.window import channels_last
from caffe2.runtime.blob import Int8Tensor


@op("Int8Quantize: X Qparam? -> Y", shape=UNKNOWN, types="X: float", engines="DNNLOWP DNNLOWP_ROWWISE")
class Int8Quantize(Quantizing):
    """Y = round(X / Y_scale) + Y_zero_point, within 0 .. 255, halves rounded to even, and 0 where X / Y_scale >= 2^31.

    Qparam, as Int8GenQuantParams makes it, holds scale and zero point in place of the arguments. With the engine
    DNNLOWP and without Y_scale they are those that let bytes span X.
    """

    def __call__(self, x: Tensor, qparam: Any = None) -> Int8Tensor:
        scale = self.scale if qparam is None else qparam.scale
        beyond = x >= 2.0**31 * scale  # where the original's conversion to an integer runs over
        return self.output(x.masked_fill(beyond, -torch.inf), parameters=qparam)


@op("Int8Dequantize: qX -> Y", shape=UNKNOWN, engines="DNNLOWP DNNLOWP_ROWWISE")
@op("Int8DequantizeRowWise: qX -> Y", shape=UNKNOWN, engines="DNNLOWP")
def int8_dequantize(x: Int8Tensor) -> Tensor:
    """Y = scale * (qX - zero point)."""
    if quantized(x, "qX").data.dtype != torch.uint8:
        raise EnforceNotMet(f"qX holds bytes, not {str(x.data.dtype)[6:]}")
    return to_real(x)


class Filling(Op):
    """What the fills settle alike."""

    shape: tuple[int, ...] = ()
    Y_scale: float = 1.0
    Y_zero_point: int = 0

    def filled(self, data: Tensor) -> Int8Tensor:
        if data.numel() != torch.Size(self.shape).numel():
            raise EnforceNotMet(f"{data.numel()} values do not fill the shape {self.shape}")
        return Int8Tensor(data.reshape(self.shape), self.Y_scale, self.Y_zero_point)


@op("Int8GivenTensorFill: -> Tensor", shape=UNKNOWN)
class Int8GivenTensorFill(Filling):
    """A quantized tensor of a given shape, scale and zero point that holds the bytes of the string `values`."""

    values: bytes

    def __call__(self) -> Int8Tensor:
        return self.filled(torch.tensor(list(self.values), dtype=torch.uint8))


@op("Int8GivenIntTensorFill: -> Tensor", shape=UNKNOWN)
class Int8GivenIntTensorFill(Filling):
    """A quantized tensor of a given shape, scale and zero point that holds the 32-bit integers `values`."""

    values: tuple[int, ...]

    def __call__(self) -> Int8Tensor:
        return self.filled(torch.tensor(self.values, dtype=torch.int32))


@op("Int8Flatten: input -> output", shape=UNKNOWN)
class Int8Flatten(Quantizing):
    """Flatten of a quantized tensor: the dimensions before `axis` become one, and those from it on another."""

    axis: int = 1

    def __call__(self, x: Int8Tensor) -> Int8Tensor:
        return self.as_is(flatten(quantized(x).data, axis=self.axis).clone(), x)


@op("Int8Reshape: data new_shape? -> reshaped old_shape", inplace="data -> reshaped", shape=UNKNOWN, host="new_shape")
class Int8Reshape(Quantizing, Reshape):
    """Reshape of a quantized tensor."""

    def __call__(self, x: Int8Tensor, new_shape: Tensor | None = None) -> tuple[Int8Tensor, Tensor]:
        data, old = super().__call__(quantized(x).data, new_shape)
        return self.as_is(data.clone(), x), old


@op("Int8Slice: data starts? ends? -> output", shape=UNKNOWN, host="starts ends", arity=lambda i, o: i != 2)
class Int8Slice(Quantizing, Slice):
    """Slice of a quantized tensor; dim, start_idx and end_idx bound one dimension in place of starts and ends."""

    dim: int = 0
    start_idx: int | None = None
    end_idx: int | None = None

    def bind(self, site: Any) -> None:
        if self.start_idx is not None:
            last = -1 if self.end_idx is None else self.end_idx
            self.starts, self.ends = (*(0,) * self.dim, self.start_idx), (*(-1,) * self.dim, last)
        super().bind(site)

    def __call__(self, x: Int8Tensor, starts: Tensor | None = None, ends: Tensor | None = None) -> Int8Tensor:
        return self.as_is(super().__call__(quantized(x).data, starts, ends).clone(), x)


@op("Int8Transpose: X -> Y", shape=UNKNOWN)
class Int8Transpose(Quantizing, Transpose):
    """Transpose of a quantized tensor: dimension d of Y is dimension axes[d] of X; without axes they are reversed."""

    def __call__(self, x: Int8Tensor) -> Int8Tensor:
        return self.as_is(super().__call__(quantized(x).data).clone(), x)


@op("Int8Concat: +inputs -> concat_result split_info?", shape=UNKNOWN, engines="DNNLOWP")
class Int8Concat(Quantizing):
    """The inputs one after another along `axis`: 3 in the order NHWC, else 0, unless given. split_info is left empty.

    Their bytes are kept as they are; with the engine DNNLOWP they are brought to one scale and zero point.
    """

    axis: int | None = None
    order: str = ""

    def bind(self, site: Any) -> None:
        super().bind(site)
        if self.axis is None:
            self.axis = 3 if self.order and channels_last(self.order) else 0

    def __call__(self, *xs: Int8Tensor) -> tuple[Int8Tensor, None]:
        if self.lowp:
            return self.output(torch.cat([self.real(x) for x in xs], self.axis)), None
        parts = [quantized(x, "every input").data for x in xs]
        return self.as_is(torch.cat(parts, self.axis), xs[0]), None


@op("Int8ChannelShuffle: X -> Y", shape=UNKNOWN, engines="DNNLOWP")
class Int8ChannelShuffle(Quantizing):
    """ChannelShuffle of a quantized tensor, in the order NHWC."""

    group: int = 1
    order: str = "NCHW"

    def __call__(self, x: Int8Tensor) -> Int8Tensor:
        x = self.held(x)
        return self.as_is(channel_shuffle(x.data, group=self.group, order=self.order), x)


@op("Int8ResizeNearest: X -> Y", shape=UNKNOWN)
class Int8ResizeNearest(Quantizing):
    """Y[n, i, j, c] = X[n, floor(i / height_scale), floor(j / width_scale), c]; X is N H W C.

    output_size: height and width from which whole scales are worked out, rounded down, in place of the others.
    """

    width_scale: float = 1.0
    height_scale: float = 1.0
    output_size: tuple[int, ...] = ()

    def __call__(self, x: Int8Tensor) -> Int8Tensor:
        data = quantized(x).data
        demand.rank(data, 4, "X")
        by = self.height_scale, self.width_scale
        if self.output_size:
            by = tuple(float(wanted // held) for wanted, held in zip(self.output_size, data.shape[1:3]))
        for axis, (count, scale) in enumerate(zip(scaled(data.shape[1:3], by), by), 1):
            at = (torch.arange(count, dtype=torch.float32) / scale).long() if count else torch.arange(0)
            data = data.index_select(axis, at.clamp(max=data.shape[axis] - 1).to(data.device))
        return self.as_is(data, x)


@op("Quantize: X Qparam? -> Y", shape=UNKNOWN, types="X: float", engines="DNNLOWP DNNLOWP_16 DNNLOWP_ROWWISE")
class Quantize(Int8Quantize):
    """Int8Quantize under the name that the DNNLOWP engines give it: without Y_scale bytes span the values of X."""

    def bind(self, site: Any) -> None:
        super().bind(site)
        self._adaptive = self.Y_scale is None and not (self.lowp and self.followed_by in FOLLOWED)


@op("Dequantize: X -> Y", shape=UNKNOWN, engines="DNNLOWP DNNLOWP_16 DNNLOWP_ROWWISE")
def dequantize(x: Int8Tensor | Tensor) -> Tensor:
    """Y = scale * (X - zero point); a tensor of floats is handed on."""
    return to_real(x) if isinstance(x, Int8Tensor) else floats(x).clone()
