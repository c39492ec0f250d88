"""Text files of rows and columns, read in batches."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from caffe2.opdef import NONE, STRING, UNKNOWN, EnforceNotMet, OutputCount, element_type, op

Column = torch.Tensor | np.ndarray


class TextFileReader:
    """Rows of a file, in `passes` passes over it; columns stand between tabs and have one element type each."""

    def __init__(self, path: str, passes: int, types: tuple[int, ...]) -> None:
        self.path, self.types = path, [element_type(t) for t in types]
        self._rows = self._passes(passes)
        self._lock = threading.Lock()
        self._read = 0

    def _passes(self, passes: int) -> Iterator[list[bytes]]:
        for _ in range(passes):
            with open(self.path, "rb") as file:
                for line in file:
                    yield line.removesuffix(b"\n").split(b"\t")

    def read(self, count: int) -> list[Column]:
        """The columns of the next rows, at most `count`; fewer, or none, behind the last."""
        rows = []
        with self._lock:
            for row in self._rows if count > 0 else ():
                self._read += 1
                if len(row) != len(self.types):
                    raise EnforceNotMet(
                        f"row {self._read} of {self.path!r} has {len(row)} columns for {len(self.types)} field types"
                    )
                rows.append(row)
                if len(rows) == count:
                    break
        columns = list(zip(*rows)) or [()] * len(self.types)
        return [self._column(number, texts) for number, texts in enumerate(columns)]

    def _column(self, number: int, texts: tuple[bytes, ...]) -> Column:
        kind = self.types[number]
        if kind.torch is STRING:
            column = np.empty(len(texts), dtype=object)
            column[:] = texts
            return column
        try:
            return torch.from_numpy(np.array([text.decode() for text in texts], dtype=str).astype(kind.numpy))
        except (ValueError, OverflowError) as error:
            raise EnforceNotMet(f"column {number} of {self.path!r} is to be {kind.name}: {error}") from None


@op("CreateTextFileReader: -> handler", gradient=NONE)
def create_text_file_reader(
    *, filename: str = "", num_passes: int = 1, field_types: tuple[int, ...] = ()
) -> TextFileReader:
    """Opens a text file of rows, with columns between tabs, for TextFileReaderRead.

    handler: the reader.
    filename: the path.
    num_passes: how often the rows are read.
    field_types: the element type of each column, by number.
    """
    if not field_types:
        raise EnforceNotMet("CreateTextFileReader: field_types is empty; it holds the type of each column")
    if not Path(filename).is_file():
        raise EnforceNotMet(f"CreateTextFileReader: there is no file {filename!r}")
    return TextFileReader(filename, num_passes, field_types)


@op("TextFileReaderRead: handler -> +fields", gradient=NONE, shape=UNKNOWN)
def text_file_reader_read(handler: TextFileReader, *, batch_size: int = 1, count: OutputCount) -> list[Column]:
    """The next rows of a text file.

    fields: (N) each, a column; N is batch_size, less at the end, 0 behind it.
    batch_size: how many rows.
    """
    if not isinstance(handler, TextFileReader):
        raise EnforceNotMet(f"a reader made by CreateTextFileReader is needed; this is a {type(handler).__name__}")
    if count != len(handler.types):
        raise EnforceNotMet(f"TextFileReaderRead: {count} outputs for the {len(handler.types)} columns of the file")
    return handler.read(batch_size)
