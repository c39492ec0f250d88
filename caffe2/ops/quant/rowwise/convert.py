"""Conversions between floats and fused rows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from caffe2.opdef import NONE, kernel, op
from caffe2.ops import demand
from caffe2.ops.quant.rowwise.fused import BYTE, BYTE_HALF, CRUMB, NIBBLE, Fused, Search, as_bytes, pack, quantized
from caffe2.ops.quant.rowwise.fused import unpack as unpacked
from caffe2.ops.quant.rowwise.greedy import narrowed

TO_FUSED = [
    ("FloatToFused8BitRowwiseQuantized", "float", BYTE),
    ("FloatToFused8BitRowwiseQuantizedHalfScaleBias", "float", BYTE_HALF),
    ("HalfFloatToFused8BitRowwiseQuantized", "float16", BYTE),
    ("HalfFloatToFused8BitRowwiseQuantizedHalfScaleBias", "float16", BYTE_HALF),
    ("FloatToFused4BitRowwiseQuantized", "float", NIBBLE),
    ("HalfToFused4BitRowwiseQuantized", "float16", NIBBLE),
    ("FloatToFused2BitRowwiseQuantized", "float", CRUMB),
    ("HalfToFused2BitRowwiseQuantized", "float16", CRUMB),
]
FROM_FUSED = [
    ("Fused8BitRowwiseQuantizedToFloat", "float_output", torch.float32, BYTE),
    ("Fused8BitRowwiseQuantizedHalfScaleBiasToFloat", "float_output", torch.float32, BYTE_HALF),
    ("Fused8BitRowwiseQuantizedToHalfFloat", "float16_output", torch.float16, BYTE),
    ("Fused8BitRowwiseQuantizedHalfScaleBiasToHalfFloat", "float_output", torch.float32, BYTE_HALF),
    ("Fused4BitRowwiseQuantizedToFloat", "float_output", torch.float32, NIBBLE),
    ("Fused4BitRowwiseQuantizedToHalf", "float16_output", torch.float16, NIBBLE),
    ("Fused2BitRowwiseQuantizedToFloat", "float_output", torch.float32, CRUMB),
    ("Fused2BitRowwiseQuantizedToHalf", "float16_output", torch.float16, CRUMB),
]
"""Name, output, its type and layout; one that says half makes 32-bit floats, as the original does."""
FAKE = [
    ("FloatToFused4BitFakeRowwiseQuantized", "float", NIBBLE),
    ("HalfToFused4BitFakeRowwiseQuantized", "float16", NIBBLE),
    ("FloatToFused2BitFakeRowwiseQuantized", "float", CRUMB),
    ("HalfToFused2BitFakeRowwiseQuantized", "float16", CRUMB),
]
FORMULA = (
    "q = round((x - bias) / scale), bias = min x and scale = (max x - min x) / (2^{bits} - 1) for each row, "
    "which is what lies along the last dimension."
)
GREEDY = "The engine GREEDY quantizes, instead of min x .. max x, the range with the least squared error."
WIDTH = {torch.float32: 32, torch.float16: 16}


def _packing(layout: Fused, search: Search | None = None) -> Callable[[Tensor], Tensor]:
    def body(x: Tensor) -> Tensor:
        return pack(x, layout, search)

    return body


def _unpacking(layout: Fused, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    def body(x: Tensor) -> Tensor:
        return unpacked(x, layout).to(dtype)

    return body


def _faking(layout: Fused, search: Search | None = None) -> Callable[[Tensor], Tensor]:
    def body(x: Tensor) -> Tensor:
        demand.rank(x, 2, "input")
        q, scale, bias = quantized(x.float(), layout, search)
        return torch.cat([q, as_bytes(scale.float()), as_bytes(bias.float())], 1)

    return body


def _define(name: str, kind: str, layout: Fused, making: Callable, doc: str) -> None:
    op(f"{name}: input -> output", gradient=NONE, types=f"input: {kind}", doc=doc)(making(layout))
    if layout.per_byte > 1:
        kernel(name, "GREEDY")(making(layout, narrowed))


for _name, _kind, _layout in TO_FUSED:
    _define(
        _name,
        _kind,
        _layout,
        _packing,
        f"Rows of {_kind} numbers as fused rows of {_layout.bits} bits.\n\n{FORMULA.format(bits=_layout.bits)}"
        + (f" {GREEDY}" if _layout.per_byte > 1 else "")
        + f"\n\ninput: (..., K){_layout.whole}.\noutput: (..., K{_layout.share} + {_layout.tail}), uint8: "
        f"the numbers, then scale and bias as float{WIDTH[_layout.scale]}.",
    )
for _name, _kind, _layout in FAKE:
    _define(
        _name,
        _kind,
        _layout,
        _faking,
        f"Rows of {_kind} numbers quantized to {_layout.bits} bits, laid out like fused rows of 8 bits.\n\n"
        f"{FORMULA.format(bits=_layout.bits)} Scale and bias are rounded to float16. {GREEDY}\n\n"
        "input: (M, K).\noutput: (M, K + 8), uint8: the numbers, a byte each, then scale and bias as float32.",
    )
for _name, _output, _dtype, _layout in FROM_FUSED:
    op(
        f"{_name}: scale_bias_quantized_input -> {_output}",
        gradient=NONE,
        types="scale_bias_quantized_input: uint8",
        doc=f"The numbers q * scale + bias of fused rows of {_layout.bits} bits.\n\n"
        f"scale_bias_quantized_input: (..., K{_layout.share} + {_layout.tail}): rows of numbers q, then scale and "
        f"bias as float{WIDTH[_layout.scale]}.\n{_output}: (..., K), float{WIDTH[_dtype]}.",
    )(_unpacking(_layout, _dtype))
