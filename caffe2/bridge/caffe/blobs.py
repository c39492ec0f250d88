"""Blobs: arrays of numbers as Caffe stores them, read only when asked for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from google.protobuf.message import Message

from caffe2.bridge.caffe.wire import BYTES, VARINT, Reader, Run

_SHAPE, _DATA, _DOUBLE = 7, 5, 8
_LEGACY = (1, 2, 3, 4)
_LENGTH = 7
MOST_AXES = 32
_WIDTHS = {_DATA: 4, _DOUBLE: 8}


@dataclass(frozen=True)
class Blob:
    """`size` numbers with a shape; `legacy` says that this is Caffe's old one, (num, channels, height, width)."""

    shape: tuple[int, ...]
    size: int
    dtype: np.dtype
    load: Callable[[], np.ndarray]
    legacy: bool = False

    @property
    def array(self) -> np.ndarray:
        """The numbers in their shape, float32 or float64; read-only and memory-mapped where the file allows it."""
        return self.load().reshape(self.shape)

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether Caffe puts this blob into a parameter of that `shape`: equal, or so after leading ones if legacy."""
        if not self.legacy:
            return self.shape == shape
        return self.shape == (1,) * (len(self.shape) - len(shape)) + shape

    def complete(self) -> bool:
        """Whether as many numbers are stored as the shape asks for."""
        possible = len(self.shape) <= MOST_AXES and all(dim >= 0 for dim in self.shape)
        return possible and math.prod(self.shape) == self.size

    def reshaped(self, shape: tuple[int, ...]) -> Blob:
        """The same numbers in another shape of equal size."""
        return replace(self, shape=tuple(shape), legacy=False)


def read_blob(reader: Reader, start: int, end: int) -> Blob:
    """The BlobProto in the bytes from `start` to before `end`.

    Raises:
        WireError: the bytes are damaged.
    """
    shape: list[int] = []
    legacy: dict[int, int] = {}
    runs: dict[int, list[Run]] = {_DATA: [], _DOUBLE: []}
    while start < end:
        field = reader.field(start, end)
        start = field.end
        if field.number == _SHAPE and field.wire == BYTES:
            for item in reader.fields(field.start, field.end):
                shape += reader.integers(item) if item.number == 1 and item.wire in (VARINT, BYTES) else []
        elif field.number in (*_LEGACY, _LENGTH) and field.wire == VARINT:
            legacy[field.number] = reader.integers(field)[0]
        elif field.number in _WIDTHS and (run := reader.run(field, _WIDTHS[field.number], end)):
            runs[field.number].append(run)
            start = run.end
        if len(shape) > MOST_AXES:
            raise reader.damaged(start)
    return _blob(reader, tuple(shape), legacy, runs)


def _blob(reader: Reader, shape: tuple[int, ...], legacy: dict[int, int], runs: dict[int, list[Run]]) -> Blob:
    number = _DOUBLE if any(run.count for run in runs[_DOUBLE]) else _DATA
    dtype = np.dtype(f"<f{_WIDTHS[number]}")
    size = sum(run.count for run in runs[number])
    if legacy:
        # C3D wrote five sizes (num, channels, length, height, width) and gave the length the number of the newer shape.
        order = (1, 2, _LENGTH, 3, 4) if _LENGTH in legacy else _LEGACY
        shape = tuple(legacy.get(index, 0) for index in order)
    return Blob(shape, size, dtype, lambda: reader.numbers(runs[number], dtype), bool(legacy))


def blob_of_message(proto: Message) -> Blob:
    """The blob of a BlobProto in memory."""
    legacy = any(proto.HasField(name) for name in ("num", "channels", "height", "width"))
    shape = (proto.num, proto.channels, proto.height, proto.width) if legacy else tuple(proto.shape.dim)
    values, dtype = (proto.double_data, np.float64) if proto.double_data else (proto.data, np.float32)
    return Blob(shape, len(values), np.dtype(dtype), lambda: np.array(values, dtype), legacy)


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape with its count as Caffe prints it: "2 3 (6)"."""
    return " ".join([*map(str, shape), f"({math.prod(shape)})"]) if len(shape) <= MOST_AXES else f"{len(shape)} axes"
