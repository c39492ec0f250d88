"""Ranges of a vector, each a start and a length, gathered as they are or as the rows of matrices."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import NONE, UNKNOWN, EnforceNotMet, Op, OutputCount, Site, op, shape
from caffe2.ops import demand, ragged
from caffe2.ops.index.gather import Array, pick


def _split(data: Array, ranges: Tensor) -> tuple[Tensor, Tensor]:
    """The starts and the lengths of ranges [batch, count, 2] of a vector."""
    demand.rank(data, 1, "DATA")
    demand.rank(ranges, 3, "RANGES")
    if ranges.shape[2] != 2:
        raise EnforceNotMet(f"RANGES hold a start and a length each, not {ranges.shape[2]} numbers")
    first, lengths = ranges.unbind(2)
    if demand.readable(ranges) and bool(((first + lengths > len(data)) | (first < 0) | (lengths < 0)).any()):
        raise EnforceNotMet(f"a range lies outside DATA, which has {len(data)} elements")
    return first, lengths


@op("GatherRanges: DATA RANGES -> OUTPUT LENGTHS", types="RANGES: index", shape=UNKNOWN)
def gather_ranges(data: Array, ranges: Tensor) -> tuple[Array, Tensor]:
    """The elements of DATA within ranges, one range after another, and how many they are.

    DATA: a vector.
    RANGES: (batch, count, 2): a start and a length each.
    OUTPUT: (sum of the lengths).
    LENGTHS: (batch), int32: how many elements each of the batch gets.
    """
    first, lengths = _split(data, ranges)
    if not ranges.shape[1]:
        raise EnforceNotMet("RANGES hold no range")
    each = lengths.reshape(-1)
    chosen = ragged.places(each, int(each.sum()), first.reshape(-1))
    return pick(data, chosen, 0), lengths.sum(1).int()


@op(
    "GatherRangesToDense: DATA RANGES KEY? -> +OUTPUT",
    gradient=NONE,
    types="RANGES: index, KEY: int64",
)
class GatherRangesToDense(Op):
    """Each column of ranges as a matrix, whose rows are the ranges; those of another length than it should have are 0.

    The operator fails where, over all its runs and at least min_observation rows, more than max_mismatched_ratio of a
    column's ranges have another length that is not 0, or more than max_empty_ratio are empty.

    DATA: a vector.
    RANGES: (batch, outputs, 2): a start and a length each.
    KEY: as many as DATA has elements; the elements of a range are ordered by theirs.
    OUTPUT: (batch, lengths[k]) for the k-th column.
    lengths: how many columns each output has.
    min_observation: after how many rows ratios are looked at.
    max_mismatched_ratio: the largest ratio of ranges of a wrong length.
    max_empty_ratio: the largest ratio of empty ranges.
    """

    outputs: OutputCount
    lengths: tuple[int, ...]
    min_observation: int = 10000
    max_mismatched_ratio: float = 0.01
    max_empty_ratio: float = 1.0

    def bind(self, site: Site) -> None:
        if len(self.lengths) != self.outputs or min(self.lengths) <= 0:
            raise EnforceNotMet(f"GatherRangesToDense\n  lengths {self.lengths} are positive, one an output")
        if self.min_observation <= 0:
            raise EnforceNotMet(f"GatherRangesToDense\n  min_observation is positive, not {self.min_observation}")
        self._seen = 0
        self._wrong = {name: [0] * self.outputs for name in ("mismatched", "empty")}

    def __call__(self, data: Array, ranges: Tensor, key: Tensor | None = None) -> tuple[Array, ...]:
        first, lengths = _split(data, ranges)
        if ranges.shape[1] != self.outputs:
            raise EnforceNotMet(f"RANGES hold {ranges.shape[1]} columns of ranges for {self.outputs} outputs")
        if key is not None:
            demand.rank(key, 1, "KEY")
            demand.same_rows(key, data, "KEY and DATA")
        outputs = [self._dense(data, first[:, j], lengths[:, j] == n, n, key) for j, n in enumerate(self.lengths)]
        self._observe(lengths)
        return tuple(outputs)

    def _dense(self, data: Array, first: Tensor, fits: Tensor, length: int, key: Tensor | None) -> Array:
        places = first[:, None] + torch.arange(length, device=first.device)
        places = places.clamp(max=max(len(data) - 1, 0)) * fits[:, None]
        if key is not None and len(data):
            places = places.gather(1, key[places].argsort(dim=1, stable=True))
        if isinstance(data, np.ndarray):
            words = data[places.numpy()] if len(data) else np.full(tuple(places.shape), b"", object)
            words[~fits.numpy()] = b""
            return words
        if not len(data):
            return data.new_zeros(places.shape)
        return data[places].masked_fill(~fits[:, None], 0)

    def _observe(self, lengths: Tensor) -> None:
        self._seen += lengths.shape[0]
        wanted = lengths.new_tensor(self.lengths)
        now = {"mismatched": (lengths != wanted) & (lengths != 0), "empty": lengths == 0}
        for name, ratio in (("mismatched", self.max_mismatched_ratio), ("empty", self.max_empty_ratio)):
            counts = [a + b for a, b in zip(self._wrong[name], now[name].sum(0).tolist())]
            self._wrong[name] = counts
            if ratio < 1 and max(counts) > max(self._seen, self.min_observation) * ratio:
                told = f"{max(counts)} of {self._seen} ranges of column {counts.index(max(counts))} are {name}"
                raise EnforceNotMet(f"{told}; max_{name}_ratio is {ratio}")


@shape("GatherRangesToDense")
def _(data: Tensor | None, ranges: Tensor | None, key: Tensor | None = None, *, lengths: tuple[int, ...]) -> list:
    return [] if data is None or ranges is None else [data.new_empty(ranges.shape[0], n) for n in lengths]
