"""Databases: records of a key and a value, in files of several kinds, read by cursors and written by transactions."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Protocol

from caffe2.opdef import EnforceNotMet, did_you_mean


class DatabaseError(EnforceNotMet):
    """A database cannot be opened, read or written."""


class Mode(IntEnum):
    """What a database is opened for: to be read, to be added to, to be made anew."""

    read = 0
    write = 1
    new = 2


class Cursor(Protocol):
    """A place in a database, at its first record to begin with."""

    def valid(self) -> bool:
        """Whether there is a record here: not behind the last."""
        ...

    def key(self) -> bytes: ...

    def value(self) -> bytes: ...

    def next(self) -> None:
        """Go to the next record."""
        ...

    def seek_to_first(self) -> None: ...

    def supports_seek(self) -> bool:
        """Whether `seek` can be used."""
        ...

    def seek(self, key: bytes) -> None:
        """Go to the record of a key, or to the first one after it. Raises DatabaseError where that cannot be done."""
        ...


class Transaction(Protocol):
    """Records on their way into a database; those that are not committed are when it goes."""

    def put(self, key: bytes, value: bytes) -> None: ...

    def commit(self) -> None: ...


class Database(Protocol):
    """An open database. Constructed with (path, mode), raising DatabaseError or OSError where it cannot be opened."""

    def new_cursor(self) -> Cursor: ...

    def new_transaction(self) -> Transaction: ...

    def close(self) -> None: ...


_kinds: dict[str, Callable[[str, Mode], Database]] = {}


def database(*names: str) -> Callable:
    """Register the class below as the databases of these type names."""

    def register(kind: Any) -> Any:
        _kinds.update(dict.fromkeys(names, kind))
        return kind

    return register


def registered() -> list[str]:
    """The type names of databases, in order."""
    return sorted(_kinds)


def open_db(kind: str, path: str, mode: Mode) -> Database:
    """Open the database at a path. Raises DatabaseError for an unknown type or a database that cannot be opened."""
    if kind not in _kinds:
        raise DatabaseError(f"no database is of type {kind!r}{did_you_mean(kind, _kinds)}; known: {registered()}")
    try:
        return _kinds[kind](path, Mode(mode))
    except OSError as error:
        raise DatabaseError(f"the {kind} {path!r} cannot be opened for mode {Mode(mode).name}: {error}") from error


def exists(kind: str, path: str) -> bool:
    """Whether there is a database of that type at a path, one that can be read."""
    try:
        open_db(kind, path, Mode.read).close()
    except DatabaseError:
        return False
    return True


def demand_writable(kind: str, path: str, mode: Mode) -> None:
    """Raise DatabaseError for a transaction on a database that is open to be read."""
    if mode is Mode.read:
        raise DatabaseError(f"the {kind} {path!r} is open to be read: no transaction can be begun on it")


class Unseekable:
    """A mixin of cursors that cannot go to a key."""

    def supports_seek(self) -> bool:
        return False

    def seek(self, key: bytes) -> None:
        raise DatabaseError(f"a database of this type has no order of keys to seek {key!r} in")
