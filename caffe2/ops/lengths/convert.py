"""Forms of lengths: offsets, ranges, segment ids, weights, and back."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import UNKNOWN, EnforceNotMet, Op, Site, op
from caffe2.ops import demand, ragged


@op("LengthsToOffsets: lengths -> offsets", types="lengths: int32")
def lengths_to_offsets(lengths: Tensor, *, include_last_offset: bool = False) -> Tensor:
    """The sum of the lengths before each.

    offsets: (S), int32; (S + 1) with include_last_offset.
    include_last_offset: the sum of all lengths comes last.
    """
    demand.lengths(lengths, None, "lengths")
    ends = lengths.cumsum(0, dtype=torch.int32)
    return torch.cat([ends.new_zeros(1), ends]) if include_last_offset else ends - lengths


@op("LengthsToRanges: lengths -> ranges", types="lengths: int32")
def lengths_to_ranges(lengths: Tensor) -> Tensor:
    """Where each segment starts, and its length.

    ranges: (S, 2), int32.
    """
    demand.lengths(lengths, None, "lengths")
    return torch.stack([lengths.cumsum(0, dtype=torch.int32).sub_(lengths), lengths], 1)


@op("LengthsToSegmentIds: lengths -> segment_ids", types="lengths: int32", shape=UNKNOWN)
def lengths_to_segment_ids(lengths: Tensor) -> Tensor:
    """The number of each row's segment: k as often as lengths[k] says, for every k in turn.

    segment_ids: (N), int32.
    """
    demand.lengths(lengths, None, "lengths")
    return torch.repeat_interleave(lengths).int()


@op("LengthsToWeights: lengths -> weights", types="lengths: index", shape=UNKNOWN)
def lengths_to_weights(lengths: Tensor, *, power: float = 0.5) -> Tensor:
    """1 / length^power for each row of a segment of that length.

    weights: (N), float32.
    power: the exponent.
    """
    demand.lengths(lengths, None, "lengths")
    return torch.repeat_interleave(lengths.float() ** -power, lengths)


def _counted(ids: Tensor, data: Tensor | None) -> Tensor:
    """How many rows each segment has; there are 1 + the largest id, or as many as data has rows."""
    segments = int(ids[-1]) + 1 if ids.numel() else 0
    if demand.readable(ids) and ids.numel() and (int(ids[0]) < 0 or bool((ids.diff() < 0).any())):
        raise EnforceNotMet(f"segment_ids ascend from 0 or more, not {ids[:8].tolist()} ...")
    if data is not None:
        demand.least_rank(data, 1, "data")
        if segments > data.shape[0]:
            raise EnforceNotMet(f"segment_ids number {segments} segments, more than the {data.shape[0]} rows of data")
        segments = data.shape[0]
    return torch.bincount(ids, minlength=segments).int()


@op("SegmentIdsToLengths: segment_ids data? -> lengths", types="segment_ids: index", shape=UNKNOWN)
def segment_ids_to_lengths(ids: Tensor, data: Tensor | None = None) -> Tensor:
    """How often each segment number comes.

    segment_ids: ascending: a vector, or a matrix of one row or column.
    data: a tensor with a row for each segment, which tells S.
    lengths: (S), int32: S is 1 + the largest id unless data tells it.
    """
    if ids.dim() != 1 and (ids.dim() != 2 or 1 not in ids.shape):
        raise EnforceNotMet(f"segment_ids is a vector, not {tuple(ids.shape)}")
    return _counted(ids.reshape(-1), data)


@op("SegmentIdsToRanges: segment_ids data? -> ranges", types="segment_ids: index", shape=UNKNOWN)
def segment_ids_to_ranges(ids: Tensor, data: Tensor | None = None) -> Tensor:
    """Where each segment starts, and its length, as the original tells it.

    Segments up to the first id start at 0, and those after the last at 0 too.

    segment_ids: ascending: a vector, or a matrix of one row or column.
    data: a tensor with a row for each segment, which tells S.
    ranges: (S, 2), int32: S is 1 + the largest id unless data tells it.
    """
    demand.rank(ids, 1, "segment_ids")
    lengths = _counted(ids, data)
    starts = ragged.starts(lengths).int()
    if ids.numel():
        starts[int(ids[-1]) + 1 :] = 0
    return torch.stack([starts, lengths], 1)


@op("LengthsSplit: LENGTHS n_split? -> Y", types="LENGTHS n_split: int32", host="n_split")
class LengthsSplit(Op):
    """Every length split in n_split parts, as equal as can be, the larger first.

    n_split: an argument or a blob of one number.
    Y: (S * n_split), int32.
    """

    n_split: int = 0

    def bind(self, site: Site) -> None:
        if len(site.inputs) == 1:
            self.settled(None)

    def settled(self, n_split: Tensor | None) -> int:
        """The number of parts."""
        if n_split is not None:
            demand.rank(n_split, 1, "n_split")
            demand.one_number(n_split, "n_split")
        count = self.n_split if n_split is None else int(n_split[0])
        if count <= 0:
            raise EnforceNotMet(f"n_split is positive, not {count}")
        return count

    def __call__(self, lengths: Tensor, n_split: Tensor | None = None) -> Tensor:
        demand.rank(lengths, 1, "LENGTHS")
        count = self.settled(n_split)
        part = torch.arange(count, dtype=torch.int32, device=lengths.device)
        return torch.div(lengths[:, None] + (count - 1 - part), count, rounding_mode="floor").reshape(-1)
