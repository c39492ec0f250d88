"""Operators on tensors of byte strings.

strings: of any shape.
bools: bool, of the shape of strings.
prefixes, suffixes: of the shape of strings.
suffix, text, prefix: the string to compare with.
length: how many bytes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import STRING, UNKNOWN, EnforceNotMet, op


def _mapped(strings: np.ndarray, function: Callable[[bytes], bytes]) -> np.ndarray:
    out = np.empty(strings.shape, dtype=object)
    out.reshape(-1)[:] = [function(s) for s in strings.reshape(-1)]
    return out


def _asked(strings: np.ndarray, question: Callable[[bytes], bool]) -> Tensor:
    return torch.tensor([question(s) for s in strings.reshape(-1)], dtype=torch.bool).reshape(strings.shape)


@op("StringPrefix: strings -> prefixes", types="strings: string", shape=UNKNOWN)
def string_prefix(strings: np.ndarray, *, length: int = 3) -> np.ndarray:
    """The first `length` bytes of every string; shorter strings whole."""
    return _mapped(strings, lambda s: s[:length])


@op("StringSuffix: strings -> suffixes", types="strings: string", shape=UNKNOWN)
def string_suffix(strings: np.ndarray, *, length: int = 3) -> np.ndarray:
    """The last `length` bytes of every string; shorter strings whole."""
    return _mapped(strings, lambda s: s[max(len(s) - length, 0) :])


@op("StringStartsWith: strings -> bools", types="strings: string", shape=UNKNOWN)
def string_starts_with(strings: np.ndarray, *, prefix: bytes = b"") -> Tensor:
    """Whether each string starts with `prefix`; bool, shaped as the strings."""
    return _asked(strings, lambda s: s.startswith(prefix))


@op("StringEndsWith: strings -> bools", types="strings: string", shape=UNKNOWN)
def string_ends_with(strings: np.ndarray, *, suffix: bytes = b"") -> Tensor:
    """Whether each string ends with `suffix`; bool, shaped as the strings."""
    return _asked(strings, lambda s: s.endswith(suffix))


@op("StringEquals: strings -> bools", types="strings: string", shape=UNKNOWN)
def string_equals(strings: np.ndarray, *, text: bytes = b"") -> Tensor:
    """Whether each string is `text`; bool, shaped as the strings."""
    return _asked(strings, lambda s: s == text)


@op(
    "StringJoin: input -> strings",
    types="input: string float double int8 uint8 int16 uint16 int32 int64 bool",
    shape=UNKNOWN,
)
def string_join(values: Tensor | np.ndarray, *, delimiter: bytes = b",", axis: int = 0) -> np.ndarray:
    """The elements along one dimension as text, each followed by the delimiter, for every place along the other.

    input: (N) or (N, M).
    strings: (N) for axis 0, (M) for axis 1.
    delimiter: what follows each element.
    axis: 0: rows are joined; 1: columns.
    """
    if values.ndim not in (1, 2) or axis not in (0, 1) or (axis == 1 and values.ndim == 1):
        raise EnforceNotMet(f"StringJoin: axis 0 or 1 of a vector or matrix, not axis {axis} of {list(values.shape)}")
    rows = np.asarray(values).reshape(len(values), -1)
    rows = rows.T if axis == 1 else rows
    out = np.empty(len(rows), dtype=object)
    out[:] = [b"".join(_text(v) + delimiter for v in row) for row in rows]
    return out


def _text(value: object) -> bytes:
    """A value as C++ streams print it: numbers in six significant digits, booleans as 0 and 1."""
    if isinstance(value, STRING):
        return value
    if isinstance(value, np.floating):
        return b"%s" % format(float(value), ".6g").encode()
    if isinstance(value, (np.int8, np.uint8)):
        return bytes([int(value) & 0xFF])
    return str(int(value)).encode()
