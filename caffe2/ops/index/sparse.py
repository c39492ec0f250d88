"""Sparse forms made dense and back: rows by index, rows by feature id, and ragged rows of a matrix."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Op, OutputCount, Site, op
from caffe2.ops import demand, ragged
from caffe2.ops.index.gather import Array, pick


@op(
    "SparseToDense: indices values data_to_infer_dim? -> output",
    gradient="Gather: doutput indices -> dvalues",
    types="indices: index, values: float int32 int64",
)
def sparse_to_dense(
    indices: Tensor, values: Tensor, data_to_infer_dim: Tensor | None = None, *, output_first_dim: int = 0
) -> Tensor:
    """output[indices[i]] = the sum of values[i] over all i of one index, 0 where there is none.

    indices: (N).
    values: (N, ...).
    data_to_infer_dim: a tensor whose first dimension output takes.
    output: (M, ...), M being output_first_dim where given, else that of data_to_infer_dim, else 1 + the largest index.
    output_first_dim: M, the first dimension of output.
    """
    demand.rank(indices, 1, "indices")
    demand.same_rows(indices, values, "indices and values")
    if output_first_dim > 0:
        if data_to_infer_dim is not None:
            raise EnforceNotMet("the first dimension is told by output_first_dim or by data_to_infer_dim, not by both")
        size = output_first_dim
    elif data_to_infer_dim is not None:
        demand.least_rank(data_to_infer_dim, 1, "data_to_infer_dim")
        size = data_to_infer_dim.shape[0]
    else:
        size = int(indices.max()) + 1 if indices.numel() else 0
    demand.in_range(indices, size, "indices")
    return values.new_zeros(size, *values.shape[1:]).index_add_(0, indices, values)


class _Mask(Op):
    """The ids of features, and where each stands among the columns of a dense row."""

    mask: tuple[int, ...] = ()

    def bind(self, site: Site) -> None:
        if not self.mask or min(self.mask) < 0 or len(set(self.mask)) < len(self.mask):
            raise EnforceNotMet(f"{site.op.type}\n  mask holds one id or more, distinct and not negative: {self.mask}")
        ids, columns = torch.tensor(self.mask, device=site.device).sort()
        self._ids, self._columns = ids, columns

    def cells(self, indices: Tensor, lengths: Tensor | None) -> tuple[int, Tensor]:
        """The number of rows, and each index's cell among all rows' columns; one past the last where it has none."""
        demand.rank(indices, 1, "indices")
        columns = len(self.mask)
        near = torch.searchsorted(self._ids, indices.long()).clamp_(max=columns - 1)
        cells, rows = self._columns[near], 1
        if lengths is not None:
            demand.lengths(lengths, indices.numel(), "lengths")
            rows = lengths.numel()
            cells = cells + ragged.segments(lengths, indices.numel()) * columns
        return rows, torch.where(self._ids[near] == indices, cells, rows * columns)

    def last(self, cells: Tensor, count: int) -> Tensor:
        """For each of `count` cells the place of the last index that falls on it; -1 where none does."""
        places = torch.arange(cells.numel(), device=cells.device)
        return torch.full((count + 1,), -1, device=cells.device).scatter_reduce_(0, cells, places, "amax")[:count]


@op(
    "SparseToDenseMask: indices values default_value lengths? -> output presence_mask?",
    gradient="SparseToDenseMaskGradient: indices doutput lengths? -> dvalues",
    types="indices: index, lengths: int32",
)
class SparseToDenseMask(_Mask):
    """Rows of features: output[r, c] = the value of the last index of row r that is mask[c], else default_value.

    indices: (N): ids of features, cut into rows by lengths.
    values: (N, ...): the value of each.
    default_value: (...): the value of a feature that is not there.
    lengths: (R), int32; without it there is one row, and no dimension for it.
    output: (R, columns, ...).
    presence_mask: (R, columns), bool: whether a value was there.
    mask: the ids of the features that get a column.
    return_presence_mask: whether there is an output presence_mask.
    max_skipped_indices: after so many rows, over all runs, with negative ids among theirs the operator fails; never if
        negative.
    """

    outputs: OutputCount
    return_presence_mask: bool = False
    max_skipped_indices: int = 50
    _skipped = 0

    def __call__(
        self, indices: Tensor, values: Array, default_value: Array, lengths: Tensor | None = None
    ) -> tuple[Array, Tensor]:
        demand.same_rows(indices, values, "indices and values")
        if tuple(default_value.shape) != tuple(values.shape[1:]) or default_value.dtype != values.dtype:
            raise EnforceNotMet(f"default_value is like a row of values, of shape {tuple(values.shape[1:])}")
        rows, cells = self.cells(indices, lengths)
        self._count_skipped(indices, lengths)
        last = self.last(cells, rows * len(self.mask))
        absent = last < 0
        shape = (rows, len(self.mask)) if lengths is not None else (len(self.mask),)
        joined = np.concatenate if isinstance(values, np.ndarray) else torch.cat
        output = pick(joined([values, default_value[None]]), last.masked_fill(absent, values.shape[0]), 0)
        return output.reshape(*shape, *values.shape[1:]), ~absent.view(shape)

    def _count_skipped(self, indices: Tensor, lengths: Tensor | None) -> None:
        if not demand.readable(indices):
            return
        bad = (indices < 0) | (indices == torch.iinfo(indices.dtype).max)
        if not bad.any():
            return
        row = 0 if lengths is None else torch.repeat_interleave(lengths)[bad]
        self._skipped += 1 if lengths is None else row.unique().numel()
        if 0 <= self.max_skipped_indices <= self._skipped:
            most = self.max_skipped_indices
            raise EnforceNotMet(f"{self._skipped} rows had invalid ids; max_skipped_indices is {most}")


@op(
    "SparseToDenseMaskGradient: indices doutput lengths? -> dvalues",
    types="indices: index, lengths: int32",
)
class SparseToDenseMaskGradient(_Mask):
    """dvalues = doutput at the cell that a value was put in, 0 where another value or none of the columns took it.

    mask: the ids of the features that have a column.
    """

    def __call__(self, indices: Tensor, doutput: Tensor, lengths: Tensor | None = None) -> Tensor:
        outer = 1 if lengths is None else 2
        rows, cells = self.cells(indices, lengths)
        count = rows * len(self.mask)
        if tuple(doutput.shape[:outer]) != (rows, len(self.mask))[-outer:]:
            shape = tuple(doutput.shape)
            raise EnforceNotMet(f"doutput has {rows} rows of {len(self.mask)} columns; its shape is {shape}")
        last = self.last(cells, count)
        used = torch.cat([last, last.new_full((1,), -1)])[cells] == torch.arange(cells.numel(), device=cells.device)
        flat = torch.cat([doutput.reshape(count, *doutput.shape[outer:]), doutput.new_zeros(1, *doutput.shape[outer:])])
        return flat.index_select(0, torch.where(used, cells, count))


def _places(lengths: Tensor, indices: Tensor, columns: int) -> Tensor:
    """The places of ragged indices, a row cut by each length, among the elements of a matrix."""
    demand.rank(indices, 1, "indices")
    demand.lengths(lengths, indices.numel(), "lengths")
    demand.in_range(indices, columns, "indices")
    return ragged.segments(lengths, indices.numel()) * columns + indices


@op(
    "BatchSparseToDense: lengths indices values output_shape_inference? -> dense",
    gradient="BatchDenseToSparse: lengths indices ddense -> dvalues",
    types="lengths indices: int64, values: float",
)
def batch_sparse_to_dense(
    lengths: Tensor,
    indices: Tensor,
    values: Tensor,
    output_shape_inference: Tensor | None = None,
    *,
    dense_last_dim: int = -1,
    default_value: float = 0.0,
) -> Tensor:
    """dense[b, indices[k]] = values[k] for the k of row b; default_value elsewhere.

    lengths: (batch): how many indices each row has; they add up to N.
    indices: (N): columns of dense.
    values: (N).
    output_shape_inference: (batch, columns): tells the number of columns.
    dense: (batch, columns).
    dense_last_dim: the number of columns, where no output_shape_inference tells it.
    default_value: what stands where no value is.
    """
    columns = dense_last_dim
    if output_shape_inference is not None:
        demand.rank(output_shape_inference, 2, "output_shape_inference")
        columns = output_shape_inference.shape[1]
        if dense_last_dim not in (-1, columns):
            raise EnforceNotMet(f"dense_last_dim is {dense_last_dim}; output_shape_inference has {columns} columns")
    elif columns < 1:
        raise EnforceNotMet("dense_last_dim, 1 or more, is needed where there is no output_shape_inference")
    if indices.numel() != values.numel():
        raise EnforceNotMet(f"there are {indices.numel()} indices for {values.numel()} values")
    dense = values.new_full((lengths.numel(), columns), default_value)
    dense.view(-1)[_places(lengths, indices, columns)] = values.reshape(-1)
    return dense


@op(
    "BatchDenseToSparse: lengths indices dense -> values",
    gradient="BatchSparseToDense: lengths indices dvalues dense -> ddense",
    types="lengths indices: int64, dense: float",
)
def batch_dense_to_sparse(lengths: Tensor, indices: Tensor, dense: Tensor) -> Tensor:
    """values[k] = dense[b, indices[k]] for the k of row b.

    lengths: (batch): how many indices each row has; they add up to N.
    indices: (N): columns of dense.
    dense: (batch, columns).
    values: (N).
    """
    demand.rank(dense, 2, "dense")
    demand.same_rows(lengths, dense, "lengths and dense")
    return dense.reshape(-1)[_places(lengths, indices, dense.shape[1])]
