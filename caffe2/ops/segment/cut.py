"""Ways to cut rows into segments: by lengths, by sorted segment ids, by ids in any order."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet
from caffe2.ops import demand


class Segments(NamedTuple):
    """How many rows each segment has, and where they are, segment after segment; None where they lie so already."""

    lengths: Tensor
    order: Tensor | None


def by_lengths(lengths: Tensor, count: int) -> Segments:
    """Segments of `count` rows, the first ones those of the first length. Raises EnforceNotMet unless they add up."""
    demand.lengths(lengths, count, "LENGTHS")
    return Segments(lengths, None)


def by_sorted_ids(ids: Tensor, count: int) -> Segments:
    """Segments told by the number of each row's, 0 at first and then the same or one more; else EnforceNotMet."""
    _demand_ids(ids, count)
    if not count:
        return Segments(ids, None)
    demand_sorted(ids)
    return Segments(counted(ids, int(ids[-1]) + 1), None)


def by_ids(ids: Tensor, count: int, num_segments: int = -1) -> Segments:
    """Segments told by the number of each row's, in any order; there are `num_segments`, or 1 + the largest."""
    _demand_ids(ids, count)
    segments = num_segments if num_segments >= 0 else int(ids.max()) + 1 if count else 0
    return Segments(counted(ids, segments), ids.argsort(stable=True))


def counted(ids: Tensor, segments: int) -> Tensor:
    """How many rows each of so many segments has, int64, told by the number of each row's."""
    demand.in_range(ids, segments, "SEGMENT_IDS")
    rows = ids.long()
    return rows.new_zeros(segments).scatter_add_(0, rows, torch.ones_like(rows))


def _demand_ids(ids: Tensor, count: int) -> None:
    demand.rank(ids, 1, "SEGMENT_IDS")
    if ids.numel() != count:
        raise EnforceNotMet(f"SEGMENT_IDS tell the segments of {ids.numel()} rows; there are {count}")


def demand_sorted(ids: Tensor) -> None:
    """Raise EnforceNotMet unless ids start at 0 and each is that before it or one more."""
    if demand.readable(ids) and ids.numel():
        steps = ids.diff()
        if int(ids[0]) != 0 or bool(((steps != 0) & (steps != 1)).any()):
            raise EnforceNotMet(f"SEGMENT_IDS start at 0 and grow by 0 or 1, not {ids[:8].tolist()} ...")
