"""Blobs: named cells whose values operators read and write."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch


class Blob:
    """A named cell. `value` is a tensor, an array of byte strings, an Int8Tensor, any object, or None while empty."""

    __slots__ = ("__weakref__", "name", "value")

    def __init__(self, name: str, value: Any = None) -> None:
        self.name, self.value = name, value

    def __repr__(self) -> str:
        return f"Blob({self.name!r}: {describe(self.value)})"


class Int8Tensor(NamedTuple):
    """A quantized tensor: real value = scale * (data - zero_point)."""

    data: torch.Tensor
    scale: float
    zero_point: int


class OfflineTensor(NamedTuple):
    """The shape and element type of a tensor that is elsewhere: shapes are inferred from it, nothing runs on it."""

    shape: tuple[int, ...]
    dtype: Any


def describe(value: Any) -> str:
    """A value in a few words: float32[2,3], bytes, string[4], Queue."""
    if isinstance(value, torch.Tensor):
        where = "" if value.device.type == "cpu" else f" on {value.device}"
        return f"{str(value.dtype)[6:]}[{','.join(map(str, value.shape))}]{where}"
    if isinstance(value, np.ndarray):
        return f"string[{','.join(map(str, value.shape))}]"
    if isinstance(value, Int8Tensor):
        return f"quantized {describe(value.data)}"
    return "nothing" if value is None else type(value).__name__
