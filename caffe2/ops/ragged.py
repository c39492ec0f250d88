"""Ragged data: vectors of lengths that cut rows into segments, and where the segments and their rows are."""

from __future__ import annotations

import torch
from torch import Tensor


def starts(lengths: Tensor) -> Tensor:
    """Where each segment starts: the sum of the lengths before it, int64."""
    return lengths.cumsum(0) - lengths


def segments(lengths: Tensor, total: int) -> Tensor:
    """The segment that each of `total` rows lies in, the sum of the lengths being `total`."""
    return torch.repeat_interleave(lengths, output_size=total)


def places(lengths: Tensor, total: int, first: Tensor | None = None) -> Tensor:
    """For each row, in order, its place: within its segment, or counted from where `first` says the segment starts."""
    shift = starts(lengths) if first is None else starts(lengths) - first
    return torch.arange(total, device=lengths.device) - shift.index_select(0, segments(lengths, total))


def valid(lengths: Tensor, width: int) -> Tensor:
    """Which places of rows of one width the segments fill: bool, (number of segments, width)."""
    return torch.arange(width, device=lengths.device) < lengths.unsqueeze(1)


def padded(flat: Tensor, lengths: Tensor, width: int, fill: float) -> Tensor:
    """Segments that lie end to end in `flat` as rows filled up to one width: (number of segments, width)."""
    rows = flat.new_full((len(lengths), width), fill)
    rows[valid(lengths, width)] = flat
    return rows
