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
        f"Rows of {_kind} numbers, along the last dimension, as fused rows of {_layout.bits} bits (uint8).\n\n"
        f"Scale and bias are of {WIDTH[_layout.scale]} bits."
        + (" Engine GREEDY quantizes the range that loses least." if _layout.per_byte > 1 else ""),
    )
for _name, _kind, _layout in FAKE:
    _define(
        _name,
        _kind,
        _layout,
        _faking,
        f"The rows of a {_kind} matrix as fused rows of 8 bits with numbers of {_layout.bits} bits (uint8).\n\n"
        "Scale and bias hold numbers of 16 bits in 32. Engine GREEDY quantizes the range that loses least.",
    )
for _name, _output, _dtype, _layout in FROM_FUSED:
    op(
        f"{_name}: scale_bias_quantized_input -> {_output}",
        gradient=NONE,
        types="scale_bias_quantized_input: uint8",
        doc=f"Fused rows of {_layout.bits} bits, with {WIDTH[_layout.scale]}-bit scale and bias, as the "
        f"{WIDTH[_dtype]}-bit floats q scale + bias.",
    )(_unpacking(_layout, _dtype))
