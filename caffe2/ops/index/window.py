"""Windows over streams and batches: the last rows seen, the ends of sequences, blobs kept together."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import UNKNOWN, EnforceNotMet, Op, Site, op
from caffe2.ops import demand

Array = Tensor | np.ndarray


@op(
    "LastNWindowCollector: last_n next_cursor DATA MUTEX? NUM_VISITED? -> last_n next_cursor NUM_VISITED?",
    inplace="last_n => last_n, next_cursor => next_cursor, NUM_VISITED => NUM_VISITED",
    types="next_cursor: int32, NUM_VISITED: int64",
    shape=UNKNOWN,
)
class LastNWindowCollector(Op):
    """The last num_to_collect rows of DATA over all runs, in last_n, where they stand in a ring.

    next_cursor: an int32 scalar, the place of the ring that the next row takes. A last_n without rows starts anew.
    NUM_VISITED: how many rows were seen, int64. MUTEX: held meanwhile.
    """

    num_to_collect: int = -1

    def bind(self, site: Site) -> None:
        if self.num_to_collect <= 0:
            raise EnforceNotMet(f"LastNWindowCollector\n  num_to_collect is positive, not {self.num_to_collect}")

    def __call__(
        self, last_n: Array, cursor: Tensor, data: Array, mutex: Any = None, visited: Tensor | None = None
    ) -> tuple[Array, Tensor, Tensor | None]:
        with nullcontext() if mutex is None else mutex:
            demand.least_rank(data, 1, "DATA")
            demand.rank(cursor, 0, "next_cursor")
            begun = len(last_n) > 0
            if begun and last_n.shape[1:] != data.shape[1:]:
                raise EnforceNotMet(
                    f"last_n keeps rows of shape {tuple(last_n.shape[1:])}, not {tuple(data.shape[1:])}"
                )
            if visited is not None:
                demand.one_number(visited, "NUM_VISITED")
                visited = (visited if begun else torch.zeros_like(visited)) + len(data)
            if not len(data):
                return (last_n if begun else data), cursor, visited
            kept = last_n if begun else data[:0]
            return *self._collect(kept, int(cursor) if begun else 0, data, cursor), visited

    def _collect(self, kept: Array, place: int, data: Array, cursor: Tensor) -> tuple[Array, Tensor]:
        size, count = self.num_to_collect, len(data)
        if count > size:
            return _copy(data[count - size :]), torch.zeros_like(cursor)
        rows = min(size, len(kept) + count)
        if not 0 <= place < rows:
            raise EnforceNotMet(f"next_cursor holds {place}; the ring has {rows} places")
        ring = _copy(_join(kept, data[: rows - len(kept)]))
        first = min(count, size - place)
        ring[place : place + first] = data[:first]
        ring[: count - first] = data[first:]
        return ring, torch.full_like(cursor, (place + count) % size)


def _join(a: Array, b: Array) -> Array:
    return np.concatenate([a, b]) if isinstance(a, np.ndarray) else torch.cat([a, b])


def _copy(x: Array) -> Array:
    return x.copy() if isinstance(x, np.ndarray) else x.clone()


@op(
    "VariableLengthSequencePadding: input seq_lengths -> output",
    inplace="input -> output",
    types="input: float, seq_lengths: int32",
)
class VariableLengthSequencePadding(Op):
    """Input [time, batch, features] with 0 at the times t >= seq_lengths[b] of each sequence b.

    As in the original this is done in place alone: another output stays empty.
    """

    def bind(self, site: Site) -> None:
        self._in_place = site.outputs[0] == site.inputs[0]

    def __call__(self, x: Tensor, seq_lengths: Tensor) -> Tensor:
        demand.rank(x, 3, "input")
        demand.rank(seq_lengths, 1, "seq_lengths")
        if seq_lengths.numel() != x.shape[1]:
            raise EnforceNotMet(f"there are {seq_lengths.numel()} seq_lengths for {x.shape[1]} sequences")
        if not self._in_place:
            return x.new_empty(0)
        late = torch.arange(x.shape[0], device=x.device)[:, None] >= seq_lengths
        return x.masked_fill(late[:, :, None], 0)


@op("DataCouple: *blobs -> *blobs", inplace="blobs => blobs")
def data_couple(*blobs: Any) -> tuple[Any, ...]:
    """The blobs as they are: it makes whoever writes one of them wait for all."""
    return blobs
