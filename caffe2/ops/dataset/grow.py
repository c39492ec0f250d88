"""Datasets that grow and are trimmed."""

from __future__ import annotations

import numpy as np

from caffe2.opdef import REFUSED, UNKNOWN, EnforceNotMet, Op, Site, op
from caffe2.ops.dataset.tree import Column, Tree, part
from caffe2.ops.sync.atomic import Mutex
from caffe2.runtime.blob import describe

GROWTH = 1.4
"""How much more room than is needed is made, so that appending a row costs the same however many there are."""


class Appender:
    """Appends to columns, into room that it made behind a column when it last appended to it."""

    def __init__(self) -> None:
        self._room: Column | None = None
        self._last: Column | None = None

    def __call__(self, held: Column | None, new: Column) -> Column:
        """The entries of `held`, then those of `new`. Raises EnforceNotMet for another type or inner shape."""
        if not isinstance(new, Column) or not new.ndim:
            raise EnforceNotMet(f"what is appended has at least one dimension; it is {describe(new)}")
        if held is None or (len(held) == 0 and held.ndim):
            return part(new, 0, len(new))
        if type(held) is not type(new) or held.dtype != new.dtype or held.shape[1:] != new.shape[1:]:
            raise EnforceNotMet(f"{describe(new)} cannot be appended to {describe(held)}")
        total = len(held) + len(new)
        if self._last is not held or total > len(self._room):
            self._room = _room(held, int(total * GROWTH))
            self._room[: len(held)] = held
        self._room[len(held) : total] = new
        self._last = self._room[:total]
        return self._last


def _room(like: Column, length: int) -> Column:
    shape = (length, *like.shape[1:])
    return np.empty(shape, dtype=object) if isinstance(like, np.ndarray) else like.new_empty(shape)


@op(
    "Append: dataset new_data -> dataset_out",
    inplace="dataset => dataset_out",
    gradient=REFUSED,
    shape=UNKNOWN,
    empty=True,
)
class Append(Op):
    """Appends new_data to dataset along the first dimension; an empty dataset becomes new_data.

    dataset: (N, ...).
    new_data: (M, ...), of the same element type.
    dataset_out: dataset, (N + M, ...).
    """

    def bind(self, site: Site) -> None:
        self.append = Appender()

    def __call__(self, dataset: Column | None, new_data: Column) -> Column:
        return self.append(dataset, new_data)


@op(
    "AtomicAppend: mutex +blobs -> +datasets",
    inplace="blobs -> datasets",
    gradient=REFUSED,
    shape=UNKNOWN,
    empty=True,
    stores=False,
    arity=lambda i, o: i == 2 * o + 1,
)
class AtomicAppend(Op):
    """Appends to several datasets, each as Append does, all or none, while the mutex is held.

    blobs: N datasets, then N tensors to append.
    datasets: the N datasets.
    """

    def bind(self, site: Site) -> None:
        self.cells = [site.workspace.require(name) for name in site.inputs[1:]] if site.workspace else []
        self.outputs = [site.workspace.cell(name) for name in site.outputs] if site.workspace else []
        self.appends = [Appender() for _ in site.outputs]

    def __call__(self, mutex: Mutex, *blobs: Column | None) -> None:
        with mutex:  # the blobs may have changed before it was held: they are read anew
            held, new = self.cells[: len(self.outputs)], self.cells[len(self.outputs) :]
            made = [append(a.value, b.value) for append, a, b in zip(self.appends, held, new)]
            for cell, value in zip(self.outputs, made):
                cell.value = value


@op("TrimDataset: +columns -> +columns", inplace="columns => columns", gradient=REFUSED, shape=UNKNOWN)
def trim_dataset(*columns: Column, fields: tuple[str, ...] = (), multiple_of: int = 1) -> list[Column]:
    """The first rows of a dataset, as many as the largest multiple of multiple_of.

    multiple_of: the number.
    """
    if multiple_of < 1:
        raise EnforceNotMet(f"TrimDataset: multiple_of is {multiple_of}, and has to be positive")
    tree = Tree(fields)
    rows = tree.limits(columns)[0]
    kept = rows // multiple_of * multiple_of
    if kept == rows:
        return list(columns)
    sizes = tree.advance(columns, [0] * tree.domains, kept)
    return [part(column, 0, sizes[d]) for column, d in zip(columns, tree.domain)]
