"""The database leveldb: a folder that LevelDB keeps, in the order of keys. Needs the package plyvel."""

from __future__ import annotations

import os
from typing import Any

from caffe2.runtime.db import DatabaseError, Mode, database, demand_writable

try:
    import plyvel
except ImportError:
    plyvel = None


@database("leveldb", "LevelDB")
class LevelDB:
    """Records in the order of their keys, which are unique; one process may have it open."""

    def __init__(self, path: str, mode: Mode) -> None:
        if plyvel is None:
            raise DatabaseError(f"to open the leveldb {path!r}, install the package plyvel: pip install plyvel")
        if mode is Mode.read and not os.path.isdir(path):  # LevelDB itself would make the folder
            raise FileNotFoundError(2, "No such file or directory", path)
        self.path, self.mode = path, mode
        try:
            new = mode is Mode.new
            self._db = plyvel.DB(path, create_if_missing=mode is not Mode.read, error_if_exists=new)
        except (plyvel.Error, OSError) as error:
            raise DatabaseError(f"the leveldb {path!r} cannot be opened for mode {mode.name}: {error}") from error

    def new_cursor(self) -> LevelDBCursor:
        return LevelDBCursor(self._db)

    def new_transaction(self) -> LevelDBTransaction:
        demand_writable("leveldb", self.path, self.mode)
        return LevelDBTransaction(self._db)

    def close(self) -> None:
        self._db.close()


class LevelDBTransaction:
    """Gathers records, and puts them together at a commit."""

    def __init__(self, db: Any) -> None:
        self._db, self._batch = db, db.write_batch()

    def put(self, key: bytes, value: bytes) -> None:
        self._batch.put(key, value)

    def commit(self) -> None:
        self._batch.write()
        self._batch.clear()

    def __del__(self) -> None:
        if hasattr(self, "_batch") and not self._db.closed:
            self.commit()


class LevelDBCursor:
    """Goes through the records as they were when it was made."""

    def __init__(self, db: Any) -> None:
        self._db = db  # kept open
        self._records = db.raw_iterator()
        self.seek_to_first()

    def seek_to_first(self) -> None:
        self._records.seek_to_first()

    def next(self) -> None:
        self._records.next()

    def supports_seek(self) -> bool:
        return True

    def seek(self, key: bytes) -> None:
        self._records.seek(key)

    def valid(self) -> bool:
        return self._records.valid()

    def key(self) -> bytes:
        return self._records.key()

    def value(self) -> bytes:
        return self._records.value()
