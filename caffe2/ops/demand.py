"""What operators demand of the values they are given: ranks, lengths that add up, indices in range."""

from __future__ import annotations

from math import isfinite

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet


def concrete(values: Tensor) -> bool:
    """Whether there are values to look at: neither meta nor traced ones."""
    return type(values) is Tensor and not values.is_meta and not torch.compiler.is_compiling()


def readable(values: Tensor) -> bool:
    """Whether values can be looked at for nothing: they are there, in host memory."""
    return type(values) is Tensor and values.is_cpu and not torch.compiler.is_compiling()


def rank(x: Tensor | np.ndarray, count: int, name: str) -> None:
    """Raise EnforceNotMet unless x has exactly `count` dimensions."""
    if x.ndim != count:
        raise EnforceNotMet(f"{name} has {count} dimension{'s' * (count != 1)}, not {x.ndim}: {tuple(x.shape)}")


def least_rank(x: Tensor | np.ndarray, count: int, name: str) -> None:
    """Raise EnforceNotMet unless x has at least `count` dimensions."""
    if x.ndim < count:
        raise EnforceNotMet(f"{name} has at least {count} dimension{'s' * (count != 1)}, not {x.ndim}")


def same_shape(a: Tensor, b: Tensor, names: str) -> None:
    """Raise EnforceNotMet unless two tensors have the same shape; `names` are theirs, "X and Y"."""
    if a.shape != b.shape:
        raise EnforceNotMet(f"{names} have one shape, not {tuple(a.shape)} and {tuple(b.shape)}")


def same_rows(a: Tensor | np.ndarray, b: Tensor | np.ndarray, names: str) -> None:
    """Raise EnforceNotMet unless two tensors have the same first dimension; `names` are theirs, "X and Y"."""
    if a.ndim < 1 or b.ndim < 1 or a.shape[0] != b.shape[0]:
        raise EnforceNotMet(f"{names} have one first dimension, not {tuple(a.shape)} and {tuple(b.shape)}")


def in_range(indices: Tensor, size: int, name: str) -> None:
    """Raise EnforceNotMet where a readable index lies outside 0 .. size - 1."""
    if readable(indices) and indices.numel():
        low, high = map(int, indices.aminmax())
        if low < 0 or high >= size:
            raise EnforceNotMet(f"{name} holds {low if low < 0 else high}; it indexes {size} rows, 0 to {size - 1}")


def lengths(values: Tensor, total: int | None, name: str) -> None:
    """Raise EnforceNotMet unless `values` is a vector of lengths, none negative, adding up to `total` where given."""
    rank(values, 1, name)
    if not readable(values):
        return
    found = values.numpy()
    if found.size and found.min() < 0:
        raise EnforceNotMet(f"{name} holds the negative length {found.min()}")
    if total is not None and found.sum() != total:
        raise EnforceNotMet(f"{name} add up to {found.sum()}, not {total}")


def finite(values: Tensor, name: str) -> list[float]:
    """The numbers of a vector. Raises EnforceNotMet for another rank, and where one is infinite or no number."""
    rank(values, 1, name)
    found = values.tolist()
    if not all(map(isfinite, found)):
        raise EnforceNotMet(f"{name} holds numbers, not {found}")
    return found


def one_number(value: Tensor, name: str) -> None:
    """Raise EnforceNotMet unless a tensor holds exactly one element."""
    if value.numel() != 1:
        raise EnforceNotMet(f"{name} holds one number, not {value.numel()}")
