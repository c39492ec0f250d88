"""Weights prepared ahead for layers on quantized or half-precision values, and parameters chosen from data."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.opdef import UNKNOWN, EnforceNotMet, Op, Site, op
from caffe2.ops import demand
from caffe2.ops.quant.scheme import LEVELS, choose
from caffe2.ops.quant.weighted import PackedWeights, packed
from caffe2.runtime.blob import Int8Tensor

BINS = 2048


class Packing(Op):
    """What the operators that pack weights settle alike.

    in_scale: the scale of the layer's input, in multiples of which, and of that of the weights, the bias is rounded.
    """

    in_scale: float = 1.0

    def bind(self, site: Site) -> None:
        self.rowwise = "ROWWISE" in site.op.engine

    def made(self, w: Tensor, b: Tensor | None, parts: int) -> tuple[PackedWeights, Int8Tensor | None]:
        weights = packed(w, parts)
        if b is None:
            return weights, None
        unit = self.in_scale * (weights.unit if weights.units is None else float(weights.units[0]))
        return weights, Int8Tensor((b / unit).round().to(torch.int32), unit, 0)


@op("Int8FCPackWeight: W b? -> W_q B_q?", shape=UNKNOWN, engines="DNNLOWP DNNLOWP_ACC16 DNNLOWP_ROWWISE")
class Int8FCPackWeight(Packing):
    """The weights of Int8FC, quantized and arranged ahead.

    W: (M, K), floats or quantized.
    b: (M), floats.
    W_q: the packed weights, for Int8FC and Int8FCRelu.
    B_q: b as 32-bit integers, in units of in_scale times the scale of the weights.
    axis_w: where the columns of W begin, if it has more dimensions than two.
    quantize_channelwise: each row of W gets a scale and a zero point of its own, as with the engine DNNLOWP_ROWWISE.
    in_scale: the scale of the layer's input.
    """

    axis_w: int = 1
    quantize_channelwise: bool = False

    def __call__(self, w: Tensor, b: Tensor | None = None) -> tuple[PackedWeights, Int8Tensor | None]:
        matrix = w.reshape(w.shape[: self.axis_w].numel(), -1) if isinstance(w, Tensor) else w
        rowwise = isinstance(w, Tensor) and (self.rowwise or self.quantize_channelwise)
        return self.made(matrix, b, len(matrix) if rowwise else 1)


@op("Int8ConvPackWeight: W b? -> W_q", shape=UNKNOWN, engines="DNNLOWP DNNLOWP_ACC16")
class Int8ConvPackWeight(Packing):
    """The filters of Int8Conv, quantized and arranged ahead; b goes to the layer as it is.

    W: (M, kH, kW, C / group), floats or quantized.
    b: the bias; ignored.
    W_q: the packed filters, for Int8Conv and Int8ConvRelu.
    group: how many groups the channels fall into, as in the layer.
    quantize_groupwise: the filters of each group get a scale and a zero point of their own.
    """

    group: int = 1
    quantize_groupwise: bool = False

    def __call__(self, w: Tensor, b: Tensor | None = None) -> PackedWeights:
        return self.made(w, None, self.group if self.quantize_groupwise else 1)[0]


class PackedMatrix(NamedTuple):
    """A matrix of weights in half precision."""

    values: Tensor


@op("FbGemmPack: X -> packed", shape=UNKNOWN, types="X: float")
def fb_gemm_pack(x: Tensor) -> PackedMatrix:
    """Weights in half precision, packed for FbFCPacked.

    X: (N, K), or (N, ...), whose later dimensions are joined.
    packed: the packed weights; only FbFCPacked can read them.
    """
    demand.least_rank(x, 2, "X")
    return PackedMatrix(x.flatten(1).to(torch.float16))


@op("FbGemmPackTranspose: X -> packed", shape=UNKNOWN, types="X: float")
def fb_gemm_pack_transpose(x: Tensor) -> PackedMatrix:
    """Weights, transposed and in half precision, packed for FbFCPacked.

    X: (K, N).
    packed: the packed weights; only FbFCPacked can read them.
    """
    demand.rank(x, 2, "X")
    return PackedMatrix(x.t().contiguous().to(torch.float16))


@op("FbFCPacked: X packed b -> Y", shape=UNKNOWN, types="X b: float")
def fb_fc_packed(x: Tensor, w: PackedMatrix, b: Tensor, *, axis: int = 1) -> Tensor:
    """A fully connected layer with packed weights: Y = X W^T + b.

    X: made a matrix (M, K) by joining the dimensions before `axis`, and those from it on.
    packed: W, (N, K), as FbGemmPack or FbGemmPackTranspose made it, in half precision.
    b: (N).
    Y: the dimensions of X before `axis`, then N.
    axis: where the columns of X begin.
    """
    if not isinstance(w, PackedMatrix):
        raise EnforceNotMet("the weights must be packed, by FbGemmPack or FbGemmPackTranspose")
    rows = x.reshape(x.shape[:axis].numel(), x.shape[axis:].numel())
    if rows.shape[1] != w.values.shape[1] or b.shape != w.values.shape[:1]:
        raise EnforceNotMet(f"X {tuple(x.shape)}, weights {tuple(w.values.shape)} and b {tuple(b.shape)} do not fit")
    y = F.linear(rows, w.values.to(x.dtype), b)
    return y.view(*x.shape[:axis], y.shape[1])


class QuantParams(NamedTuple):
    """The scale and zero point of a tensor to be quantized."""

    scale: float
    zero_point: int


class QuantScheme(NamedTuple):
    """How the scale and zero point of a tensor are chosen."""

    kind: str
    preserve_sparsity: bool


@op("Int8QuantSchemeBlobFill: -> quant_scheme", shape=UNKNOWN)
def int8_quant_scheme_blob_fill(
    *, quantization_kind: str = "MIN_MAX_QUANTIZATION", preserve_sparsity: bool = False
) -> QuantScheme:
    """A scheme for Int8GenQuantParams.

    quant_scheme: the scheme.
    quantization_kind: MIN_MAX_QUANTIZATION, P99_QUANTIZATION, L2_MIN_QUANTIZATION or L2_MIN_QUANTIZATION_APPROX; see
        Int8GenQuantParams.
    preserve_sparsity: the interval is made symmetric about 0, so that 0 is held exactly.
    """
    if quantization_kind not in RANGES:
        raise EnforceNotMet(f"quantization_kind is one of {', '.join(RANGES)}, not {quantization_kind!r}")
    return QuantScheme(quantization_kind, preserve_sparsity)


@op("Int8GenQuantParams: X quant_scheme -> quant_param", shape=UNKNOWN, types="X: float")
def int8_gen_quant_params(x: Tensor, scheme: Any) -> QuantParams:
    """The scale and zero point with which bytes hold the values of X best, by a given scheme.

    With low and high the interval that the scheme chooses, widened to hold 0, scale = (high - low) / 255, and the zero
    point is the byte that then stands for 0. MIN_MAX_QUANTIZATION chooses [min X, max X], P99_QUANTIZATION the middle
    99 % of the values, L2_MIN_QUANTIZATION and L2_MIN_QUANTIZATION_APPROX the interval with the least squared error
    over a histogram of 2048 bins.

    X: of any shape.
    quant_scheme: a scheme made by Int8QuantSchemeBlobFill.
    quant_param: the scale and the zero point, for Int8Quantize and Int8FC.
    """
    if not isinstance(scheme, QuantScheme):
        raise EnforceNotMet("quant_scheme must come from Int8QuantSchemeBlobFill")
    low, high = RANGES[scheme.kind](x.flatten()) if x.numel() else (0.0, 0.0)
    if scheme.preserve_sparsity:
        high = max(abs(low), abs(high))
        low = -high if low < 0 else 0.0
    return QuantParams(*choose(low, high))


def _whole(x: Tensor) -> tuple[float, float]:
    return tuple(float(v) for v in x.aminmax())


def _middle(x: Tensor) -> tuple[float, float]:
    low, high = _whole(x)
    counts = torch.histc(x.float(), BINS, low, high).cumsum(0) / x.numel()
    first, last = int((counts < 0.005).sum()), int((counts < 0.995).sum())
    width = (high - low) / BINS
    return low + first * width, low + (last + 1) * width


def _least_error(x: Tensor) -> tuple[float, float]:
    """The interval, of those that leave out up to all but a few of 64 slices at either end, with the least error."""
    low, high = _whole(x)
    counts = torch.histc(x.float(), BINS, low, high)
    centres = low + (torch.arange(BINS, device=x.device) + 0.5) * ((high - low) / BINS)
    cuts = torch.linspace(0, 1, 65, device=x.device)
    lows = (low + cuts[:48] * (high - low) / 2).clamp(max=min(0.0, high))
    highs = (high - cuts[:48] * (high - low) / 2).clamp(min=max(0.0, low))
    a, b = (t.flatten()[:, None] for t in torch.meshgrid(lows, highs, indexing="ij"))
    step = ((b - a) / LEVELS).clamp(min=torch.finfo(torch.float32).tiny)
    held = ((centres - a) / step).round().clamp(0, LEVELS) * step + a
    best = int(((held - centres).square() * counts).sum(1).argmin())
    return float(a[best]), float(b[best])


RANGES = {
    "MIN_MAX_QUANTIZATION": _whole,
    "P99_QUANTIZATION": _middle,
    "L2_MIN_QUANTIZATION": _least_error,
    "L2_MIN_QUANTIZATION_APPROX": _least_error,
}
"""The interval that each kind of quantization spans."""
