"""The database lmdb: a folder that LMDB keeps, in the order of keys. Needs the package lmdb."""

from __future__ import annotations

import os
import weakref
from typing import Any

from caffe2.runtime.db import DatabaseError, Mode, database, demand_writable

try:
    import lmdb
except ImportError:
    lmdb = None

MAP_SIZE = 1 << 40
"""Bytes of address space that a database may grow into; no memory and no disk is taken before."""

_open: weakref.WeakValueDictionary[str, LMDB] = weakref.WeakValueDictionary()
"""Databases that are open to be read: LMDB lets a process open a folder only once."""


@database("lmdb", "LMDB")
class LMDB:
    """Records in the order of their keys, which are unique; several may read while one writes."""

    def __init__(self, path: str, mode: Mode) -> None:
        if lmdb is None:
            raise DatabaseError(f"to open the lmdb {path!r}, install the package lmdb: pip install lmdb")
        self.path, self.mode = path, mode
        shared = _open.get(os.path.realpath(path)) if mode is Mode.read else None
        self._env = shared._env if shared is not None else self._opened()
        self._shared = shared  # keeps it open as long as this one is
        if mode is Mode.read and shared is None:
            _open[os.path.realpath(path)] = self

    def _opened(self) -> Any:
        if self.mode is Mode.new:
            os.mkdir(self.path, 0o744)
        elif not os.path.exists(self.path):
            raise FileNotFoundError(2, "No such file or directory", self.path)
        options = dict(map_size=MAP_SIZE, subdir=os.path.isdir(self.path), readonly=self.mode is Mode.read)
        try:
            found = lmdb.open(self.path, **options, lock=not options["readonly"], readahead=False, create=True)
        except lmdb.Error as error:
            raise DatabaseError(f"the lmdb {self.path!r} cannot be opened: {error}") from error
        if self.mode is not Mode.new:
            self._demand_whole(found)
        return found

    def _demand_whole(self, env: Any) -> None:
        """Raise DatabaseError where pages are missing: LMDB would read beyond the end of its file."""
        file = os.path.join(self.path, "data.mdb") if os.path.isdir(self.path) else self.path
        needed, held = (env.info()["last_pgno"] + 1) * env.stat()["psize"], os.path.getsize(file)
        if held < needed:
            env.close()
            raise DatabaseError(f"the lmdb {self.path!r} is cut off: it has {held} bytes of {needed}")

    def new_cursor(self) -> LMDBCursor:
        return LMDBCursor(self)

    def new_transaction(self) -> LMDBTransaction:
        demand_writable("lmdb", self.path, self.mode)
        return LMDBTransaction(self._env)

    def close(self) -> None:
        """Cursors and transactions keep it open; it is closed with the last of them."""
        _open.pop(os.path.realpath(self.path), None) if _open.get(os.path.realpath(self.path)) is self else None


class LMDBTransaction:
    """Puts records; they are there for others after a commit."""

    def __init__(self, env: Any) -> None:
        self._env, self._txn = env, env.begin(write=True)

    def put(self, key: bytes, value: bytes) -> None:
        try:
            self._txn.put(key, value)
        except lmdb.Error as error:
            raise DatabaseError(f"lmdb: the record {key!r} cannot be put: {error}") from error

    def commit(self) -> None:
        self._txn.commit()
        self._txn = self._env.begin(write=True)

    def __del__(self) -> None:
        if hasattr(self, "_txn"):
            self._txn.commit()


class LMDBCursor:
    """Goes through the records as they were when it was made."""

    def __init__(self, db: LMDB) -> None:
        self._db = db
        self._txn = db._env.begin()
        self._cursor = self._txn.cursor()
        self.seek_to_first()

    def seek_to_first(self) -> None:
        self._valid = self._cursor.first()

    def next(self) -> None:
        self._valid = self._cursor.next()

    def supports_seek(self) -> bool:
        return True

    def seek(self, key: bytes) -> None:
        self._valid = self._cursor.set_range(key) if key else self._cursor.first()

    def valid(self) -> bool:
        return self._valid

    def key(self) -> bytes:
        return bytes(self._cursor.key())

    def value(self) -> bytes:
        return bytes(self._cursor.value())
