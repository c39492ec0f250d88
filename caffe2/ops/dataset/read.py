"""Reading datasets: the next rows, or rows in an order that is given."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import REFUSED, UNKNOWN, EnforceNotMet, op
from caffe2.ops.dataset.tree import Column, Tree, TreeCursor, cursor_of, part


@op("CreateTreeCursor: -> cursor", gradient=REFUSED)
def create_tree_cursor(*, fields: tuple[str, ...] = ()) -> TreeCursor:
    """A cursor before the first row of a dataset with these columns.

    cursor: the cursor.
    fields: the names of the columns; "p:lengths" says how many entries of the columns "p:..." belong to each entry
        around it.
    """
    return TreeCursor(Tree(fields))


@op("ResetCursor: cursor ->", gradient=REFUSED)
def reset_cursor(cursor: TreeCursor) -> None:
    """Puts a cursor before the first row."""
    with cursor_of(cursor, cursor.tree.fields).lock:
        cursor.offsets = []


@op("GetCursorOffset: cursor -> offsets", gradient=REFUSED, shape=UNKNOWN)
def get_cursor_offset(cursor: TreeCursor) -> Tensor:
    """The offset of a cursor in each domain.

    offsets: (domains), int32; (1), 0, before it has read.
    """
    return torch.tensor(cursor.offsets, dtype=torch.int32)


@op("CheckDatasetConsistency: +fields_ ->", gradient=REFUSED)
def check_dataset_consistency(*columns: Column, fields: tuple[str, ...] = ()) -> None:
    """Fails unless the columns of a domain have as many entries, as many as the lengths ask for."""
    tree = Tree(fields)
    limits = tree.limits(columns)
    for name, domain, column in zip(fields, tree.domain, columns):
        if len(column) != limits[domain]:
            raise EnforceNotMet(f"the column {name!r} has {len(column)} entries, and one beside it {limits[domain]}")
    sizes = tree.advance(columns, [0] * tree.domains, limits[0])
    for domain in range(1, tree.domains):
        if sizes[domain] != limits[domain]:
            name = fields[tree.lengths[domain - 1]]
            raise EnforceNotMet(f"{name!r} asks for {sizes[domain]} entries, and its columns have {limits[domain]}")


@op("ReadNextBatch: cursor *dataset -> +fields", gradient=REFUSED, shape=UNKNOWN)
def read_next_batch(
    cursor: TreeCursor, *columns: Column, batch_size: int = 1, enforce_batch_size: bool = False
) -> list[Column]:
    """The next batch_size rows of a dataset, fewer at the end and none behind it; several may read at once."""
    tree = cursor_of(cursor, columns).tree
    with cursor.lock:
        offsets = cursor.here()
        sizes = tree.advance(columns, offsets, batch_size)
        cursor.offsets = [offset + size for offset, size in zip(offsets, sizes)]
    if enforce_batch_size and sizes[0] < batch_size:
        sizes = [0] * len(sizes)
    return [part(column, offsets[d], sizes[d]) for column, d in zip(columns, tree.domain)]


@op("ComputeOffset: cursor *dataset -> offsets", gradient=REFUSED, shape=UNKNOWN)
def compute_offset(cursor: TreeCursor, *columns: Column) -> Tensor:
    """Where each row, from that of the cursor on, begins in each domain.

    Rows behind the last one begin where it ends. The cursor goes before the first row.

    offsets: (rows + 1, domains), int64.
    """
    tree = cursor_of(cursor, columns).tree
    with cursor.lock:
        found = tree.offsets(columns, cursor.here()[0])
        cursor.offsets = [0] * tree.domains
    return found


@op(
    "ReadRandomBatch: cursor idx? offsetsmat? *dataset -> +fields",
    types="idx offsetsmat: int64",
    gradient=REFUSED,
    shape=UNKNOWN,
)
def read_random_batch(
    cursor: TreeCursor,
    idx: Tensor | None = None,
    offsets: Tensor | None = None,
    *columns: Column,
    batch_size: int = 1,
    enforce_batch_size: bool = False,
    loop_over: bool = False,
) -> list[Column]:
    """The next batch_size rows in the order of idx, fewer at the end and none behind it; several may read at once.

    idx: (N), int64: numbers of rows.
    offsetsmat: where rows begin, as ComputeOffset tells.
    loop_over: begins again behind the last row.
    """
    tree = cursor_of(cursor, columns).tree
    if idx is None or offsets is None or offsets.dim() != 2:
        raise EnforceNotMet("ReadRandomBatch: idx and offsetsmat, as ComputeOffset makes it, are needed")
    with cursor.lock:
        at, count = cursor.here()[0], idx.numel()
        if enforce_batch_size and at + batch_size > count:
            at = count
        if loop_over and at >= count:
            at = 0
            cursor.offsets = [0]
        cursor.offsets = [cursor.here()[0] + batch_size]
    rows = idx.reshape(-1)[at : at + batch_size]
    if rows.numel() and not (0 <= int(rows.min()) and int(rows.max()) + 1 < len(offsets)):
        raise EnforceNotMet(f"idx names rows up to {int(rows.max())}, and offsetsmat has {len(offsets) - 1}")
    return [_ranges(column, offsets[rows, d], offsets[rows + 1, d]) for column, d in zip(columns, tree.domain)]


def _ranges(column: Column, begins: Tensor, ends: Tensor) -> Column:
    """The entries of a column from each begin to before each end, one range after another."""
    sizes = ends - begins
    before = sizes.cumsum(0) - sizes
    where = torch.arange(int(sizes.sum())) + torch.repeat_interleave(begins - before, sizes)
    if where.numel() and int(where.max()) >= len(column):
        raise EnforceNotMet(f"offsetsmat asks for entry {int(where.max())} of a column that has {len(column)}")
    return column[where.numpy()] if isinstance(column, np.ndarray) else column.index_select(0, where)
