"""Operators that answer questions about shapes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import NONE, EnforceNotMet, op
from caffe2.ops import demand


@op("Shape: X -> shape")
def shape(x: Tensor | np.ndarray, *, axes: tuple[int, ...] = ()) -> Tensor:
    """The dimensions of X.

    shape: a vector of int64.
    axes: which dimensions; all unless given.
    """
    if any(not 0 <= a < x.ndim for a in axes):
        raise EnforceNotMet(f"axes {axes} are dimensions of X, which has {x.ndim}")
    held = [x.shape[a] for a in axes] if axes else list(x.shape)
    return torch.tensor(held, dtype=torch.int64, device=getattr(x, "device", "cpu"))


@op("Size: X -> size", gradient=NONE)
def size(x: Tensor | np.ndarray) -> Tensor:
    """The number of elements of X.

    size: int64, of no dimensions.
    """
    return torch.tensor(_count(x), dtype=torch.int64, device=getattr(x, "device", "cpu"))


@op("IsEmpty: tensor -> is_empty", host="is_empty")
def is_empty(tensor: Tensor | np.ndarray) -> Tensor:
    """Whether a tensor has no element.

    is_empty: bool, of no dimensions.
    """
    return torch.tensor(_count(tensor) == 0)


@op("HasElements: +inputs -> has_elements", host="has_elements")
def has_elements(*inputs: Tensor | np.ndarray) -> Tensor:
    """Whether any of the inputs has an element.

    inputs: of any shapes.
    has_elements: bool, of no dimensions.
    """
    return torch.tensor(any(_count(x) for x in inputs))


@op("LengthsToShape: X -> Y", types="X: int32")
def lengths_to_shape(x: Tensor) -> Tensor:
    """The shape (n, x) of the rows that n equal lengths x cut out.

    X: (n), int32.
    Y: (2), int32: n and x.
    """
    demand.rank(x, 1, "X")
    if not x.numel():
        raise EnforceNotMet("X holds no length, so that its lengths have no common value")
    if demand.readable(x) and bool((x != x[0]).any()):
        raise EnforceNotMet(f"the lengths in X are all the same, not {x.tolist()[:8]}")
    return torch.cat([x.new_tensor([x.numel()]), x[:1]])


def _count(x: Tensor | np.ndarray) -> int:
    return x.numel() if isinstance(x, Tensor) else x.size
