"""Buffers that keep the last rows seen, or a sample of all."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import REFUSED, UNKNOWN, EnforceNotMet, Op, Site, op
from caffe2.ops.dataset.tree import Column
from caffe2.ops.sync.atomic import Mutex
from caffe2.runtime.blob import Blob, describe


class Collector(Op):
    """Shared by the operators below: N is num_to_collect, and the blobs are read once the mutex is held."""

    num_to_collect: int = -1

    def bind(self, site: Site) -> None:
        if self.num_to_collect < 1:
            raise EnforceNotMet(f"{site.op.type}: num_to_collect is {self.num_to_collect}, and has to be positive")
        self.name = site.op.type
        self.cells = [site.workspace.require(name) for name in site.inputs] if site.workspace else []

    def buffer(self, cell: Blob, data: Column) -> Column:
        """What a blob holds, without rows at first. Raises EnforceNotMet where it is not like the data."""
        if not isinstance(data, Column) or not data.ndim:
            raise EnforceNotMet(f"{self.name}: the data has at least one dimension; it is {describe(data)}")
        held = cell.value
        if held is None or (isinstance(held, Column) and 0 in held.shape):
            return data[:0]
        if type(held) is not type(data) or held.dtype != data.dtype or held.shape[1:] != data.shape[1:]:
            raise EnforceNotMet(f"{self.name}: {describe(data)} is collected with {describe(held)}")
        return held

    def grown(self, held: Column, rows: int) -> Column:
        """A buffer of its own of so many rows, those of `held` first."""
        if isinstance(held, np.ndarray):
            made = np.empty((rows, *held.shape[1:]), dtype=object)
        else:
            made = held.new_empty((rows, *held.shape[1:]))
        made[: len(held)] = held
        return made


@op(
    "LastNWindowCollector: last_n next DATA MUTEX? NUM_VISITED? -> last_n_out next_out NUM_VISITED_out?",
    inplace="last_n => last_n_out, next => next_out, NUM_VISITED => NUM_VISITED_out",
    gradient=REFUSED,
    stores=False,
    empty=True,
    shape=lambda last, next, data, mutex=None, visited=None, num_to_collect=-1: (
        None if data is None else data.new_empty((num_to_collect, *data.shape[1:])),
        next,
        visited,
    ),
)
class LastNWindowCollector(Collector):
    """Keeps the last N rows that it saw, in a ring.

    last_n: the rows, (N, ...), empty at first.
    next: where the next row goes, int32, of no dimensions.
    DATA: new rows, (B, ...).
    NUM_VISITED: (1), int64: how many rows were seen.
    last_n_out, next_out, NUM_VISITED_out: last_n, next and NUM_VISITED, updated.
    num_to_collect: N, how many rows are kept.
    """

    def __call__(self, *_: Any) -> None:
        mutex = self.cells[3].value if len(self.cells) > 3 else nullcontext()
        with mutex:
            self._collect(*self.cells[:3], *self.cells[4:])

    def _collect(self, last: Blob, next: Blob, data: Blob, visited: Blob | None = None) -> None:
        new, limit = data.value, self.num_to_collect
        held = self.buffer(last, new)
        if not isinstance(next.value, Tensor) or next.value.dim() or next.value.dtype is not torch.int32:
            raise EnforceNotMet(f"{self.name}: next is an int32 scalar, not {describe(next.value)}")
        if visited is not None:
            before = int(visited.value.reshape(-1)[0]) if len(held) else 0
            visited.value = torch.full_like(visited.value, before + len(new))
        if not len(new):
            last.value = held if len(held) else self.grown(held, 0)
            return
        start = int(next.value) if len(held) else 0
        rows = min(limit, len(held) + min(len(new), limit))
        if not 0 <= start < rows:
            raise EnforceNotMet(f"{self.name}: next is {start}, and the buffer has {rows} rows")
        ring = held if len(held) == limit else self.grown(held, rows)
        if len(new) > limit:
            ring[:] = new[-limit:]
            start = 0
        else:
            ring[[(start + k) % limit for k in range(len(new))]] = new
            start = (start + len(new)) % limit
        last.value, next.value = ring, torch.tensor(start, dtype=torch.int32)


@op(
    "ReservoirSampling: RESERVOIR NUM_VISITED DATA MUTEX OBJECT_ID? OBJECT_TO_POS_MAP_IN? POS_TO_OBJECT_IN?"
    " -> RESERVOIR_out NUM_VISITED_out OBJECT_TO_POS_MAP? POS_TO_OBJECT?",
    inplace="RESERVOIR => RESERVOIR_out, NUM_VISITED => NUM_VISITED_out,"
    " OBJECT_TO_POS_MAP_IN => OBJECT_TO_POS_MAP, POS_TO_OBJECT_IN => POS_TO_OBJECT",
    arity=lambda i, o: i // 3 == o // 2,
    gradient=REFUSED,
    stores=False,
    empty=True,
    random=True,
    shape=UNKNOWN,
)
class ReservoirSampling(Collector):
    """Keeps a sample of N of all rows that it saw, every one as likely (reservoir sampling), while the mutex is held.

    RESERVOIR: the rows kept, (N, ...), empty at first.
    NUM_VISITED: (1), int64: how many rows were seen, 0 at first.
    DATA: new rows, (B, ...).
    OBJECT_ID: (B), int64: of rows with the same id only one is kept.
    OBJECT_TO_POS_MAP_IN, OBJECT_TO_POS_MAP: a map from int64 to int32: where the row of an id is kept; before and
        after.
    POS_TO_OBJECT_IN, POS_TO_OBJECT: (rows), int64: the id of the row at each place; before and after.
    RESERVOIR_out, NUM_VISITED_out: RESERVOIR and NUM_VISITED, updated.
    num_to_collect: N, how many rows are kept.
    """

    generator: torch.Generator

    def __call__(self, *_: Any) -> None:
        mutex, visited = self.cells[3].value, self.cells[1].value
        if not isinstance(mutex, Mutex) or not isinstance(visited, Tensor) or visited.numel() != 1:
            raise EnforceNotMet(f"MUTEX and NUM_VISITED are a mutex and one number, not {mutex} and {visited}")
        with mutex:
            self._collect(*self.cells[:3], *self.cells[4:])

    def _collect(
        self,
        kept: Blob,
        visited: Blob,
        data: Blob,
        ids: Blob | None = None,
        places: Blob | None = None,
        objects: Blob | None = None,
    ) -> None:
        new, limit = data.value, self.num_to_collect
        held = self.buffer(kept, new)
        seen = int(visited.value.reshape(-1)[0]) if len(held) else 0
        if seen < 0 or len(held) < min(seen, limit):
            raise EnforceNotMet(f"{self.name}: {seen} rows were seen, and the reservoir holds {len(held)}")
        fresh = self._fresh(new, ids, places)
        rows = min(limit, len(held) + len(fresh))
        pool = self.grown(held, rows)
        owner = None
        if objects is not None:
            owner = torch.zeros(rows, dtype=torch.int64)
            before = objects.value
            if before is not None and len(held):
                owner[: len(before)] = before
        for row in fresh:
            place = seen if seen < limit else int(torch.randint(seen + 1, (), generator=self.generator))
            seen += 1
            if place >= limit:
                continue
            pool[place] = new[row]
            if owner is not None:
                self._own(places.value.entries, owner, place, int(ids.value[row]), replaces=place < len(held))
        kept.value, visited.value = pool, torch.full_like(visited.value, seen)
        if objects is not None:
            objects.value = owner

    def _fresh(self, new: Column, ids: Blob | None, places: Blob | None) -> list[int]:
        """The rows that may be kept: of each object that is not yet, the first."""
        if ids is None:
            return list(range(len(new)))
        given = ids.value
        if given.dim() != 1 or given.numel() != len(new):
            raise EnforceNotMet(f"{self.name}: {len(new)} rows have {list(given.shape)} object ids")
        first: dict[int, int] = {}
        for row, name in enumerate(given.tolist()):
            if name not in places.value.entries:
                first.setdefault(name, row)
        return list(first.values())

    @staticmethod
    def _own(entries: dict[int, int], owner: Tensor, place: int, name: int, replaces: bool) -> None:
        entries.pop(int(owner[place]), None)
        owner[place] = name
        entries[name] = place
