"""Bounded queues of records, each of a fixed number of blobs."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import NONE, UNKNOWN, EnforceNotMet, Op, OperatorFailed, OutputCount, Site, op


class BlobsQueue:
    """A first-in first-out queue of `capacity` records of `width` blobs; closing it wakes everyone who waits."""

    def __init__(self, capacity: int, width: int, fields: tuple[str, ...] = ()) -> None:
        self.capacity, self.width, self.fields = capacity, width, fields
        self._records: deque[tuple[Any, ...]] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        return len(self._records)

    def put(self, record: tuple[Any, ...]) -> bool:
        """Append a record, waiting while the queue is full; False where it is closed before there is room."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._records) < self.capacity)
            if len(self._records) >= self.capacity:
                return False
            self._records.append(record)
            self._changed.notify_all()
            return True

    def get(self, timeout: float | None = None) -> tuple[Any, ...] | None:
        """Take the oldest record, waiting for one; None where the queue is closed and empty, or time is up."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._records, timeout or None)
            if not self._records:
                return None
            record = self._records.popleft()
            self._changed.notify_all()
            return record

    def close(self) -> None:
        """Let nobody wait any longer; records that are left can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def queue_of(value: Any, width: int | None = None) -> BlobsQueue:
    """The value as a queue of records of `width` blobs. Raises EnforceNotMet where it is none."""
    if not isinstance(value, BlobsQueue):
        raise EnforceNotMet(f"a queue is needed, made by CreateBlobsQueue; this is a {type(value).__name__}")
    if width is not None and value.width != width:
        raise EnforceNotMet(f"the queue holds records of {value.width} blobs, and the operator has {width}")
    return value


