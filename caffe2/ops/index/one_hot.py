"""One-hot encodings: of an index, of the indices of a segment, of columns by value and by bucket."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import NONE, EnforceNotMet, op
from caffe2.ops import demand, ragged
from caffe2.ops.native import Kernel

COMPILED = Kernel("rows", "one_hot", "ppqqp")


def _count(size: Tensor) -> int:
    demand.one_number(size, "index_size_tensor")
    if int(size) < 0:
        raise EnforceNotMet(f"index_size_tensor holds {int(size)}, no number of indices")
    return int(size)


@op(
    "OneHot: indices index_size_tensor -> one_hots",
    gradient=NONE,
    types="indices index_size_tensor: int64",
    host="index_size_tensor",
)
def one_hot(indices: Tensor, index_size_tensor: Tensor) -> Tensor:
    """one_hots[i, j] = 1 where indices[i] = j, else 0.

    indices: (n), int64.
    index_size_tensor: one number, index_size.
    one_hots: (n, index_size), float32.
    """
    demand.rank(indices, 1, "indices")
    size = _count(index_size_tensor)
    demand.in_range(indices, size, "indices")
    if COMPILED.serves(indices):
        one_hots = torch.empty(indices.numel(), size)
        COMPILED(indices, torch.arange(1, indices.numel() + 1), indices.numel(), size, one_hots)
        return one_hots
    return indices.new_zeros(indices.numel(), size, dtype=torch.float32).scatter_(1, indices[:, None], 1)


@op(
    "SegmentOneHot: lengths indices index_size_tensor -> one_hots",
    gradient=NONE,
    types="lengths: int32, indices index_size_tensor: int64",
    host="index_size_tensor",
)
def segment_one_hot(lengths: Tensor, indices: Tensor, index_size_tensor: Tensor) -> Tensor:
    """one_hots[s, j] = 1 where segment s of the indices holds j, else 0.

    indices: (N), int64; lengths add up to N.
    index_size_tensor: one number, index_size.
    one_hots: (S, index_size), float32.
    """
    demand.rank(indices, 1, "indices")
    demand.lengths(lengths, indices.numel(), "lengths")
    size = _count(index_size_tensor)
    demand.in_range(indices, size, "indices")
    if COMPILED.serves(lengths, indices):
        one_hots = torch.empty(lengths.numel(), size)
        COMPILED(indices, lengths.cumsum(0), lengths.numel(), size, one_hots)
        return one_hots
    segments = ragged.segments(lengths, indices.numel())
    one_hots = indices.new_zeros(lengths.numel(), size, dtype=torch.float32)
    one_hots.view(-1).index_fill_(0, segments * size + indices, 1)
    return one_hots


def _columns(data: Tensor, lengths: Tensor, entries: Tensor, name: str) -> tuple[Tensor, Tensor]:
    """Data as a matrix, and for each entry of a ragged list, cut by lengths, the column it belongs to."""
    demand.least_rank(data, 1, "data")
    demand.lengths(lengths, entries.numel(), f"lengths of {name}")
    table = data.reshape(data.shape[0], -1) if data.numel() else data.reshape(data.shape[0], lengths.numel())
    if lengths.numel() != table.shape[1]:
        raise EnforceNotMet(f"data has {table.shape[1]} columns and there are {lengths.numel()} lengths")
    return table, ragged.segments(lengths, entries.numel())


@op(
    "BatchOneHot: data lengths values -> output",
    gradient=NONE,
    types="data=values: index, lengths: int32",
    shape=lambda data, lengths, values: data.new_empty(data.shape[0], values.shape[0]),
)
def batch_one_hot(data: Tensor, lengths: Tensor, values: Tensor) -> Tensor:
    """output[b, k] = 1 where the column of data that value k belongs to holds that value, else 0, in data's type.

    data: (batch, columns), or (batch) for one column.
    lengths: (columns): how many of the values belong to each column.
    values: (sum of lengths): the values of all columns, one after another.
    output: (batch, sum of lengths).
    """
    table, columns = _columns(data, lengths, values, "values")
    return (table.index_select(1, columns) == values.reshape(-1)).to(data.dtype)


@op("BatchBucketOneHot: data lengths boundaries -> output", types="data boundaries: float, lengths: int32")
def batch_bucket_one_hot(data: Tensor, lengths: Tensor, boundaries: Tensor) -> Tensor:
    """One-hot encodings, side by side, of the bucket that each element of a row of data falls in.

    Column j has lengths[j] >= 1 ascending boundaries b and the buckets (-inf, b1], (b1, b2], ..., (bn, inf); of the
    buckets between boundaries that are all equal to the element it is in the middle one.

    data: (batch, columns).
    lengths: (columns): how many boundaries each column has.
    boundaries: (sum of lengths): the boundaries of all columns, one after another.
    output: (batch, sum of lengths + columns).
    """
    table, columns = _columns(data, lengths, boundaries, "boundaries")
    if demand.readable(lengths) and lengths.numel() and int(lengths.min()) < 1:
        raise EnforceNotMet(f"every column has a boundary or more, and lengths are {lengths.tolist()[:8]}")
    held, edges = table.index_select(1, columns), boundaries.reshape(-1)
    twice = (held > edges).long() + (held >= edges)
    buckets = twice.new_zeros(table.shape).index_add_(1, columns, twice) // 2
    starts = ragged.starts(lengths + 1)
    output = table.new_zeros(table.shape[0], boundaries.numel() + lengths.numel())
    return output.scatter_(1, buckets + starts, 1)
