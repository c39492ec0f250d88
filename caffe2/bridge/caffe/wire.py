"""The protobuf wire format read in place: fields as ranges of a buffer, numbers as arrays over it, nothing copied."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from caffe2.bridge.caffe.errors import Position, WireError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED = {FIXED64: 8, FIXED32: 4}

Buffer = bytes | mmap.mmap


class Field(NamedTuple):
    """A field: its content lies from `start` to before `end`, where the next one begins; a VARINT has a `value`."""

    number: int
    wire: int
    start: int
    end: int
    value: int = 0


@dataclass(frozen=True)
class Run:
    """`count` numbers at `offset`, one every `stride` bytes; what follows them begins at `end`."""

    offset: int
    count: int
    stride: int
    end: int


@dataclass(frozen=True)
class Reader:
    """A buffer with the path to name in errors."""

    data: Buffer
    path: str

    def fields(self, start: int = 0, end: int | None = None) -> Iterator[Field]:
        """The fields of the message that occupies the bytes from `start` to before `end` (the whole buffer, if none).

        Raises:
            WireError: the bytes are no message, or end too early.
        """
        end = len(self.data) if end is None else end
        while start < end:
            field = self.field(start, end)
            yield field
            start = field.end

    def field(self, start: int, end: int) -> Field:
        """The field that begins at `start` of a message that ends before `end`."""
        key, after = self.varint(start, end)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise self.damaged(start)
        if wire == VARINT:
            value, stop = self.varint(after, end)
            return Field(number, wire, after, stop, value)
        return Field(number, wire, *self._extent(wire, start, after, end))

    def _extent(self, wire: int, start: int, after: int, end: int) -> tuple[int, int]:
        if wire == BYTES:
            length, after = self.varint(after, end)
        elif wire in _FIXED:
            length = _FIXED[wire]
        else:
            raise self.damaged(start)
        if after + length > end:
            raise self.truncated(start, after + length) if end == len(self.data) else self.damaged(start)
        return after, after + length

    def varint(self, start: int, end: int) -> tuple[int, int]:
        """The varint at `start`, as an unsigned 64-bit number, and where it ends."""
        value = 0
        for index in range(min(10, end - start)):
            byte = self.data[start + index]
            value |= (byte & 127) << (7 * index)
            if byte < 128:
                return value & (2**64 - 1), start + index + 1
        if end - start < 10 and end == len(self.data):
            raise self.truncated(start, end + 1)
        raise self.damaged(start)

    def string(self, field: Field) -> str:
        """The text of a BYTES field; bytes that are no UTF-8 become escapes, as in text files."""
        return bytes(self.data[field.start : field.end]).decode("utf-8", "backslashreplace")

    def integers(self, field: Field) -> list[int]:
        """The signed integers of a VARINT field or of a packed one."""
        if field.wire == VARINT:
            return [_signed(field.value)]
        values, start = [], field.start
        while start < field.end:
            value, start = self.varint(start, field.end)
            values.append(_signed(value))
        return values

    def numbers(self, runs: list[Run], dtype: np.dtype) -> np.ndarray:
        """The numbers of `runs` as one array: a view of the buffer where there is one run, else a copy."""
        parts = [np.ndarray((run.count,), dtype, self.data, run.offset, (run.stride,)) for run in runs]
        return parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.empty(0, dtype)

    def run(self, field: Field, width: int, end: int) -> Run | None:
        """The numbers of `width` bytes in a packed `field`, or in it and the unpacked ones right behind, up to `end`.

        None where the field is neither.
        """
        if field.wire == BYTES:
            if (field.end - field.start) % width:
                raise self.damaged(field.start)
            return Run(field.start, (field.end - field.start) // width, width, field.end)
        if _FIXED.get(field.wire) != width or field.number > 15:
            return None
        more = self._followers(field, width, end)
        return Run(field.start, 1 + more, width + 1, field.end + more * (width + 1))

    def _followers(self, field: Field, width: int, end: int) -> int:
        """How many one-byte tags equal to the field's follow, each with its number: an unpacked array, seen at once."""
        stride, tag, found, chunk = width + 1, field.number << 3 | field.wire, 0, 16
        while (left := min(chunk, (end - field.end) // stride - found)) > 0:
            tags = np.ndarray((left,), np.uint8, self.data, field.end + found * stride, (stride,))
            other = np.flatnonzero(tags != tag)
            if other.size:
                return found + int(other[0])
            found, chunk = found + left, chunk * 4
        return found

    def truncated(self, start: int, needed: int) -> WireError:
        """The error of a file whose field at `start` needs `needed` bytes of file."""
        size = len(self.data)
        what = (
            f"the file ends too early: it has {size:,} bytes and a part that begins at byte {start:,} needs {needed:,}"
        )
        return WireError(f"{what}; it was not downloaded whole, or it is no such file", position=Position(self.path))

    def damaged(self, start: int) -> WireError:
        """The error of bytes that mean nothing at `start`."""
        what = f"damaged at byte {start:,}, or no file of this kind; download it again and compare its checksum"
        return WireError(what, position=Position(self.path))


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def release(array: np.ndarray) -> None:
    """Let go of the memory that the pages of a mapped file take; reading the array again brings them back."""
    base = array
    while isinstance(base, np.ndarray):
        base = base.base
    base = base.obj if isinstance(base, memoryview) else base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)
