"""Masks: rows kept, put back and dropped, and elements of sequences masked out for attention."""

from __future__ import annotations

from math import prod

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import NONE, UNKNOWN, EnforceNotMet, Gradient, Op, Site, gradient, op, shape
from caffe2.ops import demand, ragged
from caffe2.ops.index.gather import Array, axis_of, pick


@op(
    "BooleanMask: data mask -> masked_data masked_indices?",
    gradient="BooleanMaskGradient: mask dmasked_data -> ddata",
    types="mask: bool",
    shape=UNKNOWN,
)
def boolean_mask(data: Array, mask: Tensor) -> tuple[Array, Tensor]:
    """The rows of data where the mask is true, and their numbers.

    mask: (M), bool.
    masked_data: (K, ...).
    masked_indices: (K), int64.
    """
    demand.rank(mask, 1, "mask")
    demand.same_rows(data, mask, "data and mask")
    rows = mask.nonzero().squeeze(1)
    return pick(data, rows, 0), rows


@op("BooleanMaskGradient: mask dmasked_data -> ddata", types="mask: bool, dmasked_data: bool int32 int64 float double")
def boolean_mask_gradient(mask: Tensor, dy: Tensor) -> Tensor:
    """ddata = dmasked_data, row by row, where mask is true, 0 elsewhere."""
    demand.rank(mask, 1, "mask")
    if demand.readable(mask) and int(mask.sum()) != dy.shape[0]:
        raise EnforceNotMet(f"the gradient holds {dy.shape[0]} rows and mask is true {int(mask.sum())} times")
    dx = dy.new_zeros(mask.numel(), *dy.shape[1:])
    return dx.masked_scatter_(mask.view(-1, *[1] * (dy.dim() - 1)), dy)


@op("BooleanMaskLengths: lengths mask -> masked_lengths", gradient=NONE, types="lengths: index, mask: bool")
def boolean_mask_lengths(lengths: Tensor, mask: Tensor) -> Tensor:
    """How often mask is true within each segment.

    mask: (N), bool; lengths add up to N.
    masked_lengths: (S), of the type of lengths.
    """
    demand.rank(mask, 1, "mask")
    demand.lengths(lengths, mask.numel(), "lengths")
    return torch.zeros_like(lengths).index_add_(0, ragged.segments(lengths, mask.numel()), mask.to(lengths.dtype))


@op("BooleanUnmask: +(mask data) -> unmasked_data", gradient=NONE)
def boolean_unmask(*inputs: Array) -> Array:
    """The vector whose elements where a mask is true, and no mask before it, are those of its data, in order.

    mask: vectors of bool of one length; at every place one of them is true.
    data: for each mask a vector of as many elements as are taken from it.
    unmasked_data: a vector of the length of the masks.
    """
    values, free = inputs[1::2], torch.ones_like(inputs[0])
    source, shift = torch.zeros(free.shape, dtype=torch.int64, device=free.device), 0
    for number, (mask, data) in enumerate(zip(inputs[::2], values)):
        demand.rank(mask, 1, "mask")
        demand.rank(data, 1, "data")
        demand.same_shape(mask, free, "masks")
        if mask.dtype != torch.bool or data.dtype != values[0].dtype:
            raise EnforceNotMet(f"masks are bool and data of one element type, not {mask.dtype} and {data.dtype}")
        rows = (mask & free).nonzero().squeeze(1)
        if len(rows) != len(data):
            raise EnforceNotMet(f"mask {number} takes {len(rows)} elements and its data holds {len(data)}")
        source[rows] = torch.arange(shift, shift + len(rows), device=free.device)
        shift, free = shift + len(rows), free & ~mask
    if free.any():
        raise EnforceNotMet(f"no mask is true at position {int(free.nonzero()[0])}")
    joined = np.concatenate(values) if isinstance(values[0], np.ndarray) else torch.cat(values)
    return pick(joined, source, 0)


@shape("BooleanUnmask")
def _(*inputs: Tensor | None) -> Tensor | None:
    mask, data = inputs[:2]
    return None if mask is None or data is None else data.new_empty(mask.shape)


