"""Queues of single elements, taken in batches of any size."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import NONE, UNKNOWN, EnforceNotMet, OperatorFailed, OutputCount, op
from caffe2.ops.queue.blobs import copies


class RebatchingQueue:
    """A first-in first-out queue of `capacity` elements, each a tensor a blob; closing it wakes everyone who waits."""

    def __init__(self, capacity: int, width: int) -> None:
        self.capacity, self.width = capacity, width
        self._elements: deque[tuple[Any, ...]] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, element: tuple[Any, ...]) -> bool:
        """Append an element, waiting while the queue is full; False where it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._elements) < self.capacity)
            if self._closed:
                return False
            self._elements.append(element)
            self._changed.notify_all()
            return True

    def get(self, count: int) -> list[tuple[Any, ...]]:
        """Take `count` elements, waiting for them; fewer where the queue is closed."""
        taken: list[tuple[Any, ...]] = []
        with self._changed:
            while len(taken) < count:
                self._changed.wait_for(lambda: self._closed or self._elements)
                if not self._elements:
                    break
                taken.append(self._elements.popleft())
                self._changed.notify_all()
        return taken

    def close(self) -> None:
        """Let nobody wait any longer; elements that are left can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


@op("CreateRebatchingQueue: -> queue", gradient=NONE)
def create_rebatching_queue(*, capacity: int = 1, num_blobs: int = 1) -> RebatchingQueue:
    """A queue of at most `capacity` elements of `num_blobs` tensors each."""
    if capacity < 1 or num_blobs < 1:
        raise EnforceNotMet(f"a queue has a capacity and blobs, not capacity {capacity} and num_blobs {num_blobs}")
    return RebatchingQueue(capacity, num_blobs)


@op("EnqueueRebatchingQueue: queue +tensors ->", blocking=True, gradient=NONE)
def enqueue(queue: RebatchingQueue, *tensors: Any, enqueue_batch: bool = False) -> None:
    """Appends one element, waiting while the queue is full. Fails where the queue is closed.

    enqueue_batch: one element for every row of the tensors, instead of one for the whole.
    """
    if len(tensors) != queue.width:
        raise EnforceNotMet(f"the queue holds elements of {queue.width} blobs, and the operator has {len(tensors)}")
    tensors = copies(tensors)
    rows = [tensors]
    if enqueue_batch:
        if any(t.ndim == 0 or len(t) != len(tensors[0]) for t in tensors):
            raise EnforceNotMet(f"the tensors of a batch have as many rows each: {[list(t.shape) for t in tensors]}")
        rows = zip(*tensors)
    for row in rows:
        if not queue.put(tuple(row)):
            raise OperatorFailed("the queue was closed while waiting for room")


@op("DequeueRebatchingQueue: rebatching_queue -> +tensors", blocking=True, shape=UNKNOWN, gradient=NONE)
def dequeue(queue: RebatchingQueue, *, count: OutputCount = 0, num_elements: int = 1) -> tuple[Any, ...]:
    """Takes num_elements elements, waiting for them, stacked along a new first dimension.

    There are fewer where the queue is closed; fails where it is closed and empty.

    tensors: (num_elements, ...).
    num_elements: how many.
    """
    if count != queue.width:
        raise EnforceNotMet(f"the queue holds elements of {queue.width} blobs, and the operator has {count}")
    taken = queue.get(num_elements)
    if not taken:
        raise OperatorFailed("the queue was closed while waiting for an element")
    return tuple(map(_stacked, zip(*taken)))


def _stacked(parts: tuple[Any, ...]) -> Any:
    if isinstance(parts[0], Tensor):
        return torch.stack(parts)
    stacked = np.empty((len(parts), *np.shape(parts[0])), dtype=object)
    for k, part in enumerate(parts):
        stacked[k] = part
    return stacked


@op("CloseRebatchingQueue: queue ->", gradient=NONE)
def close(queue: RebatchingQueue) -> None:
    """Closes a queue: nobody waits at it any longer, and what is left in it can still be taken."""
    queue.close()
