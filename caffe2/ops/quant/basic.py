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

    X: float32, of any shape.
    Qparam: the scale and zero point, as Int8GenQuantParams makes them, instead of the arguments.
    Y: quantized, of the shape of X.
    """

    def __call__(self, x: Tensor, qparam: Any = None) -> Int8Tensor:
        scale = self.scale if qparam is None else qparam.scale
        beyond = x >= 2.0**31 * scale  # where the original's conversion to an integer runs over
        return self.output(x.masked_fill(beyond, -torch.inf), parameters=qparam)


@op("Int8Dequantize: qX -> Y", shape=UNKNOWN, engines="DNNLOWP DNNLOWP_ROWWISE")
@op("Int8DequantizeRowWise: qX -> Y", shape=UNKNOWN, engines="DNNLOWP")
def int8_dequantize(x: Int8Tensor) -> Tensor:
    """Y = scale * (qX - zero point).

    qX: a quantized tensor of bytes.
    Y: float32, of the shape of qX.
    """
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
    """A quantized tensor that holds the bytes of the string `values`: a matrix of weights.

    Tensor: of the shape, scale and zero point given.
    values: the bytes, as many as the shape has elements.
    shape: the shape.
    Y_scale, Y_zero_point: the scale and the zero point.
    """

    values: bytes

    def __call__(self) -> Int8Tensor:
        return self.filled(torch.tensor(list(self.values), dtype=torch.uint8))


@op("Int8GivenIntTensorFill: -> Tensor", shape=UNKNOWN)
class Int8GivenIntTensorFill(Filling):
    """A quantized tensor that holds the 32-bit integers `values`: a bias.

    Tensor: of the shape, scale and zero point given.
    values: the integers, as many as the shape has elements.
    shape: the shape.
    Y_scale, Y_zero_point: the scale and the zero point.
    """

    values: tuple[int, ...]

    def __call__(self) -> Int8Tensor:
        return self.filled(torch.tensor(self.values, dtype=torch.int32))


@op("Int8Flatten: input -> output", shape=UNKNOWN)
class Int8Flatten(Quantizing):
    """A quantized tensor as a matrix: the dimensions before `axis` are joined, and those from it on.

    output: (rows, columns), with the scale and zero point of the input.
    axis: where the columns begin; 0 makes one row.
    """

    axis: int = 1

    def __call__(self, x: Int8Tensor) -> Int8Tensor:
        return self.as_is(flatten(quantized(x).data, axis=self.axis).clone(), x)


@op("Int8Reshape: data new_shape? -> reshaped old_shape", inplace="data -> reshaped", shape=UNKNOWN, host="new_shape")
class Int8Reshape(Quantizing, Reshape):
    """The same bytes under another shape.

    new_shape: the shape, instead of the argument.
    reshaped: of the new shape, with the scale and zero point of data.
    old_shape: the shape of data, int64.
    shape: the new shape; 0 keeps data's dimension at that place, and one -1 is worked out from the others.
    """

    def __call__(self, x: Int8Tensor, new_shape: Tensor | None = None) -> tuple[Int8Tensor, Tensor]:
        data, old = super().__call__(quantized(x).data, new_shape)
        return self.as_is(data.clone(), x), old


@op("Int8Slice: data starts? ends? -> output", shape=UNKNOWN, host="starts ends", arity=lambda i, o: i != 2)
class Int8Slice(Quantizing, Slice):
    """A box cut out of a quantized tensor: output[i, j, ...] = data[starts[0] + i, starts[1] + j, ...].

    starts, ends: where the box begins and ends along each dimension. An end of -1 is the end of the dimension, -2 one
        before it, and so on.
    output: ends - starts along each dimension, with the scale and zero point of data.
    dim, start_idx, end_idx: bounds of one dimension, instead of starts and ends.
    """

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
    """The dimensions in another order: dimension d of Y is dimension axes[d] of X.

    Y: with the scale and zero point of X.
    axes: the order; unless given the dimensions are reversed.
    """

    def __call__(self, x: Int8Tensor) -> Int8Tensor:
        return self.as_is(super().__call__(quantized(x).data).clone(), x)


@op("Int8Concat: +inputs -> concat_result split_info?", shape=UNKNOWN, engines="DNNLOWP")
class Int8Concat(Quantizing):
    """Quantized tensors one after another along a dimension.

    Their bytes are kept as they are; with the engine DNNLOWP they are brought to one scale and zero point.

    inputs: quantized tensors with the same dimensions but for `axis`.
    concat_result: the dimensions of the inputs, those along `axis` added up.
    split_info: left empty.
    axis: the dimension; unless given 3 in the order NHWC and 0 else, or 1 with the engine DNNLOWP.
    order: NHWC or NCHW; settles the axis where that is not given.
    """

    axis: int | None = None
    order: str = ""

    def bind(self, site: Any) -> None:
        super().bind(site)
        if self.axis is None:
            self.axis = 3 if self.order and channels_last(self.order) else int(self.lowp)

    def __call__(self, *xs: Int8Tensor) -> tuple[Int8Tensor, None]:
        if self.lowp:
            return self.output(torch.cat([self.real(x) for x in xs], self.axis)), None
        parts = [quantized(x, "every input").data for x in xs]
        return self.as_is(torch.cat(parts, self.axis), xs[0]), None


@op("Int8ChannelShuffle: X -> Y", shape=UNKNOWN, engines="DNNLOWP")
class Int8ChannelShuffle(Quantizing):
    """The channels in another order: channel g * (C / group) + k of X is channel k * group + g of Y.

    X: (N, H, W, C), or (N, C, H, W) in the order NCHW, quantized.
    Y: of the shape, scale and zero point of X.
    group: how many groups of channels are interleaved; it divides C.
    """

    group: int = 1
    order: str = "NCHW"

    def __call__(self, x: Int8Tensor) -> Int8Tensor:
        x = self.held(x)
        return self.as_is(channel_shuffle(x.data, group=self.group, order=self.order), x)


@op("Int8ResizeNearest: X -> Y", shape=UNKNOWN)
class Int8ResizeNearest(Quantizing):
    """Images resized by the nearest pixel: Y[n, i, j, c] = X[n, floor(i / height_scale), floor(j / width_scale), c].

    X: (N, H, W, C), quantized.
    Y: (N, floor(H * height_scale), floor(W * width_scale), C), with the scale and zero point of X.
    width_scale, height_scale: by how much columns and rows become more.
    output_size: (height, width), from which the scales are worked out as whole numbers, rounded down; instead of them.
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
    """Int8Quantize under the name that the DNNLOWP engines give it: without Y_scale the bytes span the values of X.

    X: float32, of any shape.
    Qparam: the scale and zero point, as Int8GenQuantParams makes them, instead of the arguments.
    Y: quantized, of the shape of X.
    """

    def bind(self, site: Any) -> None:
        super().bind(site)
        self._adaptive = self.Y_scale is None and not (self.lowp and self.followed_by in FOLLOWED)


@op("Dequantize: X -> Y", shape=UNKNOWN, engines="DNNLOWP DNNLOWP_16 DNNLOWP_ROWWISE")
def dequantize(x: Int8Tensor | Tensor) -> Tensor:
    """Y = scale * (X - zero point), as float32.

    X: a quantized tensor; a tensor of floats is copied.
    Y: float32, of the shape of X.
    """
    return to_real(x) if isinstance(x, Int8Tensor) else floats(x).clone()
