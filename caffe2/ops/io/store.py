"""Stores: blobs under names that several processes share."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import UNKNOWN, EnforceNotMet, Op, Site, op
from caffe2.runtime.serialize import deserialize, serialize

PATIENCE = 30.0
"""Seconds that a store waits for a name, unless asked otherwise."""

PAUSE = 0.01
"""Seconds between two looks: shared file systems do not tell of changes."""


class StoreTimeout(EnforceNotMet):
    """A name was waited for in a store, and nobody set it."""


class FileStore:
    """Bytes by name in files of a folder, one file a name; with a prefix, in a folder of its own within."""

    def __init__(self, path: str, prefix: str = "") -> None:
        self._folder = Path(path).resolve(strict=True) / (_file_name(prefix) if prefix else "")
        self._folder.mkdir(exist_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / _file_name(name)

    def set(self, name: str, content: bytes) -> None:
        """Put bytes under a name; others see all of them or none."""
        hidden = self._folder / f".{_file_name(name)}.{os.getpid()}"
        hidden.write_bytes(content)
        hidden.replace(self._path(name))

    def get(self, name: str, timeout: float = PATIENCE) -> bytes:
        """The bytes under a name, waited for. Raises StoreTimeout."""
        self.wait([name], timeout)
        return self._path(name).read_bytes()

    def check(self, names: Iterable[str]) -> bool:
        """Whether all of these names are set."""
        return all(self._path(name).exists() for name in names)

    def add(self, name: str, amount: int) -> int:
        """Add to the number under a name, 0 at first, with no other process between; the sum."""
        lock = self._folder / f".{_file_name(name)}.lock"
        _wait(lambda: _created(lock), PATIENCE, f"the lock of {name}")
        try:
            total = amount + (int(self._path(name).read_bytes()) if self.check([name]) else 0)
            self.set(name, str(total).encode())
        finally:
            lock.unlink()
        return total

    def wait(self, names: Iterable[str], timeout: float = PATIENCE) -> None:
        """Wait until all of these names are set. Raises StoreTimeout."""
        names = list(names)
        _wait(lambda: self.check(names), timeout, " ".join(names))


def _file_name(name: str) -> str:
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()


def _created(path: Path) -> bool:
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _wait(holds: Any, timeout: float, what: str) -> None:
    deadline = time.monotonic() + timeout
    while not holds():
        if time.monotonic() > deadline:
            raise StoreTimeout(f"waited {timeout:g} s in a store for {what}")
        time.sleep(PAUSE)


@op("FileStoreHandlerCreate: -> handler")
def file_store_handler_create(*, path: str = "", prefix: str = "") -> FileStore:
    """A store of blobs in files of a folder, shared by processes.

    handler: the store.
    path: the folder, which exists.
    prefix: names are apart from those under another prefix.
    """
    if not path:
        raise EnforceNotMet("FileStoreHandlerCreate: path, the folder of the store, is missing")
    return FileStore(path, prefix)


class Named(Op):
    """Base of operators on one name: blob_name, else the name of the blob."""

    blob_name: str = ""

    def bind(self, site: Site) -> None:
        self.name = self.blob_name or [*site.inputs[1:], *site.outputs][0]
        self.device = site.device


@op("StoreSet: handler data ->")
class StoreSet(Named):
    """Puts a blob into a store.

    data: the blob.
    """

    def __call__(self, handler: FileStore, data: Any) -> None:
        handler.set(self.name, serialize(data, self.name))


@op("StoreGet: handler -> data", blocking=True, shape=UNKNOWN)
class StoreGet(Named):
    """A blob from a store; waits for it, 30 seconds at most.

    data: the blob.
    """

    def __call__(self, handler: FileStore) -> Any:
        return deserialize(handler.get(self.name))


@op("StoreAdd: handler -> value")
def store_add(handler: FileStore, *, blob_name: str, add_value: int = 1) -> Tensor:
    """Adds add_value to the number under blob_name in a store, 0 at first.

    value: (1), int64: the sum.
    add_value: the number to add.
    blob_name: the name.
    """
    return torch.tensor([handler.add(blob_name, add_value)])


@op("StoreWait: handler names? ->", blocking=True)
def store_wait(handler: FileStore, names: np.ndarray | None = None, *, blob_name: tuple[str, ...] = ()) -> None:
    """Waits, 30 seconds at most, until all of some names are set in a store.

    names: (N), strings: the names, instead of blob_name.
    blob_name: the names.
    """
    if names is not None and blob_name:
        raise EnforceNotMet("StoreWait: the names are given by an input and by blob_name; one of them is too much")
    given = [name.decode() for name in names.reshape(-1)] if names is not None else blob_name
    handler.wait(given)
