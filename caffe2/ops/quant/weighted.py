"""Operators on quantized tensors with quantized weights: convolutions, fully connected layers, matrix products."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.opdef import UNKNOWN, EnforceNotMet, op
from caffe2.ops.conv.conv import Convolving
from caffe2.ops.conv.transpose import Transposing
from caffe2.ops.quant.scheme import Quantizing, chosen, floats, quantized, to_bytes
from caffe2.ops.window import Frame
from caffe2.runtime.blob import Int8Tensor

ENGINES = "DNNLOWP DNNLOWP_ACC16 DNNLOWP_ROWWISE"


class PackedWeights(NamedTuple):
    """Quantized weights, worked out once: whole numbers as floats, so that products are exact, in multiples of a unit.

    units: where each row has a unit of its own, these; the values are then real ones.
    """

    values: Tensor
    unit: float
    zero_point: int
    units: Tensor | None


def packed(w: Int8Tensor | Tensor, parts: int = 1) -> PackedWeights:
    """Weights, centred on 0, of a quantized tensor, or of one of floats in so many equal parts of its rows."""
    if isinstance(w, Int8Tensor):
        return PackedWeights(w.data.to(torch.float32).sub_(w.zero_point), w.scale, w.zero_point, None)
    if parts == 1:
        parameters = chosen(floats(w, "the weights"))
        return packed(Int8Tensor(to_bytes(w, *parameters), *parameters))
    chunks = [packed(part) for part in w.chunk(parts)]
    units = torch.cat([torch.full((len(c.values),), c.unit, device=w.device) for c in chunks])
    return PackedWeights(torch.cat([c.values * c.unit for c in chunks]), 1.0, 0, units)


class Weighted(Quantizing):
    """Base of operators with weights, which are packed once for each tensor of them."""

    _seen: tuple[Any, int] = (None, 0)

    def parts(self, rows: int) -> int:
        """In how many parts of so many rows weights of floats are quantized."""
        return rows if self.rowwise else 1

    def bind(self, site: Any) -> None:
        super().bind(site)
        self.rowwise = "ROWWISE" in site.op.engine

    def weights(self, w: PackedWeights | Int8Tensor | Tensor) -> PackedWeights:
        """The packed weights; remembered for the same tensor while nothing writes to it."""
        if isinstance(w, PackedWeights):
            return w
        held = w.data if isinstance(w, Int8Tensor) else w
        tensor, version = self._seen
        if tensor is not held or version != held._version:
            self._kept, self._seen = packed(w, self.parts(len(held))), (held, held._version)
        return self._kept

    def offset(self, b: Int8Tensor | Tensor | None, unit: float, weights: PackedWeights) -> Tensor | None:
        """The bias in multiples of the unit of X times that of W, whole numbers as in the original's sums.

        Row by row the original rounds it to the first row's unit and takes the result in each row's own.
        """
        if b is None:
            return None
        if isinstance(b, Int8Tensor):
            return b.data.to(torch.float32) * (1 if weights.units is None else weights.units)
        if weights.units is None:
            return (floats(b, "bias") / (unit * weights.unit)).round()
        return (floats(b, "bias") / (unit * weights.units[0])).round() * weights.units


CONV = """{what} of a quantized tensor with quantized weights, plus bias{relu}.

