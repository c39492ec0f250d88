"""Reading and writing streams of records: readers, writers, pipes, and readers over other readers."""

from caffe2.python._dataio.base import Pipe, PipedReaderBuilder, Reader, ReaderBuilder, Writer
from caffe2.python._dataio.readers import (
    CompositeReader,
    CompositeReaderBuilder,
    CounterReader,
    CountUntil,
    ReaderWithDelay,
    ReaderWithLimit,
    ReaderWithLimitBase,
    ReaderWithTimeLimit,
)

__all__ = [
    "CompositeReader",
    "CompositeReaderBuilder",
    "CountUntil",
    "CounterReader",
    "Pipe",
    "PipedReaderBuilder",
    "Reader",
    "ReaderBuilder",
    "ReaderWithDelay",
    "ReaderWithLimit",
    "ReaderWithLimitBase",
    "ReaderWithTimeLimit",
    "Writer",
]
