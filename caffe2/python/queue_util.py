"""Queues of records between tasks, and the operators that fill, empty and close them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from caffe2.python import dataio
from caffe2.python._core.blob_reference import BlobReference
from caffe2.python._core.net import Net
from caffe2.python._core.step import ExecutionStep, execution_step
from caffe2.python._misuse import demand
from caffe2.python.schema import Field
from caffe2.python.task import TaskGroup

logger = logging.getLogger(__name__)


class _QueueReader(dataio.Reader):
    def __init__(self, wrapper: QueueWrapper, num_dequeue_records: int = 1) -> None:
        demand(wrapper.schema() is not None, "Queue needs a schema in order to be read from.")
        super().__init__(wrapper.schema())
        self._wrapper, self._num_dequeue_records = wrapper, num_dequeue_records

    def setup_ex(self, init_net: Net, exit_net: Net) -> None:
        exit_net.CloseBlobsQueue([self._wrapper.queue()], 0)

    def read_ex(self, local_init_net: Net, local_finish_net: Net | None) -> tuple[list[Net], BlobReference, list]:
        self._wrapper._new_reader(local_init_net)
        names = self.schema().field_names()
        net = Net("dequeue")
        fields, status = dequeue(
            net, self._wrapper.queue(), len(names), field_names=names, num_records=self._num_dequeue_records
        )
        return [net], status, fields

    def read(self, net: Net) -> tuple[Any, Any]:
        nets, _, fields = self.read_ex(net, None)
        return nets, fields


class _QueueWriter(dataio.Writer):
    def __init__(self, wrapper: QueueWrapper) -> None:
        self._wrapper = wrapper

    def setup_ex(self, init_net: Net, exit_net: Net) -> None:
        exit_net.CloseBlobsQueue([self._wrapper.queue()], 0)

    def write_ex(self, fields: Any, local_init_net: Net, local_finish_net: Net, status: Any) -> list[Net]:
        self._wrapper._new_writer(self.schema(), local_init_net)
        net = Net("enqueue")
        enqueue(net, self._wrapper.queue(), fields, status)
        return [net]


class QueueWrapper(dataio.Pipe):
    """A queue that exists, in the blob `handler`, to be read and written; `num_dequeue_records` are read at once."""

    def __init__(self, handler: BlobReference, schema: Field | None = None, num_dequeue_records: int = 1) -> None:
        super().__init__(schema, TaskGroup.LOCAL_SETUP)
        self._queue, self._num_dequeue_records = handler, num_dequeue_records

    def reader(self) -> _QueueReader:
        """The end that is read from; it closes the queue when it is through. Raises Misuse without a schema."""
        return _QueueReader(self, num_dequeue_records=self._num_dequeue_records)

    def writer(self) -> _QueueWriter:
        """The end that is written to; it closes the queue when it is through."""
        return _QueueWriter(self)

    def queue(self) -> BlobReference:
        """The blob of the queue."""
        return self._queue


class Queue(QueueWrapper):
    """A queue of at most `capacity` records, which is made with the tasks that use it."""

    def __init__(
        self, capacity: int, schema: Field | None = None, name: str = "queue", num_dequeue_records: int = 1
    ) -> None:
        net = Net(name)  # whose name makes that of the blob its own
        super().__init__(net.AddExternalInput(net.NextName("handler")), schema, num_dequeue_records)
        self.capacity = capacity
        self._setup_done = False

    def setup(self, global_init_net: Net) -> None:
        """Append the making of the queue. Raises Misuse without a schema."""
        demand(self._schema, "This queue does not have a schema.")
        self._setup_done = True
        names = self._schema.field_names()
        global_init_net.CreateBlobsQueue(
            [], [self._queue], capacity=self.capacity, num_blobs=len(names), field_names=names
        )


def enqueue(net: Net, queue: BlobReference, data_blobs: Iterable[Any], status: Any = None) -> BlobReference:
    """Append the putting of blobs into a queue; the boolean blob that says whether that failed.

    A blob that is given twice is copied: the queue takes over the blobs themselves.
    """
    blobs: list[Any] = []
    for blob in data_blobs:
        if blob in blobs:
            logger.warning("the blob %s is put into a queue twice, so it is copied", blob)
            blob = net.Copy(blob)
        blobs.append(blob)
    status = net.NextName("status") if status is None else status
    return net.SafeEnqueueBlobs([queue, *blobs], [*blobs, status])[-1]


def dequeue(
    net: Net,
    queue: BlobReference,
    num_blobs: int,
    status: Any = None,
    field_names: Sequence[str] | None = None,
    num_records: int = 1,
) -> tuple[list[BlobReference], BlobReference]:
    """Append the taking of `num_records` records off a queue: their blobs, and the one that says there was none."""
    if field_names is None:
        names = [net.NextName("data", i) for i in range(num_blobs)]
    else:
        demand(len(field_names) == num_blobs, f"{len(field_names)} names are given for {num_blobs} blobs")
        names = [net.NextName(name) for name in field_names]
    status = net.NextName("status") if status is None else status
    *blobs, status = net.SafeDequeueBlobs(queue, [*names, status], num_records=num_records)
    return blobs, status


def close_queue(step: ExecutionStep, *queues: BlobReference) -> ExecutionStep:
    """A step that runs `step` and closes queues thereafter."""
    net = Net("close_queue_net")
    for queue in queues:
        net.CloseBlobsQueue([queue], 0)
    return execution_step(f"{net}_wraper_step", [step, execution_step(f"{net}_step", net)])
