"""Data sets in memory: records of any schema, one tensor for each of its scalars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe2.python import workspace
from caffe2.python._core.blob_reference import BlobReference
from caffe2.python._core.net import Net
from caffe2.python._core.step import ExecutionStep, execution_step, output_to_list
from caffe2.python._misuse import demand
from caffe2.python.dataio import Reader, Writer
from caffe2.python.schema import Field, InitEmptyRecord, Struct, from_blob_list, from_column_list
from caffe2.python.scope import NameScope


class _CursorReader(Reader):
    """A reader of a data set that keeps its place in a cursor."""

    def __init__(self, dataset: Dataset, name: str | None, batch_size: int, enforce_batch_size: bool) -> None:
        super().__init__(dataset.content())
        self.dataset, self.name = dataset, name or f"{dataset.name}_cursor"
        self.batch_size, self.enforce_batch_size = batch_size, enforce_batch_size
        self.cursor: BlobReference | None = None

    def setup_ex(self, init_net: Net, exit_net: Net | None) -> None:
        if self.cursor is None:
            name = init_net.NextScopedBlob(self.name)
            self.cursor = init_net.CreateTreeCursor([], name, fields=self.dataset.fields)

    def reset(self, net: Net) -> None:
        net.ResetCursor([self.cursor], [])

    def _next(self, read_net: Net, operator: str, *inputs: Any, **options: Any) -> tuple[BlobReference, list]:
        content = self.dataset.content()
        with NameScope(read_net.NextName(self.name)):
            fields = getattr(read_net, operator)(
                [self.cursor, *inputs, *content.field_blobs()],
                content.field_names(),
                batch_size=self.batch_size,
                enforce_batch_size=self.enforce_batch_size,
                **options,
            )
            fields = output_to_list(fields)
            return read_net.IsEmpty([fields[0]]), fields


class _DatasetReader(_CursorReader):
    def read(self, read_net: Net) -> tuple[BlobReference, list]:
        demand(self.cursor, "setup not called.")
        return self._next(read_net, "ReadNextBatch")


class _DatasetRandomReader(_CursorReader):
    def __init__(
        self,
        dataset: Dataset,
        name: str | None,
        indices: BlobReference | None,
        batch_size: int = 1,
        loop_over: bool = False,
        enforce_batch_size: bool = False,
    ) -> None:
        super().__init__(dataset, name, batch_size, enforce_batch_size)
        self.indices, self.loop_over = indices, loop_over
        self.offsets: BlobReference | None = None

    def computeoffset(self, net: Net) -> None:
        """Append the computation of where each record begins."""
        self.reset(net)
        self.offsets = net.ComputeOffset([self.cursor, *self.dataset.content().field_blobs()], "offsets")

    def sort_and_shuffle(
        self, net: Net, sort_by_field: str | None = None, shuffle_size: int = 1, batch_size: int = 1
    ) -> None:
        """Append the making of an order: by a field, if given, in batches that are shuffled among `shuffle_size`."""
        content = self.dataset.content()
        names = content.field_names()
        demand(not sort_by_field or sort_by_field in names, f"{sort_by_field!r} is none of the fields {names}")
        self.reset(net)
        self.indices = net.SortAndShuffle(
            [self.cursor, *content.field_blobs()],
            "indices",
            sort_by_field_idx=names.index(sort_by_field) if sort_by_field else -1,
            shuffle_size=shuffle_size,
            batch_size=batch_size,
        )

    def read(self, read_net: Net) -> tuple[BlobReference, list]:
        demand(self.cursor, "setup_ex not called")
        demand(self.indices, "sort_and_shuffle not called")
        demand(self.offsets, "computeoffset not called")
        return self._next(read_net, "ReadRandomBatch", self.indices, self.offsets, loop_over=self.loop_over)


class _DatasetWriter(Writer):
    def __init__(self, content: Field) -> None:
        self._content = content
        self.mutex: BlobReference | None = None

    def setup_ex(self, init_net: Net, exit_net: Net | None) -> None:
        if self.mutex is None:
            self.mutex = init_net.CreateMutex([])

    def write(self, writer_net: Net, fields: Sequence[BlobReference]) -> None:
        """Append a look at whether the batch fits the schema, and the appending of the batch to the data set."""
        demand(self.mutex is not None, "setup not called.")
        blobs = self._content.field_blobs()
        demand(len(fields) == len(blobs), f"Expected {len(blobs)} fields, got {len(fields)}.")
        writer_net.CheckDatasetConsistency(fields, [], fields=self._content.field_names())
        writer_net.AtomicAppend([self.mutex, *blobs, *fields], blobs)


def Const(net: Net, value: Any, dtype: Any = None, name: str | None = None) -> BlobReference:
    """A new external input of a net, fed with an array in the current workspace."""
    demand(isinstance(net, Net), f"net must be a core.Net instance, not a {type(net).__name__}")
    blob = net.AddExternalInput(net.NextName(prefix=name))
    workspace.FeedBlob(str(blob), np.array(value, dtype=dtype))
    return blob


def execution_step_with_progress(
    name: str, init_net: Net, substeps: list[ExecutionStep], rows_read: BlobReference
) -> ExecutionStep:
    """A step that runs substeps at once and prints `rows_read` every 5 seconds."""
    report_net = Net("report_net")
    report_net.Print([rows_read], [])
    return execution_step(name, substeps, report_net=report_net, concurrent_substeps=True, report_interval=5)


class Dataset:
    """Records in memory. Its blobs are those of `fields`, or are made by `init_empty` or `init_from_dataframe`.

    fields: a record, a schema, or a list of the names a:b:c of its scalars. name: of its cursors.
    """

    def __init__(self, fields: Struct | list[str], name: str | None = None) -> None:
        demand(isinstance(fields, (list, Struct)), "fields must be either a Struct or a list of raw field names.")
        self.schema = from_column_list(fields) if isinstance(fields, list) else fields
        self.fields = self.schema.field_names()
        self.field_types = self.schema.field_types()
        self.name = name or "dataset"
        self.field_blobs = self.schema.field_blobs() if self.schema.has_blobs() else None

    def trim(self, net: Net, multiple_of: int) -> None:
        """Append the cutting off of records at the end such that the number of all is a multiple."""
        net.TrimDataset(self.field_blobs, self.field_blobs, fields=self.fields, multiple_of=multiple_of)

    def init_empty(self, init_net: Net) -> None:
        """Append the making of blobs without records."""
        self.field_blobs = InitEmptyRecord(init_net, self.schema.clone_schema()).field_blobs()

    def init_from_dataframe(self, net: Net, dataframe: Any) -> None:
        """Feed new external inputs of a net with the columns of a Pandas DataFrame, in the order of the fields."""
        columns = [dataframe.iloc[:, k] for k in range(len(dataframe.columns))]
        demand(len(self.fields) == len(columns), f"{len(columns)} columns are given for the fields {self.fields}")
        self.field_blobs = [
            Const(net, column.to_numpy().ravel(), name=field) for field, column in zip(self.fields, columns)
        ]

    def get_blobs(self) -> list[BlobReference] | None:
        """Its blobs; None before they are made."""
        return self.field_blobs

    def content(self) -> Field:
        """The record of its blobs."""
        return from_blob_list(self.schema, self.field_blobs)

    def field_names(self) -> list[str]:
        """The names of its scalars."""
        return self.fields

    def reader(
        self,
        init_net: Net | None = None,
        cursor_name: str | None = None,
        batch_size: int = 1,
        enforce_batch_size: bool = False,
    ) -> _DatasetReader:
        """A reader of batches in order, set up by `init_net` if given. Not to be used while records are appended.

        enforce_batch_size: read no batch of fewer records at the end.
        """
        demand(self.field_blobs, "Dataset not initialized.")
        return _set_up(_DatasetReader(self, cursor_name, batch_size, enforce_batch_size), init_net)

    def random_reader(
        self,
        init_net: Net | None = None,
        indices: BlobReference | None = None,
        cursor_name: str | None = None,
        batch_size: int = 1,
        loop_over: bool = False,
        enforce_batch_size: bool = False,
    ) -> _DatasetRandomReader:
        """A reader of batches in the order of `indices`, or of one that its sort_and_shuffle makes.

        loop_over: begin anew, in the same order, at the end.
        """
        demand(self.field_blobs, "Dataset not initialized.")
        made = _DatasetRandomReader(self, cursor_name, indices, batch_size, loop_over, enforce_batch_size)
        return _set_up(made, init_net)

    def writer(self, init_net: Net | None = None) -> _DatasetWriter:
        """A writer that appends records, set up by `init_net` if given. Not to be used while records are read."""
        demand(self.field_blobs, "Dataset not initialized.")
        return _set_up(_DatasetWriter(self.content()), init_net)


def _set_up(made: Any, init_net: Net | None) -> Any:
    if init_net is not None:
        made.setup_ex(init_net, None)
    return made
