"""The database minidb: a file of records, each the lengths of key and value as int32, then key and value."""

from __future__ import annotations

import os
import struct

from caffe2.runtime.db import DatabaseError, Mode, Unseekable, database, demand_writable

HEAD = struct.Struct("<ii")
FLAGS = {Mode.read: "rb", Mode.write: "ab", Mode.new: "wb"}


@database("minidb", "MiniDB")
class MiniDB:
    """Records in the order in which they were put; a key may occur again."""

    def __init__(self, path: str, mode: Mode) -> None:
        self.path, self.mode = path, mode
        self._file = open(path, FLAGS[mode])

    def new_cursor(self) -> MiniDBCursor:
        return MiniDBCursor(self.path)

    def new_transaction(self) -> MiniDBTransaction:
        demand_writable("minidb", self.path, self.mode)
        return MiniDBTransaction(self._file)

    def close(self) -> None:
        self._file.close()

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()


class MiniDBTransaction:
    """Writes records at the end of the file."""

    def __init__(self, file) -> None:
        self._file = file

    def put(self, key: bytes, value: bytes) -> None:
        self._file.write(HEAD.pack(len(key), len(value)) + key)
        self._file.write(value)

    def commit(self) -> None:
        if not self._file.closed:
            self._file.flush()

    __del__ = commit


class MiniDBCursor(Unseekable):
    """Goes from record to record; a value is read when it is asked for."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = open(path, "rb")
        self._size = os.fstat(self._file.fileno()).st_size
        self.seek_to_first()

    def seek_to_first(self) -> None:
        self._end = 0
        self.next()

    def next(self) -> None:
        self._file.seek(self._end)
        head = self._file.read(HEAD.size)
        self._key: bytes | None = None
        if not head:
            return
        self._begin = self._end
        lengths = HEAD.unpack(head) if len(head) == HEAD.size else (0, 0)
        key_end = self._begin + HEAD.size + lengths[0]
        if lengths[0] <= 0 or lengths[1] < 0 or key_end + lengths[1] > self._size:
            raise DatabaseError(
                f"the minidb {self._path!r} is damaged or none: no record of {self._size} bytes begins at {self._begin}"
            )
        self._key, self._value_at, self._end = self._file.read(lengths[0]), key_end, key_end + lengths[1]

    def valid(self) -> bool:
        return self._key is not None

    def key(self) -> bytes:
        self._demand_valid()
        return self._key

    def value(self) -> bytes:
        self._demand_valid()
        self._file.seek(self._value_at)
        return self._file.read(self._end - self._value_at)

    def _demand_valid(self) -> None:
        if self._key is None:
            raise DatabaseError(f"the cursor is behind the last record of the minidb {self._path!r}")

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()
