"""Rows quantized and packed with their scale and bias, and unpacked again."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet
from caffe2.ops import demand

EPSILON = 1e-8


class Fused(NamedTuple):
    """A layout of fused rows: bits a number, and the type of scale and bias."""

    bits: int
    scale: torch.dtype

    @property
    def tail(self) -> int:
        """How many bytes scale and bias take at the end of a row."""
        return 2 * self.scale.itemsize

    @property
    def per_byte(self) -> int:
        """How many numbers a byte holds."""
        return 8 // self.bits

    @property
    def share(self) -> str:
        """How documents divide a number of columns by that."""
        return f" / {self.per_byte}" if self.per_byte > 1 else ""

    @property
    def whole(self) -> str:
        """What documents demand of a number of columns K."""
        return f", K a multiple of {self.per_byte}" if self.per_byte > 1 else ""

    @property
    def levels(self) -> int:
        """The largest q."""
        return 2**self.bits - 1

    @property
    def kernel(self) -> str | None:
        """What PyTorch calls this layout, where it has kernels for it."""
        return KERNELS.get(self)

    def columns(self, packed: Tensor, name: str = "the rows") -> int:
        """How many numbers a packed row holds. Raises EnforceNotMet where there is no room for scale and bias."""
        demand.least_rank(packed, 1, name)
        if packed.shape[-1] < self.tail:
            raise EnforceNotMet(f"{name} end in {self.tail} bytes of scale and bias; they have {packed.shape[-1]}")
        return (packed.shape[-1] - self.tail) * self.per_byte


BYTE, BYTE_HALF, NIBBLE, CRUMB = (
    Fused(8, torch.float32),
    Fused(8, torch.float16),
    Fused(4, torch.float16),
    Fused(2, torch.float16),
)
KERNELS = {BYTE: "byte", NIBBLE: "4bit", CRUMB: "2bit"}
Search = Callable[[Tensor, Fused], tuple[Tensor, Tensor]]
"""The range of each row, low and high, that is to be quantized."""


def pack(x: Tensor, layout: Fused, search: Search | None = None) -> Tensor:
    """Rows of floats (along the last dimension) as fused rows, uint8; `search` finds ranges other than min to max."""
    demand.least_rank(x, 1, "input")
    columns = x.shape[-1]
    if not columns or columns % layout.per_byte:
        raise EnforceNotMet(f"rows hold a positive multiple of {layout.per_byte} numbers, not {columns}")
    rows = x.reshape(-1, columns).float()
    return _pack(rows, layout, search).view(*x.shape[:-1], columns // layout.per_byte + layout.tail)


def _pack(rows: Tensor, layout: Fused, search: Search | None) -> Tensor:
    if layout.kernel and demand.readable(rows):
        kernel = getattr(torch.ops.quantized, f"embedding_bag_{layout.kernel}_prepack")
        return kernel(rows, search is not None) if layout.per_byte > 1 else kernel(rows)
    q, scale, bias = quantized(rows, layout, search)
    return torch.cat([crowded(q, layout.bits), as_bytes(scale), as_bytes(bias)], 1)


def quantized(rows: Tensor, layout: Fused, search: Search | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """The q of rows, uint8 and one a byte, and their scale and bias, one column each, of the layout's type."""
    low, high = search(rows, layout) if search else (rows.amin(1, keepdim=True), rows.amax(1, keepdim=True))
    if layout.scale is torch.float32:
        q = ((rows - low) * (layout.levels / (high - low + EPSILON))).round_()
        return q.to(torch.uint8), (high - low) / layout.levels, low
    low = low.half().float()
    scale = (torch.where(high == low, layout.levels, high - low) / layout.levels).half()
    inverse = scale.float().reciprocal()
    flat = inverse.isinf()
    scale, inverse = scale.masked_fill(flat, 1), inverse.masked_fill(flat, 1)
    q = ((rows - low) * inverse).round_().clamp_(0, layout.levels)
    return q.to(torch.uint8), scale, low.half()


def crowded(q: Tensor, bits: int) -> Tensor:
    """Numbers of 1, 2, 4 or 8 bits, several a byte, the first in the lowest bits."""
    count = 8 // bits
    if count == 1:
        return q
    q = q.unflatten(-1, (-1, count))
    return sum(q[..., k] << k * bits for k in range(count))


def spread(packed: Tensor, bits: int) -> Tensor:
    """Numbers that lie several in a byte, one a byte."""
    if bits == 8:
        return packed
    shifts = torch.arange(0, 8, bits, dtype=torch.uint8, device=packed.device)
    return (packed.unsqueeze(-1) >> shifts & 2**bits - 1).flatten(-2)


def unpack(packed: Tensor, layout: Fused) -> Tensor:
    """The floats that fused rows stand for: q scale + bias."""
    columns = layout.columns(packed, "input")
    rows = packed.reshape(-1, packed.shape[-1])
    if layout.kernel and demand.readable(rows):
        made = getattr(torch.ops.quantized, f"embedding_bag_{layout.kernel}_unpack")(rows)
    else:
        numbers, tail = rows.split([rows.shape[1] - layout.tail, layout.tail], 1)
        scale, bias = of_bytes(tail, layout.scale).float().split(1, 1)
        made = torch.addcmul(bias, spread(numbers, layout.bits).float(), scale)
    return made.view(*packed.shape[:-1], columns)


def as_bytes(numbers: Tensor) -> Tensor:
    """The bytes of numbers, side by side along the last dimension."""
    return numbers.clone(memory_format=torch.contiguous_format).view(torch.uint8)


def of_bytes(numbers: Tensor, dtype: torch.dtype) -> Tensor:
    """The numbers whose bytes lie side by side along the last dimension."""
    return numbers.clone(memory_format=torch.contiguous_format).view(dtype)