X: (N, H, W, C) in the order NHWC, or (N, C, H, W), quantized.
filter: {filter}.
bias: (M): 32-bit integers in units of the product of the scales of X and filter, or floats; none is 0.
Y: (N, H', W', M), or (N, M, H', W'), quantized; H' and W' as in {kind}.
group: how many groups the channels fall into, each convolved by itself.
"""
FILTER = """(M, kH, kW, C / group), or (M, C / group, kH, kW) in the order NCHW: quantized, packed by
    Int8ConvPackWeight, or floats, which are quantized first"""


class Convolution(Weighted, Convolving):
    """A convolution.

    quantize_groupwise: filters of floats get a scale and a zero point for each group of output channels.
    """

    quantize_groupwise: bool = False

    def parts(self, rows: int) -> int:
        return self.group if self.quantize_groupwise or self.rowwise else 1

    def __call__(self, x: Int8Tensor, w: Int8Tensor | PackedWeights, b: Int8Tensor | None = None) -> Int8Tensor:
        x, weights = self.held(x), self.weights(w)
        values = x.data.to(torch.float32).sub_(x.zero_point)
        image, filters, frame, pad = self.prepared(values, weights.values)
        bias = self.offset(b, x.scale, weights)
        if self.lowp and weights.units is None and paired(filters, frame, self.group):
            y = in_pairs(image, x.zero_point, filters, weights.zero_point, frame)
            y = y if bias is None else y + bias[:, None, None]
        else:
            none = (0,) * len(pad)
            y = torch.convolution(image, filters, bias, frame.stride, pad, frame.dilation, False, none, self.group)
        return self.output(self.ordered(y), x.scale * weights.unit)


def in_pairs(image: Tensor, zero: int, filters: Tensor, filter_zero: int, frame: Frame) -> Tensor:
    """A convolution of channels by themselves whose products are added two by two in 16 bits that saturate.

    So fbgemm's kernel has it. The products are of bytes as they are and of weights less 128; what the zero points add
    to them is taken off afterwards.
    """
    shift = filter_zero - 128
    windows = F.unfold(frame.pad(image, 2), frame.kernel, 1, 0, frame.stride) + zero
    windows = windows.unflatten(1, (image.shape[1], 9))
    rows = (filters.flatten(1) + shift)[None, :, :, None]
    products = F.pad(windows * rows, (0, 0, 0, 1)).unflatten(2, (5, 2)).sum(3)
    total = products.clamp(-(2**15), 2**15 - 1).sum(2)
    total = total - zero * rows.sum(2) - shift * windows.sum(2) + 9 * zero * shift
    return total.unflatten(2, frame.out(image.shape[2:]))


def paired(filters: Tensor, frame: Frame, group: int) -> bool:
    """Whether fbgemm convolves each channel by itself: 3 x 3 filters, one a channel, padded by 1, and 8 k channels."""
    alike = frame.kernel == (3, 3) and frame.head == frame.tail == (1, 1) and frame.dilation == (1, 1)
    return alike and group == filters.shape[0] and filters.shape[1] == 1 and group % 8 == 0


class ConvolutionRelu(Convolution):
    relu = True


@op(
    "Int8ConvTranspose: X filter bias? -> Y",
    shape=UNKNOWN,
    doc=CONV.format(
        what="The transposed convolution", relu="", filter="(C, kH, kW, M), quantized", kind="ConvTranspose"
    ),
)
class TransposedConvolution(Weighted, Transposing):
    def __call__(self, x: Int8Tensor, w: Int8Tensor | PackedWeights, b: Int8Tensor | None = None) -> Int8Tensor:
        x, weights = self.held(x), self.weights(quantized(w, "filter"))
        image, filters = self.images(x.data.to(torch.float32).sub_(x.zero_point), weights.values)
        bias = self.offset(b, x.scale, weights)
        y = torch.convolution(image, filters, bias if self.plain else None, *self.tail_arguments())
        if not self.plain:
            y = F.pad(y, self.margins(1))
            y = y if bias is None else y + bias[:, None, None]
        return self.output(self.ordered(y), x.scale * weights.unit)


class FullyConnected(Weighted):
    """Y = X W^T + b.

    axis: X is made a matrix before this dimension.
    """

    axis: int = 1
    axis_w: int = 1

    def __call__(
        self, x: Int8Tensor, w: Int8Tensor | PackedWeights, b: Int8Tensor, qparam: Any = None
    ) -> tuple[Int8Tensor, ...]:
        x, weights = self.held(x), self.weights(w)
        values = x.data.to(torch.float32).sub_(x.zero_point)
        rows = values.reshape(values.shape[: self.axis].numel(), values.shape[self.axis :].numel())
        matrix = weights.values.reshape(weights.values.shape[: self.axis_w].numel(), -1)
        if rows.shape[1] != matrix.shape[1]:
            raise EnforceNotMet(f"X has {rows.shape[1]} columns from axis {self.axis} on; W has {matrix.shape[1]}")
        y = F.linear(rows, matrix, self.offset(b, x.scale, weights))
        return self.output(y, x.scale * weights.unit, qparam)


class FullyConnectedAlone(FullyConnected):
    def __call__(
        self, x: Int8Tensor, w: Int8Tensor | PackedWeights, b: Int8Tensor, qparam: Any = None
    ) -> tuple[Any, ...]:
        return super().__call__(x, w, b, qparam), None, None, None


class FullyConnectedRelu(FullyConnected):
    relu = True


FC = """A fully connected layer on quantized tensors: Y = X W^T + b{relu}.

X: quantized, made a matrix (M, K) by joining the dimensions before `axis`, and those from it on.
W: (N, K), quantized, packed by Int8FCPackWeight, or floats, which are quantized first, row by row with the engine
    DNNLOWP_ROWWISE.
b: (N): 32-bit integers in units of the product of the scales of X and W, or floats.
Qparam: the scale and zero point of Y, as Int8GenQuantParams makes them, instead of the arguments.
Y: (M, N), quantized.
axis: where the columns of X begin.
axis_w: where the columns of W begin.
"""

for _suffix, _relu, _conv, _fc in (
    ("", "", Convolution, FullyConnectedAlone),
    ("Relu", "; negative sums count as 0", ConvolutionRelu, FullyConnectedRelu),
):
    op(
        f"Int8Conv{_suffix}: X filter bias? -> Y",
        shape=UNKNOWN,
        engines=ENGINES,
        doc=CONV.format(what="The convolution", relu=_relu, filter=FILTER, kind="Conv"),
    )(_conv)
    op(
        f"Int8FC{_suffix}: X W b Qparam? -> Y" + ("" if _suffix else " unused_1? unused_2? unused_3?"),
        shape=UNKNOWN,
        engines=ENGINES,
        doc=FC.format(relu=_relu) + ("" if _suffix else "unused_1, unused_2, unused_3: left empty.\n"),
    )(_fc)


@op("Int8BatchMatMul: A B -> Y", shape=UNKNOWN, engines=ENGINES)
class Int8BatchMatMul(Weighted):
    """The products of two stacks of quantized matrices: Y[i] = A[i] B[i].

    A: (..., M, K); (..., K, M) with trans_a.
    B: (..., K, N); (..., N, K) with trans_b.
    Y: (..., M, N), quantized.
    trans_a, trans_b: the matrices of A, or B, are transposed first.
    broadcast: leading dimensions of A and B that differ follow NumPy's rules; they do so without it too.
    """

    trans_a: bool = False
    trans_b: bool = False
    broadcast: bool = False

    def __call__(self, a: Int8Tensor, b: Int8Tensor) -> Int8Tensor:
        x, y = packed(self.held(a)), packed(self.held(b))
        left, right = (x.values.mT if self.trans_a else x.values), (y.values.mT if self.trans_b else y.values)
        return self.output(left @ right, x.unit * y.unit)
