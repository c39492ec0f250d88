"""Ragged segments laid out in tensors of one length, padded, and taken out of them again."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import NONE, UNKNOWN, EnforceNotMet, op
from caffe2.ops import demand, ragged
from caffe2.ops.index.gather import Array, pick

PACKED = "int32 int64 float string"


def laid_out(data: Array, lengths: Tensor, width: int, pad: float) -> tuple[Array, Tensor]:
    """[segments, width, a row's shape ...]: the first `width` rows of each segment, `pad` after; and where rows are."""
    present = torch.arange(width, device=lengths.device) < lengths[:, None]
    shape = (*present.shape, *data.shape[1:])
    if not len(data):
        empty = np.full(shape, b"", object) if isinstance(data, np.ndarray) else data.new_full(shape, pad)
        return empty, present & False
    rows = ragged.starts(lengths)[:, None] + torch.arange(width, device=lengths.device)
    picked = pick(data, rows.clamp_(max=len(data) - 1).reshape(-1), 0).reshape(shape)
    if isinstance(data, np.ndarray):
        picked[~present.numpy()] = b""
        return picked, present
    return picked.masked_fill_(~present.view(*present.shape, *[1] * (data.dim() - 1)), pad), present


def taken_out(packed: Array, lengths: Tensor, total: int, time_first: bool = False) -> Array:
    """The first rows of each segment of a packed tensor, one segment after another; `total` rows."""
    segment, place = ragged.segments(lengths, total), ragged.places(lengths, total)
    rows = place * packed.shape[1] + segment if time_first else segment * packed.shape[1] + place
    return pick(packed.reshape(packed.shape[0] * packed.shape[1], *packed.shape[2:]), rows, 0)


@op(
    "PackSegments: lengths tensor -> packed_tensor presence_mask?",
    gradient="UnpackSegments: lengths dpacked_tensor -> dtensor",
    types=f"lengths: index, tensor: {PACKED}",
    shape=UNKNOWN,
)
def pack_segments(
    lengths: Tensor, data: Array, *, max_length: int = -1, pad_minf: bool = False, return_presence_mask: bool = False
) -> tuple[Array, Tensor | None]:
    """The rows of each segment, and 0 behind its last.

    tensor: (N, ...).
    packed_tensor: (S, longest, ...), longest the largest of lengths.
    presence_mask: (S, longest), bool: where there are rows.
    max_length: that dimension instead of the longest segment; longer ones are cut. -1: not given.
    pad_minf: float tensors are padded with minus infinity.
    return_presence_mask: whether there is an output presence_mask.
    """
    demand.least_rank(data, 1, "tensor")
    demand.lengths(lengths, data.shape[0], "lengths")
    width = max_length if max_length != -1 else int(lengths.max()) if lengths.numel() else 0
    floating = isinstance(data, Tensor) and data.is_floating_point()
    packed, present = laid_out(data, lengths, width, float("-inf") if pad_minf and floating else 0)
    return packed, present if return_presence_mask else None


@op(
    "UnpackSegments: lengths tensor -> packed_tensor",
    gradient="PackSegments: lengths dpacked_tensor -> dtensor",
    types=f"lengths: index, tensor: {PACKED}",
    shape=UNKNOWN,
)
def unpack_segments(lengths: Tensor, packed: Array, *, max_length: int = -1) -> Array:
    """The first lengths[k] rows of each tensor[k], one segment after another.

    tensor: (S, longest, ...).
    packed_tensor: (N, ...).
    max_length: where given, that of the dimension; no more rows are taken of a longer segment.
    """
    demand.least_rank(packed, 2, "tensor")
    demand.lengths(lengths, None, "lengths")
    demand.same_rows(lengths, packed, "lengths and tensor")
    if max_length != -1:
        if max_length != packed.shape[1]:
            raise EnforceNotMet(f"max_length {max_length} is the second dimension of tensor, {packed.shape[1]}")
        lengths = lengths.clamp(max=max_length)
    _demand_width(lengths, packed.shape[1])
    return taken_out(packed, lengths, int(lengths.sum()))


def _demand_width(lengths: Tensor, width: int) -> None:
    if demand.readable(lengths) and lengths.numel() and int(lengths.max()) > width:
        raise EnforceNotMet(f"a segment has {int(lengths.max())} rows and the tensor room for {width}")


@op(
    "PackRNNSequence: values lengths -> output",
    gradient="UnpackRNNSequence: doutput lengths -> dvalues",
    types="values: int32 int64 float double, lengths: int32",
    shape=UNKNOWN,
)
def pack_rnn_sequence(values: Tensor, lengths: Tensor) -> Tensor:
    """The rows of each segment along the first dimension, and 0 behind its last.

    values: (N, ...).
    output: (longest, S, ...), longest the largest of lengths.
    """
    demand.least_rank(values, 2, "values")
    demand.lengths(lengths, None, "lengths")
    if demand.readable(lengths) and int(lengths.sum()) > values.shape[0]:
        raise EnforceNotMet(f"lengths add up to {int(lengths.sum())}, more than the {values.shape[0]} rows of values")
    longest = int(lengths.max()) if lengths.numel() else 0
    return laid_out(values, lengths, longest, 0)[0].transpose(0, 1).contiguous()


@op(
    "UnpackRNNSequence: values lengths -> output",
    gradient="PackRNNSequence: doutput lengths -> dvalues",
    types="values: int32 int64 float double, lengths: int32",
    shape=UNKNOWN,
)
def unpack_rnn_sequence(values: Tensor, lengths: Tensor) -> Tensor:
    """The first lengths[k] rows of each values[:, k], one segment after another.

    values: (longest, S, ...).
    output: (N, ...).
    """
    demand.least_rank(values, 3, "values")
    demand.lengths(lengths, None, "lengths")
    if lengths.numel() != values.shape[1]:
        raise EnforceNotMet(f"there are {lengths.numel()} lengths for the {values.shape[1]} segments of values")
    _demand_width(lengths, values.shape[0])
    return taken_out(values, lengths, int(lengths.sum()), time_first=True)


@op(
    "ReversePackedSegs: data lengths -> reversed_data",
    gradient="ReversePackedSegs: dreversed_data lengths -> ddata",
    types="data: float double int32 int64 bool, lengths: index",
)
def reverse_packed_segs(data: Tensor, lengths: Tensor) -> Tensor:
    """Data with the first lengths[b] rows of every data[:, b] in reverse order.

    data: (time, batch, features).
    lengths: (batch).
    reversed_data: of the shape of data.
    """
    demand.rank(data, 3, "data")
    demand.lengths(lengths, None, "lengths")
    if lengths.numel() != data.shape[1]:
        raise EnforceNotMet(f"there are {lengths.numel()} lengths for a batch of {data.shape[1]}")
    _demand_width(lengths, data.shape[0])
    time = torch.arange(data.shape[0], device=data.device)[:, None]
    source = torch.where(time < lengths, lengths - 1 - time, time)
    return data.gather(0, source[:, :, None].expand_as(data))


@op(
    "LengthsPad: DATA LENGTHS -> OUTPUT",
    gradient=NONE,
    types="DATA: float double int32 int64, LENGTHS: int32",
)
def lengths_pad(data: Tensor, lengths: Tensor, *, padding_value: float = -1.0, target_length: int = -1) -> Tensor:
    """Every segment of DATA padded to target_length rows with padding_value; none is longer.

    DATA: (N, ...).
    OUTPUT: (S * target_length, ...).
    target_length: how many rows each segment gets.
    padding_value: what they are filled with.
    """
    if target_length < 1:
        raise EnforceNotMet(f"target_length is at least 1, not {target_length}")
    demand.least_rank(data, 1, "DATA")
    demand.lengths(lengths, data.shape[0], "LENGTHS")
    _demand_width(lengths, target_length)
    pad = padding_value if data.is_floating_point() else int(padding_value)
    return laid_out(data, lengths, target_length, pad)[0].flatten(0, 1)


@op(
    "LengthsTile: DATA LENGTHS -> OUTPUT",
    gradient="LengthsSum: dOUTPUT LENGTHS -> dDATA",
    types="LENGTHS: int32",
    shape=UNKNOWN,
)
def lengths_tile(data: Array, lengths: Tensor) -> Array:
    """Row k of DATA LENGTHS[k] times, for every k in turn.

    DATA: (S, ...).
    OUTPUT: (sum of LENGTHS, ...).
    """
    demand.lengths(lengths, None, "LENGTHS")
    demand.same_rows(lengths, data, "LENGTHS and DATA")
    return pick(data, torch.repeat_interleave(lengths), 0)


@op("LengthsGather: ITEMS LENGTHS INDICES -> OUTPUT", types="LENGTHS: int32, INDICES: index", shape=UNKNOWN)
def lengths_gather(items: Array, lengths: Tensor, indices: Tensor) -> Array:
    """The segments of ITEMS that INDICES name, one after another.

    INDICES: (K): numbers of segments.
    OUTPUT: (N', ...).
    """
    demand.least_rank(items, 1, "ITEMS")
    demand.lengths(lengths, items.shape[0], "LENGTHS")
    demand.rank(indices, 1, "INDICES")
    demand.in_range(indices, lengths.numel(), "INDICES")
    chosen = lengths[indices]
    return pick(items, ragged.places(chosen, int(chosen.sum()), ragged.starts(lengths)[indices]), 0)
