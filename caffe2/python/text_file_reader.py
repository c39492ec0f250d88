"""Records read from text files of tab-separated fields."""

from __future__ import annotations

from caffe2.python import core
from caffe2.python._misuse import demand
from caffe2.python.core import BlobReference, Net
from caffe2.python.dataio import Reader
from caffe2.python.schema import Scalar, Struct, data_type_for_dtype


class TextFileReader(Reader):
    """Reads lines as records of strings and float32 numbers.

    init_net: the net, to run once, that opens the file. schema: a Struct of Scalars, one a column.
    num_passes: how many times the file is read. batch_size: lines a batch.
    """

    def __init__(self, init_net: Net, filename: str, schema: Struct, num_passes: int = 1, batch_size: int = 1) -> None:
        demand(isinstance(schema, Struct), f"Schema must be a schema.Struct, not {schema!r}")
        for name, child in schema.get_children():
            demand(
                isinstance(child, Scalar), f"Only scalar fields are supported in TextFileReader; {name} is {child!r}"
            )
        super().__init__(schema)
        self._reader = init_net.CreateTextFileReader(
            [],
            filename=filename,
            num_passes=num_passes,
            field_types=[data_type_for_dtype(dtype) for dtype in schema.field_types()],
        )
        self._batch_size = batch_size

    def read(self, net: Net) -> tuple[BlobReference, list[BlobReference]]:
        """Append the reading of the next batch: whether there was none, and a column a blob."""
        blobs = net.TextFileReaderRead([self._reader], len(self.schema().field_names()), batch_size=self._batch_size)
        columns = [blobs] if isinstance(blobs, BlobReference) else list(blobs)
        is_empty = net.IsEmpty([columns[0]], core.ScopedBlobReference(net.NextName("should_stop")))
        return is_empty, columns
