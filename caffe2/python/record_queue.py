"""A queue of records between a reader and the steps that consume what it reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from caffe2.python import workspace
from caffe2.python._core.blob_reference import BlobReference
from caffe2.python._core.net import Net
from caffe2.python._core.step import ExecutionStep, execution_step
from caffe2.python._misuse import demand
from caffe2.python.dataio import Reader, Writer
from caffe2.python.schema import Field, Struct, from_column_list
from caffe2.python.scope import NameScope


class _QueueReader(Reader):
    def __init__(self, blobs_queue: BlobReference, schema: Field, name: str | None = None) -> None:
        super().__init__(schema)
        self.blobs_queue, self.name = blobs_queue, name

    def read(self, read_net: Net) -> tuple[BlobReference, Sequence[BlobReference]]:
        with NameScope(read_net.NextName(self.name)):
            names = [*self._schema.field_names(), read_net.NextName()]
            *fields, status = read_net.SafeDequeueBlobs(self.blobs_queue, names)
        return status, fields


class _QueueWriter(Writer):
    def __init__(self, blobs_queue: BlobReference, schema: Field) -> None:
        self.blobs_queue, self.schema = blobs_queue, schema

    def write(self, writer_net: Net, fields: Any) -> str:
        blobs = fields.field_blobs() if isinstance(fields, Field) else list(fields)
        writer_net.CheckDatasetConsistency(blobs, [], fields=self.schema.field_names())
        status = writer_net.NextName()
        writer_net.SafeEnqueueBlobs([self.blobs_queue, *blobs], [*blobs, status])
        return status


class RecordQueue:
    """A queue of at most `capacity` records in the current workspace, filled by `num_threads` threads.

    fields: the schema of the records, or a list of their fields' names.
    """

    def __init__(
        self,
        fields: Struct | list[str],
        name: str | None = None,
        capacity: int = 1,
        enforce_unique_name: bool = False,
        num_threads: int = 1,
    ) -> None:
        demand(isinstance(fields, (list, Struct)), "fields must be either a Struct or a list of raw field names.")
        self.schema = from_column_list(fields) if isinstance(fields, list) else fields
        self.name = name or "queue"
        self.num_threads = num_threads
        init_net = Net(f"{self.name}/init_net")
        count = len(self.schema.field_names())
        self.blobs_queue = init_net.CreateBlobsQueue(
            [], 1, capacity=capacity, num_blobs=count, enforce_unique_name=enforce_unique_name
        )
        workspace.RunNetOnce(init_net)
        self.writer = _QueueWriter(self.blobs_queue, self.schema)
        self.reader = _QueueReader(self.blobs_queue, self.schema, f"{self.name}_reader")
        exit_net = Net(f"{self.name}/exit_net")
        exit_net.CloseBlobsQueue(self.blobs_queue, 0)
        self.exit_step = execution_step(f"{exit_net}_close_step", exit_net)

    def build(
        self, reader: Reader, process: Callable[[Net, Field], Field] | None = None
    ) -> tuple[Reader, ExecutionStep, ExecutionStep, Field]:
        """The reader of the queue, the step that fills it from `reader`, the step that closes it, and its schema.

        process: a function of a net and a record that appends operators and returns the record to be put in.
        """
        producers = [self._producer(i, reader, process) for i in range(self.num_threads)]
        producer_step = execution_step("producers", producers, concurrent_substeps=True)
        return self.reader, producer_step, self.exit_step, self.schema

    def _producer(self, number: int, reader: Reader, process: Callable[[Net, Field], Field] | None) -> ExecutionStep:
        read_net, write_net = Net(f"reader_{number}"), Net(f"queue_writer{number}")
        should_stop, fields = reader.read_record(read_net)
        self.writer.write(write_net, process(write_net, fields) if process else fields)
        steps = [execution_step(f"reader_{number}", read_net), execution_step(f"queue_writer{number}", write_net)]
        return execution_step(f"producer_{number}", steps, should_stop_blob=should_stop)