def copies(blobs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Blobs with storage of their own: whoever writes the blobs that were put in a queue does not change the record."""
    return tuple(b.clone() if isinstance(b, Tensor) else b.copy() if isinstance(b, np.ndarray) else b for b in blobs)


def _closed(waited: str) -> OperatorFailed:
    return OperatorFailed(f"the queue was closed, or time was up, while waiting for {waited}")


@op("CreateBlobsQueue: -> queue", gradient=NONE)
def create_blobs_queue(
    *, capacity: int = 1, num_blobs: int = 1, enforce_unique_name: bool = False, field_names: tuple[str, ...] = ()
) -> BlobsQueue:
    """A queue of at most `capacity` records of `num_blobs` blobs each.

    field_names: names of the blobs of a record, for those who read them.
    enforce_unique_name: accepted and ignored.
    """
    if field_names and len(field_names) != num_blobs:
        raise EnforceNotMet(f"CreateBlobsQueue: {len(field_names)} field_names for {num_blobs} blobs")
    return BlobsQueue(capacity, num_blobs, field_names)


@op(
    "EnqueueBlobs: queue *blobs -> *blobs",
    inplace="blobs => blobs",
    blocking=True,
    gradient=NONE,
    like="blobs",
)
def enqueue_blobs(queue: BlobsQueue, *blobs: Any) -> tuple[Any, ...]:
    """Appends one record, waiting while the queue is full. Fails where the queue is closed."""
    if not queue_of(queue, len(blobs)).put(copies(blobs)):
        raise _closed("room")
    return blobs


@op("DequeueBlobs: queue -> *blobs", blocking=True, shape=UNKNOWN, gradient=NONE)
def dequeue_blobs(queue: BlobsQueue, *, count: OutputCount = 0, timeout_secs: float = 0.0) -> tuple[Any, ...]:
    """Takes the oldest record, waiting while there is none.

    Fails where the queue is closed and empty, or time is up.
    """
    record = queue_of(queue, count).get(timeout_secs)
    if record is None:
        raise _closed("a record")
    return record


@op("CloseBlobsQueue: queue ->", gradient=NONE)
def close_blobs_queue(queue: BlobsQueue) -> None:
    """Closes a queue: nobody waits at it any longer, and what is left in it can still be taken."""
    queue_of(queue).close()


@op(
    "SafeEnqueueBlobs: queue *blobs -> *blobs status",
    inplace="blobs => blobs",
    blocking=True,
    gradient=NONE,
    shape=UNKNOWN,
)
def safe_enqueue_blobs(queue: BlobsQueue, *blobs: Any) -> tuple[Any, ...]:
    """Appends one record, waiting while the queue is full.

    status: bool, of no dimensions: whether the queue was closed instead.
    """
    return (*blobs, torch.tensor(not queue_of(queue, len(blobs)).put(copies(blobs))))


@op("SafeDequeueBlobs: queue -> *blobs status", blocking=True, shape=UNKNOWN, gradient=NONE)
class SafeDequeueBlobs(Op):
    """Takes the oldest record, or joins several along their first dimension, waiting for them.

    status: bool, of no dimensions: whether the queue was closed and empty; the blobs then keep what they held.
    num_records: how many records to join; fewer where the queue is closed.
    """

    num_records: int = 1

    def bind(self, site: Site) -> None:
        if self.num_records < 1:
            raise EnforceNotMet(f"SafeDequeueBlobs: num_records is {self.num_records}, and has to be positive")
        self.cells = [site.workspace.cell(name) for name in site.outputs[:-1]] if site.workspace else []

    def __call__(self, queue: BlobsQueue) -> tuple[Any, ...]:
        records = []
        while len(records) < self.num_records:
            record = queue_of(queue, len(self.cells)).get()
            if record is None:
                break
            records.append(record)
        if not records:
            return (*(cell.value for cell in self.cells), torch.tensor(True))
        joined = records[0] if self.num_records == 1 else map(_joined, zip(*records))
        return (*joined, torch.tensor(False))


def _joined(parts: tuple[Any, ...]) -> Any:
    if all(isinstance(p, np.ndarray) for p in parts):
        return np.concatenate(parts)
    if not all(isinstance(p, Tensor) and p.dim() for p in parts):
        raise EnforceNotMet("records are joined along their first dimension, and a blob of them has none")
    return torch.cat(parts)


@op("WeightedSampleDequeueBlobs: +queues -> *blobs status", blocking=True, random=True, shape=UNKNOWN, gradient=NONE)
class WeightedSampleDequeueBlobs(Op):
    """Takes the oldest record of one of several queues, drawn at random.

    queues: the queues.
    status: bool, of no dimensions: whether the queue drawn was closed and empty; the blobs then keep what they held.
    weights: how likely each queue is, relative to the others; all alike unless given.
    table_idx_blob: the position among the blobs of one that is overwritten with the queue's number, (1), int32; -1 for
        none.
    """

    weights: tuple[float, ...] = ()
    table_idx_blob: int = -1
    generator: torch.Generator

    def bind(self, site: Site) -> None:
        weights = self.weights or (1.0,) * len(site.inputs)
        if len(weights) != len(site.inputs) or min(weights) < 0 or sum(weights) <= 0:
            raise EnforceNotMet(
                f"WeightedSampleDequeueBlobs: {len(site.inputs)} queues need as many weights: {weights}"
            )
        if self.table_idx_blob >= len(site.outputs) - 1:
            raise EnforceNotMet(f"WeightedSampleDequeueBlobs: no blob of a record is number {self.table_idx_blob}")
        self.chances = torch.tensor(weights)
        self.cells = [site.workspace.cell(name) for name in site.outputs[:-1]] if site.workspace else []

    def __call__(self, *queues: BlobsQueue) -> tuple[Any, ...]:
        drawn = int(torch.multinomial(self.chances, 1, generator=self.generator))
        record = queue_of(queues[drawn], len(self.cells)).get()
        blobs = [cell.value for cell in self.cells] if record is None else list(record)
        if self.table_idx_blob >= 0:
            blobs[self.table_idx_blob] = torch.tensor([drawn], dtype=torch.int32)
        return (*blobs, torch.tensor(record is None))
