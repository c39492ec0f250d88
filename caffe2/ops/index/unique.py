"""Finding: distinct elements, duplicates, and where elements stand."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import UNKNOWN, Op, OutputCount, op
from caffe2.ops import demand


def _shapes(indices: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
    if indices is None:
        return None, None
    return (indices if indices.numel() < 2 else None), indices.new_empty(indices.shape, dtype=torch.int32)


@op("Unique: indices -> unique_indices remapping?", types="indices: index", shape=_shapes)
class Unique(Op):
    """The distinct elements of a vector, ascending.

    indices: (N), int32 or int64.
    unique_indices: (K).
    remapping: (N), int32: for each element the place of its like in unique_indices.
    """

    outputs: OutputCount

    def __call__(self, indices: Tensor) -> tuple[Tensor, ...]:
        demand.rank(indices, 1, "indices")
        if self.outputs == 1:
            return (torch.unique(indices),)
        distinct, remapping = torch.unique(indices, return_inverse=True)
        return distinct, remapping.int()


@op("Find: index query -> query_indices", types="index=query: index", like="query")
def find(index: Tensor, query: Tensor, *, missing_value: int = -1) -> Tensor:
    """The place in index of the last element that equals each element of query.

    index: a vector.
    query: of any shape.
    query_indices: of the shape of query.
    missing_value: what stands where no element is equal.
    """
    held, order = index.reshape(-1).sort(stable=True)
    if not held.numel():
        return torch.full_like(query, missing_value)
    near = (torch.searchsorted(held, query.contiguous(), right=True) - 1).clamp(min=0)
    return torch.where(held[near] == query, order[near], missing_value).to(query.dtype)


@op(
    "FindDuplicateElements: data -> indices",
    types="data: float double int32 int64 string",
    shape=UNKNOWN,
)
def find_duplicate_elements(data: Tensor | np.ndarray) -> Tensor:
    """The places, ascending, of the elements of a vector that came before in it.

    data: a vector of numbers or strings.
    indices: (K), int64.
    """
    demand.rank(data, 1, "data")
    if isinstance(data, np.ndarray):
        again = np.ones(len(data), bool)
        again[np.unique(data, return_index=True)[1]] = False
        return torch.from_numpy(np.flatnonzero(again))
    distinct, group = torch.unique(data, return_inverse=True)
    place = torch.arange(data.numel(), device=data.device)
    first = place.new_full(distinct.shape, data.numel()).scatter_reduce_(0, group, place, "amin")
    return (first[group] != place).nonzero().squeeze(1)