@op("RemoveDataBlocks: data indices -> shrunk_data", shape=UNKNOWN)
def remove_data_blocks(data: Array, indices: Tensor) -> Array:
    """Data without the rows that indices name, each of them once or more.

    indices: int32 or int64; no indices may be of any type, as NumPy's empty arrays are.
    shrunk_data: (K, ...).
    """
    demand.least_rank(data, 1, "data")
    demand.rank(indices, 1, "indices")
    if not indices.numel():
        indices = indices.long()
    if indices.dtype not in (torch.int32, torch.int64):
        raise EnforceNotMet(f"indices are int32 or int64, not {indices.dtype}")
    demand.in_range(indices, data.shape[0], "indices")
    kept = torch.ones(data.shape[0], dtype=torch.bool, device=indices.device)
    kept[indices] = False
    return pick(data, kept.nonzero().squeeze(1), 0)


MODES = {
    "sequence": lambda row, column, limit, radius: column >= limit,
    "window": lambda row, column, limit, radius: (column > limit + radius) | (column < limit - radius),
    "upper": lambda row, column, limit, radius: column > row,
    "lower": lambda row, column, limit, radius: column < row,
    "upperdiag": lambda row, column, limit, radius: column >= row,
    "lowerdiag": lambda row, column, limit, radius: column <= row,
}
"""What each mode masks out of a matrix, by row and column numbers and a number of each row."""


@op("SequenceMask: input sequence_lengths? -> masked_tensor", types="input: float, sequence_lengths: int32")
class SequenceMask(Op):
    """The input with fill_val where its mode masks it, for attention over sequences.

    The input counts as a matrix: dimensions before `axis` make the rows i, the others the columns j. Masked are, by
    mode: sequence: j >= sequence_lengths[i]; window: |j - sequence_lengths[i]| > radius; upper: j > i; lower: j < i;
    upperdiag: j >= i; lowerdiag: j <= i.

    input: of any shape.
    sequence_lengths: (rows), int32: with the modes sequence and window.
    masked_tensor: of the shape of the input.
    mode: sequence, window, upper, lower, upperdiag or lowerdiag.
    axis: where the columns begin.
    radius: of the window.
    batch: the dimensions up to this one are a batch of such matrices.
    repeat_from_axis: the dimensions from there on are masked alike.
    grad: masked elements are 0: the gradient.
    fill_val: what masked elements become.
    """

    mode: str
    axis: int = 1
    radius: int = 10
    grad: bool = False
    fill_val: float = float("-inf")
    batch: int | None = None
    repeat_from_axis: int | None = None

    def bind(self, site: Site) -> None:
        if self.mode not in MODES:
            raise EnforceNotMet(f"SequenceMask\n  mode is one of {' '.join(MODES)}, not {self.mode!r}")
        if self.mode in ("sequence", "window") and len(site.inputs) < 2:
            raise EnforceNotMet(f"SequenceMask\n  mode {self.mode} takes sequence_lengths, and none are given")
        if self.repeat_from_axis is not None and (self.mode != "sequence" or self.batch is not None):
            raise EnforceNotMet("SequenceMask\n  repeat_from_axis goes with mode sequence, and without batch")

    def __call__(self, x: Tensor, sequence_lengths: Tensor | None = None) -> Tensor:
        axis, first, last = axis_of(self.axis, x.dim()), 0, x.dim()
        if self.batch is not None:
            first = axis_of(self.batch, x.dim()) + 1
        if self.repeat_from_axis is not None:
            last = axis_of(self.repeat_from_axis, x.dim())
        if not first <= axis <= last:
            raise EnforceNotMet(f"batch lies before axis {axis} and repeat_from_axis does not: {first - 1}, {last}")
        if not x.numel():
            return x.clone()
        rows, columns = prod(x.shape[first:axis]), prod(x.shape[axis:last])
        row = torch.arange(rows, device=x.device)[:, None]
        limit = row
        if self.mode in ("sequence", "window"):
            if sequence_lengths.numel() < rows:
                raise EnforceNotMet(f"there are {sequence_lengths.numel()} sequence_lengths for {rows} rows")
            limit = sequence_lengths.reshape(-1)[:rows, None]
        masked = MODES[self.mode](row, torch.arange(columns, device=x.device), limit, self.radius)
        table = x.reshape(prod(x.shape[:first]), rows, columns, prod(x.shape[last:]))
        return table.masked_fill(masked[:, :, None], 0.0 if self.grad else self.fill_val).reshape(x.shape)


@gradient("SequenceMask")
def _(g: Gradient) -> None:
    g.op("SequenceMask: dmasked_tensor sequence_lengths? -> dinput").ops[-1].arg.add(name="grad", i=1)  # the last one
