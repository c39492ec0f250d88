"""Kernels of segment reductions: sums, weighted sums and means, and maxima, of rows as they lie or looked up."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from caffe2.ops import demand, ragged


def pooled(
    table: Tensor, rows: Tensor | None, lengths: Tensor, weights: Tensor | None = None, mean: bool = False
) -> Tensor:
    """The sum, weighted sum or mean of a table's rows, segment by segment; 0 of an empty segment.

    rows: numbers of rows, those of the first segment first; None: all rows, as they lie. Half precision is summed in
    single precision. Raises RuntimeError for a row number out of range.
    """
    count = table.shape[0] if rows is None else rows.numel()
    if table.dtype == torch.float16:
        table, rows = (table if rows is None else table.index_select(0, rows)).float(), None
    if rows is None:
        rows = torch.arange(count, device=table.device)
    ends = lengths.cumsum(0, dtype=rows.dtype)
    offsets = torch.cat([ends.new_zeros(1), ends])
    flat = table.reshape(table.shape[0], prod(table.shape[1:]))
    found = torch.embedding_bag(flat, rows, offsets, False, 0, False, weights, True)[0]
    if mean:  # torch's own mean takes twice as long
        found = found / lengths.clamp(min=1).unsqueeze(1)
    return found.view(lengths.shape[0], *table.shape[1:])


def largest(table: Tensor, rows: Tensor | None, lengths: Tensor, count: int) -> Tensor:
    """The maxima, element by element, of `count` rows, segment by segment; 0 of an empty segment."""
    if rows is not None:
        demand.in_range(rows, table.shape[0], "INDICES")
    picked = table if rows is None else table.index_select(0, rows)
    ids = ragged.segments(lengths, count).long().view(-1, *[1] * (table.dim() - 1)).expand_as(picked)
    found = table.new_zeros(lengths.shape[0], *table.shape[1:])
    return found.scatter_reduce_(0, ids, picked, "amax", include_self=False)
