"""Queues read as databases."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.opdef import NONE, EnforceNotMet, OperatorFailed, op
from caffe2.ops.queue.blobs import BlobsQueue, queue_of
from caffe2.runtime.db import DatabaseError, Unseekable
from caffe2.runtime.db.reader import DBReader


class QueueDatabase:
    """The records of a queue: one blob of each is the key, or there is none, another one the value, both strings."""

    def __init__(self, queue: BlobsQueue, key: int, value: int, timeout: float) -> None:
        self.queue, self.key, self.value, self.timeout = queue, key, value, timeout

    def new_cursor(self) -> QueueCursor:
        return QueueCursor(self)

    def new_transaction(self) -> Any:
        raise DatabaseError("a queue is read as a database, and written by EnqueueBlobs")

    def close(self) -> None:
        """The queue stays as it is."""


class QueueCursor(Unseekable):
    """Takes the next record when its value is asked for, and waits for one."""

    def __init__(self, source: QueueDatabase) -> None:
        self._source, self._record = source, None

    def valid(self) -> bool:
        return True

    def seek_to_first(self) -> None:
        """A queue has only one next record."""

    def next(self) -> None:
        self._record = None

    def key(self) -> bytes:
        return b"" if self._source.key < 0 else _text(self._taken()[self._source.key])

    def value(self) -> bytes:
        return _text(self._taken()[self._source.value])

    def _taken(self) -> tuple[Any, ...]:
        if self._record is None:
            self._record = self._source.queue.get(self._source.timeout)
        if self._record is None:
            raise OperatorFailed("the queue was closed, or time was up, while a record was waited for")
        return self._record


def _text(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, np.ndarray) and value.size:
        return value.reshape(-1)[0]
    raise EnforceNotMet(f"a queue that is read as a database holds strings, not a {type(value).__name__}")


@op("CreateBlobsQueueDB: queue -> reader", gradient=NONE)
def create_blobs_queue_db(
    queue: BlobsQueue, *, key_blob_index: int = -1, value_blob_index: int = 0, timeout_secs: float = 0.0
) -> DBReader:
    """A reader that takes the records of a queue as those of a database.

    reader: the reader.
    value_blob_index, key_blob_index: the blobs of a record, strings, that are value and key; without a key, -1.
    """
    width = queue_of(queue).width
    if not (0 <= value_blob_index < width and key_blob_index < width):
        raise EnforceNotMet(f"CreateBlobsQueueDB: a record of the queue has {width} blobs, numbered from 0")
    source = QueueDatabase(queue, key_blob_index, value_blob_index, timeout_secs)
    return DBReader("<queue>", "<queue>", db=source)
