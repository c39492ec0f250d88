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
    """The weights of Int8FC, M K, quantized and arranged once for all; B_q is b in 32 bits.

    quantize_channelwise: row by row, as the engine DNNLOWP_ROWWISE does. axis_w: W is made a matrix at this dimension.
    """

    axis_w: int = 1
    quantize_channelwise: bool = False

    def __call__(self, w: Tensor, b: Tensor | None = None) -> tuple[PackedWeights, Int8Tensor | None]:
        matrix = w.reshape(w.shape[: self.axis_w].numel(), -1) if isinstance(w, Tensor) else w
        rowwise = isinstance(w, Tensor) and (self.rowwise or self.quantize_channelwise)
        return self.made(matrix, b, len(matrix) if rowwise else 1)


@op("Int8ConvPackWeight: W b? -> W_q", shape=UNKNOWN, engines="DNNLOWP DNNLOWP_ACC16")
class Int8ConvPackWeight(Packing):
    """The filters of Int8Conv, M kH kW C/group, quantized and arranged once for all; b goes to the layer as it is.

    quantize_groupwise: group by group. The other arguments are those of the layer.
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
    """The weights X, M K, in half precision, arranged for FbFCPacked."""
    demand.least_rank(x, 2, "X")
    return PackedMatrix(x.flatten(1).to(torch.float16))


@op("FbGemmPackTranspose: X -> packed", shape=UNKNOWN, types="X: float")
def fb_gemm_pack_transpose(x: Tensor) -> PackedMatrix:
    """The weights X, K M, transposed and in half precision, arranged for FbFCPacked."""
    demand.rank(x, 2, "X")
    return PackedMatrix(x.t().contiguous().to(torch.float16))


@op("FbFCPacked: X packed b -> Y", shape=UNKNOWN, types="X b: float")
def fb_fc_packed(x: Tensor, w: PackedMatrix, b: Tensor, *, axis: int = 1) -> Tensor:
    """Y = X W^T + b, X made a matrix at `axis` and W packed by FbGemmPack; what is packed is in half precision."""
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
    """A scheme for Int8GenQuantParams: the kind of quantization, and whether it is symmetric about 0."""
    if quantization_kind not in RANGES:
        raise EnforceNotMet(f"quantization_kind is one of {', '.join(RANGES)}, not {quantization_kind!r}")
    return QuantScheme(quantization_kind, preserve_sparsity)


@op("Int8GenQuantParams: X quant_scheme -> quant_param", shape=UNKNOWN, types="X: float")
def int8_gen_quant_params(x: Tensor, scheme: Any) -> QuantParams:
    """The scale and zero point with which bytes serve X best, as the scheme understands it.

    MIN_MAX_QUANTIZATION spans all values, P99_QUANTIZATION the middle 99 % of them, and L2_MIN_QUANTIZATION (or
    ..._APPROX) the interval that makes the squared error of a histogram of 2048 bins least.
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
