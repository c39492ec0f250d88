"""Blobs saved to databases and loaded from them, and readers of databases."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from google.protobuf.message import DecodeError
from torch import Tensor

from caffe2.opdef import NONE, REFUSED, UNKNOWN, EnforceNotMet, Op, Site, op
from caffe2.proto import caffe2_pb2
from caffe2.runtime import db, serialize
from caffe2.runtime.blob import describe
from caffe2.runtime.db.reader import DBReader
from caffe2.runtime.errors import MessageError
from caffe2.runtime.look import element

PART = "#%"
"""Stands in keys between the name of a tensor and the number of a part of it."""


def location(site: Site, name: str, absolute: bool) -> str:
    """The path of a database: as it is, or below the workspace's root folder. Raises EnforceNotMet without a name."""
    if not name:
        raise EnforceNotMet(f"{site.op.type}: the name of a database is missing")
    return name if absolute else f"{site.workspace.root}/{name}"


def stripped(name: str, prefix: str) -> str:
    """What follows `prefix` in a name, and what precedes it dropped; the name where it is not in it."""
    return name.partition(prefix)[2] if prefix and prefix in name else name


def _demand_unique(names: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise EnforceNotMet(f"{what} {name!r} occurs twice")
        seen.add(name)


@op("Save: +X ->", gradient=REFUSED)
class Save(Op):
    """Writes blobs to a new database, a large tensor in several records.

    X: the blobs.
    """

    db: str = ""
    db_type: str = ""
    absolute_path: bool = False
    strip_prefix: str = ""
    blob_name_overrides: tuple[str, ...] = ()
    chunk_size: int = -1

    def bind(self, site: Site) -> None:
        self.path = location(site, self.db, self.absolute_path)
        if self.blob_name_overrides and self.strip_prefix:
            raise EnforceNotMet("Save: strip_prefix and blob_name_overrides exclude each other")
        self.names = list(self.blob_name_overrides) or [stripped(name, self.strip_prefix) for name in site.inputs]
        if len(self.names) != len(site.inputs):
            raise EnforceNotMet(f"Save: {len(self.names)} blob_name_overrides for {len(site.inputs)} blobs")
        _demand_unique(self.names, "Save: the name")

    def __call__(self, *values: Any) -> None:
        save(self.db_type, self.path, dict(zip(self.names, values)), self.chunk_size)


def save(kind: str, path: str, blobs: dict[str, Any], chunk: int = -1) -> None:
    """Write blobs to a new database; a blob that cannot be stored is refused before anything is written."""
    for name, value in blobs.items():
        serialize.demand_storable(value, name)
    database = db.open_db(kind, path, db.Mode.new)
    try:
        transaction = database.new_transaction()
        for name, value in blobs.items():
            for key, content in serialize.messages(value, name, serialize.CHUNK if chunk < 0 else chunk):
                transaction.put(key.encode(), content)
        transaction.commit()
        del transaction
    finally:
        database.close()


@op("Load: *readers -> *blobs", inplace=None, gradient=NONE, stores=False, shape=UNKNOWN)
class Load(Op):
    """Reads blobs from databases; where it fails, no blob has changed.

    readers: readers of databases; without any, db or dbs name the databases.
    blobs: the blobs that are read, under their names.
    dbs: the paths of several databases.
    add_prefix: stands before a stored name, after strip_prefix has been taken off.
    source_blob_names: the names, so changed, of the blobs to load, where they are not those of the outputs.
    load_all: every blob is loaded, under its name.
    allow_incomplete: outputs may be missing in the databases.
    keep_device: tensors go to the devices that they were saved from, not to that of the operator.
    shape: accepted and ignored.
    """

    db: str = ""
    dbs: tuple[str, ...] = ()
    db_type: str = ""
    absolute_path: bool = False
    add_prefix: str = ""
    strip_prefix: str = ""
    keep_device: bool = False
    load_all: bool = False
    allow_incomplete: bool = False
    source_blob_names: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()

    def bind(self, site: Site) -> None:
        self.site = site
        if not site.inputs:
            self.paths = [location(site, name, self.absolute_path) for name in self.dbs or (self.db,)]
            _demand_unique(self.paths, "Load: the database")
        if self.source_blob_names and (self.strip_prefix or self.load_all):
            raise EnforceNotMet("Load: source_blob_names goes with neither strip_prefix nor load_all")
        self.sources = list(self.source_blob_names or site.outputs)
        if len(self.sources) != len(site.outputs):
            raise EnforceNotMet(f"Load: {len(self.sources)} source_blob_names for {len(site.outputs)} outputs")
        if not self.load_all:
            _demand_unique(self.sources, "Load: the blob")

    def __call__(self, *readers: DBReader) -> None:
        wanted = None if self.load_all else set(self.sources)
        loaded = Loaded(None if self.keep_device else self.site.device)
        for number, cursor in enumerate(self._cursors(readers)):
            while cursor.valid() and (wanted is None or not loaded.whole(wanted)):
                name = self.add_prefix + stripped(cursor.key().decode().partition(PART)[0], self.strip_prefix)
                if wanted is None or name in wanted:
                    loaded.add(name, cursor.value(), number)
                cursor.next()
        values = loaded.values()
        missing = [name for name in self.sources if name not in values]
        if missing and not self.allow_incomplete:
            raise EnforceNotMet(
                f"Load: not in the databases: {' '.join(missing)}; there are {' '.join(sorted(values))}"
            )
        targets = {name: name for name in values} if self.load_all else dict(zip(self.sources, self.site.outputs))
        for name, value in values.items():
            self.site.workspace.put(targets[name], value)

    def _cursors(self, readers: tuple[DBReader, ...]) -> Iterator[db.Cursor]:
        if readers:
            for reader in readers:
                yield reader.cursor
            return
        for path in self.paths:
            database = db.open_db(self.db_type, path, db.Mode.read)
            try:
                yield database.new_cursor()
            finally:
                database.close()


class Loaded:
    """Blobs on their way from databases, put together from their parts."""

    def __init__(self, device: torch.device | None) -> None:
        self._device = device
        self._values: dict[str, Any] = {}
        self._missing: dict[str, int] = {}  # elements of a tensor, or parts of another blob, still to come
        self._from: dict[str, int] = {}

    def add(self, name: str, content: bytes, database: int) -> None:
        """Take a record in. Raises MessageError for bytes that are none, or that contradict earlier ones."""
        blob = caffe2_pb2.BlobProto()
        try:
            blob.ParseFromString(content)
        except DecodeError as error:
            raise MessageError(f"the record of {name!r} is no serialized BlobProto: {error}") from None
        if self._from.setdefault(name, database) != database:
            raise MessageError(f"the blob {name!r} is in two of the databases")
        if blob.type != "Tensor":
            self._take_once(name, serialize.from_proto(blob, self._device))
            return
        whole = math.prod(blob.tensor.dims)
        begin, end = (
            (blob.tensor.segment.begin, blob.tensor.segment.end) if blob.tensor.HasField("segment") else (0, whole)
        )
        if name not in self._values:
            self._take_once(name, serialize.empty(blob.tensor, self._device), whole)
        elif not self._missing[name]:
            raise MessageError(f"the database holds more parts of the tensor {name!r} than it has")
        serialize.fill(blob.tensor, self._values[name])
        self._missing[name] -= end - begin

    def _take_once(self, name: str, value: Any, missing: int = 0) -> None:
        if name in self._values:
            raise MessageError(f"the database holds the blob {name!r} twice")
        self._values[name], self._missing[name] = value, missing

    def whole(self, names: set[str]) -> bool:
        """Whether all of these are there with all their parts."""
        return all(self._missing.get(name, 1) == 0 for name in names)

    def values(self) -> dict[str, Any]:
        """The blobs. Raises MessageError where parts are missing."""
        for name, missing in self._missing.items():
            if missing:
                raise MessageError(f"the database holds the tensor {name!r} without {missing} of its elements")
        return self._values


CHECKPOINT = """Saves blobs when the iteration is a multiple of `every`.

blobs: the iteration, int64, one element, which is saved too; then the blobs.
every: every how many iterations.
db: the path as a C format of the iteration: "checkpoint_%08d.db".
"""


class Checkpoint(Save):
    every: int = 1

    def bind(self, site: Site) -> None:
        if self.every < 1:
            raise EnforceNotMet(f"{site.op.type}: every must be positive, not {self.every}")
        try:
            self.db % 1
        except (TypeError, ValueError):
            raise EnforceNotMet(f"{site.op.type}: db must be a format of the iteration, not {self.db!r}") from None
        super().bind(site)

    def __call__(self, *values: Any) -> None:
        if not values or element(values[0]) != torch.int64 or not values[0].numel():
            held = describe(values[0]) if values else "none"
            raise EnforceNotMet(f"Checkpoint: its first input is the iteration, one number of int64, not {held}")
        iteration = int(values[0].reshape(-1)[0])
        if iteration % self.every == 0:
            save(self.db_type, self.path % iteration, dict(zip(self.names, values)), self.chunk_size)


op("Checkpoint: +blobs ->", gradient=REFUSED, doc=CHECKPOINT)(Checkpoint)
op(
    "Snapshot: *blobs -> *outputs",
    inplace=None,
    gradient=REFUSED,
    stores=False,
    doc=CHECKPOINT.replace("Saves", "Checkpoint by its former name: saves", 1)
    + "outputs: stay as they are; the original allows them.\n",
)(Checkpoint)


@op("DBExists: -> exists", gradient=REFUSED)
def db_exists(*, db_name: str = "", db_type: str = "", absolute_path: bool = False, site: Site) -> Tensor:
    """Whether there is a database that can be read.

    exists: bool, of no dimensions.
    db_name: its path.
    """
    return torch.tensor(db.exists(db_type, location(site, db_name, absolute_path)))


@op("CreateDB: -> reader", gradient=NONE)
def create_db(*, db_type: str = "leveldb", db: str = "", num_shards: int = 1, shard_id: int = 0) -> DBReader:
    """Opens a database for operators that read records from it.

    reader: the reader.
    num_shards, shard_id: every num_shards-th record is read, from record shard_id on.
    """
    if not db:
        raise EnforceNotMet("CreateDB: the name of a database is missing")
    return DBReader(db_type, os.fspath(db), num_shards, shard_id)
