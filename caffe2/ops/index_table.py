"""Dictionaries that number keys from one on; zero is for keys that are not known.

handle: an index, as IntIndexCreate, LongIndexCreate or StringIndexCreate makes it.
handle_out: the index.
items: (N): keys.
max_elements: how many entries the index may have, that of 0 included.
skip_first_entry: the first item stands for 0 and is left out.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import NONE, UNKNOWN, EnforceNotMet, op
from caffe2.proto import caffe2_pb2
from caffe2.runtime import serialize

LARGEST = 2**31 - 1


class IndexTable:
    """Numbers, in the order of their first look-up, for keys of one type: int32, int64 or strings."""

    def __init__(self, kind: torch.dtype | type, capacity: int) -> None:
        self.kind, self.capacity, self.frozen = kind, capacity, False
        self._numbers: dict[Any, int] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._numbers) + 1

    def keys_of(self, keys: Tensor | np.ndarray) -> list:
        """The elements of a tensor of keys. Raises EnforceNotMet for another type than the table's."""
        kind = bytes if isinstance(keys, np.ndarray) else keys.dtype
        if kind != self.kind:
            raise EnforceNotMet(f"the keys of this index are {self.kind}, not {kind}")
        return keys.reshape(-1).tolist()

    def look_up(self, keys: Tensor | np.ndarray) -> Tensor:
        """The number of every key: a new one for a key that is not known, or 0 once the table is frozen."""
        wanted = self.keys_of(keys)
        with self._lock:
            for key in () if self.frozen else wanted:
                if key not in self._numbers:
                    if len(self) >= self.capacity:
                        raise EnforceNotMet(f"the index is full: it holds max_elements = {self.capacity} entries")
                    self._numbers[key] = len(self)
            found = [self._numbers.get(key, 0) for key in wanted]
        return torch.tensor(found, dtype=torch.int64).reshape(keys.shape)

    def load(self, keys: Tensor | np.ndarray, skip: int) -> None:
        """Number the keys from one on, in their order, in place of those held; the first `skip` are left out."""
        wanted = self.keys_of(keys)[skip:]
        if len(wanted) > self.capacity or len(set(wanted)) != len(wanted):
            raise EnforceNotMet(f"an index loads different keys, {self.capacity} at most; got {len(wanted)}")
        with self._lock:
            self._numbers = {key: k + 1 for k, key in enumerate(wanted)}

    def items(self) -> Tensor | np.ndarray:
        """The keys in the order of their numbers."""
        held = list(self._numbers)
        if self.kind is not bytes:
            return torch.tensor(held, dtype=self.kind)
        out = np.empty(len(held), dtype=object)
        out[:] = held
        return out


def _write(table: IndexTable, blob: caffe2_pb2.BlobProto) -> None:
    blob.tensor.CopyFrom(serialize.tensor_proto(table.items()))
    blob.content = f"{table.capacity} {int(table.frozen)}".encode()


def _read(blob: caffe2_pb2.BlobProto) -> IndexTable:
    keys = serialize.tensor_value(blob.tensor)
    words = blob.content.split() + [b"", b""]
    table = IndexTable(bytes if isinstance(keys, np.ndarray) else keys.dtype, int(words[0] or LARGEST))
    table.load(keys, skip=0)
    table.frozen = words[1] == b"1"
    return table


serialize.stored_as(IndexTable, "std::unique_ptr<caffe2::IndexBase>", _write, _read)

KINDS = {"Int": torch.int32, "Long": torch.int64, "String": bytes}


def _creator(kind: torch.dtype | type):
    def create(*, max_elements: int = LARGEST) -> IndexTable:
        return IndexTable(kind, max_elements)

    return create


for _name, _kind in KINDS.items():
    op(
        f"{_name}IndexCreate: -> handle",
        gradient=NONE,
        doc=f"An empty index for {_name.lower()} keys.",
    )(_creator(_kind))


@op("IndexGet: handle keys -> indices", types="keys: int32 int64 string", shape=UNKNOWN)
def index_get(handle: IndexTable, keys: Tensor | np.ndarray) -> Tensor:
    """The number of every key.

    A key that is not known gets the next number, or 0 where the index is frozen. Fails where the index is full.

    keys: of any shape, of the index's type.
    indices: int64, of the shape of keys.
    """
    return handle.look_up(keys)


@op("IndexFreeze: handle -> handle_out", inplace="handle => handle_out", shares=True)
def index_freeze(handle: IndexTable) -> IndexTable:
    """Lets an index take no more keys."""
    handle.frozen = True
    return handle


@op("IndexLoad: handle items -> handle_out", inplace="handle => handle_out", types="items: int32 int64 string")
def index_load(handle: IndexTable, items: Tensor | np.ndarray, *, skip_first_entry: int = 0) -> IndexTable:
    """Numbers the items from one on.

    Fails where an item comes twice, or there are more than the index may hold.
    """
    if skip_first_entry and not items.shape[0]:
        raise EnforceNotMet("IndexLoad: there is no first entry to skip")
    handle.load(items, int(bool(skip_first_entry)))
    return handle


@op("IndexStore: handle -> items", shape=UNKNOWN)
def index_store(handle: IndexTable) -> Tensor | np.ndarray:
    """The keys of an index in the order of their numbers, from that of 1 on."""
    return handle.items()


@op("IndexSize: handle -> items")
def index_size(handle: IndexTable) -> Tensor:
    """How many entries an index has, that of 0 included.

    items: int64, of no dimensions.
    """
    return torch.tensor(len(handle))
