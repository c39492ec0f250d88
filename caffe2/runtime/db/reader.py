"""Readers of databases: blobs that several operators read records from, endlessly."""

from __future__ import annotations

import threading

from google.protobuf.message import DecodeError

from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2
from caffe2.runtime.db import Database, DatabaseError, Mode, open_db
from caffe2.runtime.errors import MessageError
from caffe2.runtime.serialize import stored_as


class DBReader:
    """Reads every `num_shards`-th record from record `shard_id` on, and begins again behind the last. Thread-safe."""

    def __init__(
        self, kind: str, path: str, num_shards: int = 1, shard_id: int = 0, db: Database | None = None
    ) -> None:
        if not 0 <= shard_id < num_shards:
            raise EnforceNotMet(f"a reader of shard {shard_id} of {num_shards}: shards are numbered from 0")
        self.kind, self.path, self.num_shards, self.shard_id = kind, path, num_shards, shard_id
        self._lock = threading.Lock()
        self.db = db or open_db(kind, path, Mode.read)
        self.cursor = self.db.new_cursor()
        if db is None:
            self.seek_to_first()

    def read(self) -> tuple[bytes, bytes]:
        """The key and the value of a record; the cursor goes on. Raises DatabaseError where there is no record."""
        with self._lock:
            if not self.cursor.valid():
                raise DatabaseError(f"the {self.kind} {self.path!r} holds no record")
            record = self.cursor.key(), self.cursor.value()
            for _ in range(self.num_shards):
                self.cursor.next()
                if not self.cursor.valid():
                    self._to_first()
                    break
            return record

    def seek_to_first(self) -> None:
        """Begin again with the first record of the shard."""
        with self._lock:
            self._to_first()

    def _to_first(self) -> None:
        self.cursor.seek_to_first()
        for _ in range(self.shard_id):
            self.cursor.next()
            if not self.cursor.valid():
                raise DatabaseError(f"the {self.kind} {self.path!r} has no record for shard {self.shard_id}")


def _write(reader: DBReader, blob: caffe2_pb2.BlobProto) -> None:
    place = caffe2_pb2.DBReaderProto(name=blob.name, source=reader.path, db_type=reader.kind)
    if reader.cursor.supports_seek() and reader.cursor.valid():
        place.key = reader.cursor.key().decode()
    blob.content = place.SerializeToString()


def _read(blob: caffe2_pb2.BlobProto) -> DBReader:
    place = caffe2_pb2.DBReaderProto()
    try:
        place.ParseFromString(blob.content)
    except DecodeError as error:
        raise MessageError(f"the reader {blob.name!r} is stored without a DBReaderProto: {error}") from None
    reader = DBReader(place.db_type, place.source)
    if place.HasField("key"):
        reader.cursor.seek(place.key.encode())
    return reader


stored_as(DBReader, "DBReader", _write, _read)
