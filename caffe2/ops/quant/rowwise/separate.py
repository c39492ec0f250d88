"""Tables of bytes that keep scale and bias in a matrix of their own."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import NONE, EnforceNotMet, op
from caffe2.ops import demand
from caffe2.ops.index.gather import pick
from caffe2.ops.quant.rowwise.fused import BYTE, as_bytes
from caffe2.ops.quant.rowwise.lookup import bag

FLAT = 1e-10
"""The range below which a row counts as constant."""


@op("FloatToRowwiseQuantized8Bits: input -> quantized_input scale_bias", gradient=NONE, types="input: float")
def quantize(x: Tensor) -> tuple[Tensor, Tensor]:
    """Each row as bytes with a scale and a bias of its own: q = round((x - bias) / scale), halves rounded up.

    For a row, bias = min x and scale = (max x - min x) / 255, or 1 where the row is constant. A row is all that lies at
    one place of the first dimension.

    input: (M, ...), with rows that are not empty.
    quantized_input: the bytes q, uint8, of the shape of input.
    scale_bias: (M, 2), float32: the scale and the bias of each row.
    """
    rows = _rows(x, "input")
    if not rows.shape[1]:
        raise EnforceNotMet(f"rows of input hold at least one number; its shape is {tuple(x.shape)}")
    low, high = rows.amin(1, keepdim=True), rows.amax(1, keepdim=True)
    scale = torch.where(high - low < FLAT, 1.0, (high - low) / 255)
    y = (rows - low) * scale.reciprocal()
    q = y.floor()
    q = q + (y - q >= 0.5)
    return q.masked_fill_(high - low < FLAT, 0).to(torch.uint8).view(x.shape), torch.cat([scale, low], 1)


@op(
    "Rowwise8BitQuantizedToFloat: quantized_input scale_bias -> output",
    gradient=NONE,
    types="quantized_input: uint8, scale_bias: float",
)
def dequantize(q: Tensor, scale_bias: Tensor) -> Tensor:
    """The floats q * scale + bias of a table of bytes, scale and bias being those of the row.

    quantized_input: (M, ...), uint8.
    scale_bias: (M, 2): the scale and the bias of each row.
    output: float32, of the shape of quantized_input.
    """
    _demand_scales(q, scale_bias)
    scale, bias = scale_bias.split(1, 1)
    return torch.addcmul(bias, _rows(q, "quantized_input").float(), scale).view(q.shape)


def _rows(x: Tensor, name: str) -> Tensor:
    demand.least_rank(x, 1, name)
    return x.flatten(1) if x.dim() > 1 else x.unsqueeze(1)


def _demand_scales(q: Tensor, scale_bias: Tensor) -> None:
    demand.least_rank(q, 1, "the bytes")
    if scale_bias.shape != (q.shape[0], 2):
        raise EnforceNotMet(f"scale_bias is of shape {(q.shape[0], 2)}, not {tuple(scale_bias.shape)}")


def _define(reducer: str, said: str) -> None:
    weighted, mean = reducer.startswith("Weighted"), reducer.endswith("Mean")

    def body(*inputs: Tensor) -> Tensor:
        data, *weights, indices, lengths, scale_bias = inputs
        _demand_scales(data, scale_bias)
        demand.rank(indices, 1, "INDICES")
        rows = torch.cat([pick(_rows(data, "DATA"), indices, 0), as_bytes(pick(scale_bias, indices, 0))], 1)
        places = torch.arange(len(rows), device=rows.device)
        return bag(rows, BYTE, places, lengths, *weights, mean=mean).view(len(lengths), *data.shape[1:])

    op(
        f"SparseLengths{reducer}8BitsRowwise: DATA {'SCALARS ' * weighted}INDICES LENGTHS scale_bias -> output",
        gradient=NONE,
        types=f"DATA: uint8, INDICES: index, LENGTHS: int32, scale_bias: float{', SCALARS: float' * weighted}",
        doc=f"{said} of the rows of a table of bytes that INDICES name, by segment.\n\n"
        "DATA: (M, ...): the bytes.\nscale_bias: (M, 2): the scale and the bias of each row.\n"
        "output: (S, ...): float32, a row for each segment; 0 for an empty one.",
    )(body)


for _row in (
    ("Sum", "The sum"),
    ("WeightedSum", "The weighted sum"),
    ("Mean", "The mean"),
    ("WeightedMean", "The weighted sum, divided by the length,"),
):
    _define(*_row)
