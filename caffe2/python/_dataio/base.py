"""Readers, writers and pipes: objects that append operators which read or write the next batch of a stream of records.

What they append is safe to run at once from several threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from caffe2.python._core.blob_reference import BlobReference
from caffe2.python._core.net import Net
from caffe2.python._core.step import ExecutionStep, execution_step
from caffe2.python._misuse import demand
from caffe2.python.schema import Field, from_blob_list

Fields = Sequence[BlobReference]


class Reader:
    """Reads batches of records. A subclass implements `read`, or `read_ex`; one that can begin anew, `reset`.

    schema: of the records; without one, a batch is a list of blobs.
    """

    def __init__(self, schema: Field | None = None) -> None:
        demand(schema is None or isinstance(schema, Field), f"a schema is a Field, not {schema!r}")
        self._schema = schema

    def schema(self) -> Field:
        """The schema of the records. Raises Misuse where there is none."""
        demand(self._schema is not None, "Schema not provided for this reader.")
        return self._schema

    def _set_schema(self, schema: Field | None) -> None:
        self._schema = schema

    def setup_ex(self, init_net: Net, finish_net: Net) -> None:
        """Append what is to run once before the task and once after it."""

    def read(self, read_net: Net) -> tuple[BlobReference, Fields]:
        """Append the reading of the next batch: the boolean blob that says there was none, and the batch."""
        raise NotImplementedError("Readers must implement `read`.")

    def read_ex(self, local_init_net: Net, local_finish_net: Net) -> tuple[list[Any], BlobReference, Any]:
        """Nets that read the next batch, and what `read` returns; the arguments run before and after each instance."""
        net = Net("reader_body")
        return ([net], *self.read(net))

    def read_record_ex(self, local_init_net: Net, local_finish_net: Net) -> tuple[list[Any], BlobReference, Any]:
        """read_ex with the batch as a record, where there is a schema."""
        nets, should_stop, fields = self.read_ex(local_init_net, local_finish_net)
        return nets, should_stop, self._record(fields)

    def read_record(self, read_net: Net) -> tuple[BlobReference, Any]:
        """`read` with the batch as a record, where there is a schema."""
        should_stop, fields = self.read(read_net)
        return should_stop, self._record(fields)

    def _record(self, fields: Any) -> Any:
        return from_blob_list(self._schema, fields) if self._schema else fields

    def reset(self, net: Net) -> None:
        """Append what has the reader begin anew."""
        raise NotImplementedError("This reader cannot be reset.")

    def execution_step(
        self, reader_net_name: str | None = None, external_should_stop: BlobReference | None = None
    ) -> tuple[ExecutionStep, Any]:
        """A step that reads batches until there are none, and the batch; nets appended to the step use the batch.

        external_should_stop: a boolean blob that ends it too.
        """
        net = Net(reader_net_name or "reader")
        should_stop, fields = self.read_record(net)
        if external_should_stop is not None:
            should_stop = net.Or([external_should_stop, should_stop])
        return execution_step(f"{reader_net_name}_step", net, should_stop_blob=should_stop), fields


class Writer:
    """Writes batches of records. A subclass implements `write`, and `commit` where the end of data is to be told."""

    _schema: Field | None = None

    def schema(self) -> Field | None:
        """The schema of the records written last; None before."""
        return self._schema

    def write(self, writer_net: Net, fields: Fields) -> Any:
        """Append the writing of a batch, given as blobs."""
        raise NotImplementedError("Writers must implement write.")

    def write_record(self, writer_net: Net, fields: Field | Fields) -> None:
        """Append the writing of a batch, given as a record or as blobs."""
        self.write(writer_net, self._blobs(fields))

    def setup_ex(self, init_net: Net, finish_net: Net) -> None:
        """Append what is to run once before the task and once after it."""
        self.commit(finish_net)

    def write_ex(self, fields: Fields, local_init_net: Net, local_finish_net: Net, stop_blob: Any) -> list[Net]:
        """Nets that write a batch; `stop_blob` is set where that fails. The given nets run around each instance."""
        net = Net("write_net")
        self.write(net, fields)
        return [net]

    def write_record_ex(
        self, fields: Field | Fields, local_init_net: Net, local_finish_net: Net, stop_blob: Any = None
    ) -> tuple[list[Net], Any]:
        """write_ex of a batch given as a record or as blobs, and the blob that says to stop."""
        blobs = self._blobs(fields)
        if stop_blob is None:
            stop_blob = local_init_net.NextName("dequeue_status")
        return self.write_ex(blobs, local_init_net, local_finish_net, stop_blob), stop_blob

    def _blobs(self, fields: Field | Fields) -> Fields:
        if not isinstance(fields, Field):
            return fields
        self._schema = fields
        return fields.field_blobs()

    def commit(self, finish_net: Net) -> None:
        """Append what tells the end of data."""


class ReaderBuilder:
    """Makes readers of the same stream, one for each node."""

    def schema(self) -> Field:
        """The schema of the records."""
        raise NotImplementedError(f"{type(self).__name__} does not know the schema of its readers")

    def setup(self, **kwargs: Any) -> Any:
        """What is to be done once before readers are made."""
        raise NotImplementedError(f"{type(self).__name__} does not implement setup")

    def new_reader(self, **kwargs: Any) -> Any:
        """A further reader, or something that has one."""
        raise NotImplementedError(f"{type(self).__name__} does not make readers")


class PipedReaderBuilder(ReaderBuilder):
    """The readers of another builder, each put through `piper(reader=..., **kwargs)`, such as pipeline.pipe."""

    def __init__(self, builder: ReaderBuilder, piper: Callable[..., Any]) -> None:
        self._builder, self._piper = builder, piper

    def schema(self) -> Field:
        """The schema of the builder's readers."""
        return self._builder.schema()

    def setup(self, **kwargs: Any) -> Any:
        """The setup of the builder."""
        return self._builder.setup(**kwargs)

    def new_reader(self, **kwargs: Any) -> Reader:
        """A further reader, piped."""
        output = self._piper(reader=self._builder.new_reader(**kwargs), **kwargs)
        return output if isinstance(output, Reader) else output.reader()


class Pipe:
    """What can be written to at one end and read from at the other.

    obj_key: the attribute under which the nets that use it hold it, so that it is set up with them.
    """

    def __init__(self, schema: Field | None = None, obj_key: str | None = None) -> None:
        self._num_writers = self._num_readers = 0
        self._schema, self._obj_key = schema, obj_key

    def schema(self) -> Field | None:
        """The schema of the records; None before it is written to."""
        return self._schema

    def setup(self, global_init_net: Net) -> None:
        """Append what is to run once before it is used."""

    def reader(self) -> Reader:
        """The end that is read from."""
        raise NotImplementedError(f"{type(self).__name__} cannot be read from")

    def writer(self) -> Writer:
        """The end that is written to."""
        raise NotImplementedError(f"{type(self).__name__} cannot be written to")

    def num_readers(self) -> int:
        """How many nets read from it."""
        return self._num_readers

    def num_writers(self) -> int:
        """How many nets write to it."""
        return self._num_writers

    def _new_writer(self, writer_schema: Field | None, writer_init_net: Net) -> None:
        self._schema = self._schema or writer_schema
        self._num_writers += 1
        self._hold(writer_init_net)

    def _new_reader(self, reader_init_net: Net) -> None:
        self._num_readers += 1
        self._hold(reader_init_net)

    def _hold(self, net: Net) -> None:
        if self._obj_key is not None:
            net.add_attribute(self._obj_key, self)
