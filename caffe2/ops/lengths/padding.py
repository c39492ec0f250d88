"""Padding at the start and at the end of every segment: put on, taken off, summed up; and rows for empty samples."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import UNKNOWN, EnforceNotMet, Gradient, NoGradient, Op, OutputCount, Site, gradient, op
from caffe2.ops import demand, ragged
from caffe2.ops.index.gather import Array, pick

NUMBERS = "float double int32 int64"


class _Padding(Op):
    """How many rows of padding there are at the start and at the end of each segment."""

    padding_width: int = 1
    end_padding_width: int = -1

    def bind(self, site: Site) -> None:
        if self.padding_width < 0:
            raise EnforceNotMet(f"{site.op.type}\n  padding_width is not negative: {self.padding_width}")
        if self.end_padding_width < 0:
            self.end_padding_width = self.padding_width
        self._both = self.padding_width + self.end_padding_width

    def segments(self, data: Tensor, lengths: Tensor | None, least: int) -> Tensor:
        """The lengths of the segments of data: one segment unless they are given, none with less than `least` rows."""
        demand.least_rank(data, 1, "data_in")
        if lengths is None:
            lengths = torch.full((1,), data.shape[0], dtype=torch.int32, device=data.device)
        demand.lengths(lengths, data.shape[0], "lengths")
        if demand.readable(lengths) and lengths.numel() and int(lengths.min()) < least:
            raise EnforceNotMet(f"a segment of {int(lengths.min())} rows cannot hold {least} rows of padding")
        return lengths


@op(
    "AddPadding: data_in lengths? start_padding? end_padding? -> data_out lengths_out?",
    types=f"data_in=start_padding=end_padding: {NUMBERS} bool, lengths: int32",
)
class AddPadding(_Padding):
    """Data with rows of padding before and behind every segment.

    lengths: (S), int32; without it data is one segment.
    start_padding: (...): the row that is put in front; 0 unless given.
    end_padding: (...): the row that is put behind; start_padding unless given.
    data_out: (N', ...).
    lengths_out: (S): the lengths with the padding.
    """

    def __call__(
        self,
        data: Tensor,
        lengths: Tensor | None = None,
        start_padding: Tensor | None = None,
        end_padding: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        lengths = self.segments(data, lengths, 0)
        rows = data.shape[0]
        padded, total = lengths + self._both, rows + self._both * lengths.numel()
        place = ragged.places(padded, total) - self.padding_width
        segment = ragged.segments(padded, total)
        source = ragged.starts(lengths)[segment] + place
        source = torch.where(place < 0, rows, torch.where(place >= lengths[segment], rows + 1, source))
        start = self._row(start_padding, data, "start_padding")
        end = start if end_padding is None else self._row(end_padding, data, "end_padding")
        return torch.cat([data, start, end]).index_select(0, source), padded

    def _row(self, padding: Tensor | None, data: Tensor, name: str) -> Tensor:
        shape = torch.Size((1, *data.shape[1:]))
        if padding is None:
            return data.new_zeros(shape)
        if padding.numel() != shape.numel():
            raise EnforceNotMet(f"{name} is a row of data_in, of shape {tuple(shape[1:])}, not {tuple(padding.shape)}")
        return padding.reshape(shape)


@gradient("AddPadding")
def _(g: Gradient) -> None:
    lengths = _lengths_out(g)
    g.op(f"RemovePadding: ddata_out {lengths} -> ddata_in")
    if g.has("start_padding"):
        g.op(f"GatherPadding: ddata_out {lengths} -> dstart_padding{' dend_padding' * g.has('end_padding')}")


def _lengths_out(g: Gradient) -> str:
    if not g.has("lengths"):
        return ""
    if not g.has("lengths_out"):
        raise NoGradient(f"{g.definition.header}\n  its gradient needs lengths_out; ask for it as a second output")
    return "lengths_out"


@op("RemovePadding: data_in lengths? -> data_out lengths_out?", types="lengths: int32")
class RemovePadding(_Padding):
    """Data without the first padding_width rows of every segment and its last end_padding_width, or as many.

    lengths: (S), int32; without it data is one segment.
    data_out: (N', ...).
    lengths_out: (S): the lengths without the padding.
    """

    def __call__(self, data: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        lengths = self.segments(data, lengths, self._both)
        left, total = lengths - self._both, data.shape[0] - self._both * lengths.numel()
        rows = ragged.places(left, total, ragged.starts(lengths) + self.padding_width)
        return data.index_select(0, rows), left


@gradient("RemovePadding")
def _(g: Gradient) -> None:
    g.op(f"AddPadding: ddata_out {_lengths_out(g)} -> ddata_in")


@op(
    "GatherPadding: data_in lengths -> padding_sum end_padding_sum?",
    types=f"data_in: {NUMBERS}, lengths: int32",
    shape=UNKNOWN,
)
class GatherPadding(_Padding):
    """The sum of all rows of padding in front of segments, and of all behind; of both, where one output is asked for.

    As in the original these are int64, of no dimensions, 0, where the segments have no padding.

    padding_sum, end_padding_sum: (...).
    """

    outputs: OutputCount

    def __call__(self, data: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        if not self._both:
            return tuple(torch.zeros((), dtype=torch.int64, device=data.device) for _ in range(self.outputs))
        lengths = self.segments(data, lengths, self._both)
        start = self._sum(data, ragged.starts(lengths), self.padding_width)
        end = self._sum(data, lengths.cumsum(0) - self.end_padding_width, self.end_padding_width)
        return (start, end) if self.outputs == 2 else (start + end,)

    def _sum(self, data: Tensor, first: Tensor, width: int) -> Tensor:
        rows = first[:, None] + torch.arange(width, device=data.device)
        return data.index_select(0, rows.reshape(-1)).sum(0, dtype=data.dtype)


@op("PadEmptySamples: lengths *features -> out_lengths *features", types="lengths: int32", shape=UNKNOWN)
def pad_empty_samples(lengths: Tensor, *features: Array) -> tuple[Tensor | Array, ...]:
    """Features with a row of 0, or an empty string, for every sample without rows, whose length becomes 1.

    features: tensors (N, ...), out with those rows.
    out_lengths: (S), int32.
    """
    demand.lengths(lengths, None, "lengths")
    rows, padded = int(lengths.sum()), lengths.clamp(min=1)
    source = ragged.places(padded, int(padded.sum()), ragged.starts(lengths))
    source = source.masked_fill(torch.repeat_interleave(lengths == 0, padded), rows)
    return padded, *(pick(_with_empty_row(x, rows), source, 0) for x in features)


def _with_empty_row(x: Array, rows: int) -> Array:
    demand.least_rank(x, 1, "a feature")
    if x.shape[0] != rows:
        raise EnforceNotMet(f"lengths add up to {rows} and a feature has {x.shape[0]} rows")
    if isinstance(x, np.ndarray):
        return np.concatenate([x, np.full((1, *x.shape[1:]), b"", object)])
    return torch.cat([x, x.new_zeros(1, *x.shape[1:])])
