"""Cells, one for each input and example: counted input by input, and walked through example by example."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet
from caffe2.ops import demand, ragged
from caffe2.ops.index.gather import Array


def stack(vectors: Sequence[Tensor], dtype: torch.dtype, name: str) -> Tensor:
    """The vectors of every input, one number an example, as rows: (inputs, examples)."""
    for x in vectors:
        if not isinstance(x, Tensor) or x.dtype != dtype or x.numel() != vectors[0].numel():
            raise EnforceNotMet(f"{name} of every input is {dtype}, one for each of {len(vectors[0])} examples")
    return torch.stack([x.reshape(-1) for x in vectors])


def join(arrays: Sequence[Array]) -> Array:
    """The arrays of every input, flat, one after another."""
    flat = [x.reshape(-1) for x in arrays]
    if len({x.dtype for x in flat}) > 1:
        raise EnforceNotMet(f"all inputs hold values of one type, not {', '.join(str(x.dtype) for x in flat)}")
    return np.concatenate(flat) if isinstance(flat[0], np.ndarray) else torch.cat(flat)


def held(tables: Sequence[Sequence[Array]]) -> list[int]:
    """How many values each input holds, the same in every table of its."""
    sizes = [[x.size if isinstance(x, np.ndarray) else x.numel() for x in table] for table in tables]
    if any(s != sizes[0] for s in sizes):
        raise EnforceNotMet(f"an input has as many keys as values; of those given there are {sizes}")
    return sizes[0]


def totals(counts: Tensor, name: str) -> list[int]:
    """The sum of each row of lengths, none of which is negative."""
    sums, below = torch.stack([counts.sum(1), (counts < 0).sum(1)]).tolist()
    if any(below):
        raise EnforceNotMet(f"{name} holds a negative length")
    return sums


def by_example(counts: Tensor, sizes: Sequence[int], name: str, exact: bool = False) -> Tensor:
    """Which of the joined values to take, example by example, each taking counts[input, example] of its input's next.

    sizes: how many values each input has; as many as are counted, or more unless `exact`.
    """
    sums = totals(counts, name)
    for need, size in zip(sums, sizes):
        if need > size or exact and need < size:
            raise EnforceNotMet(f"{name} of an input that holds {size} values add up to {need}")
    before = torch.tensor([0, *sizes[:-1]], device=counts.device).cumsum(0)
    first = counts.cumsum(1) - counts + before.unsqueeze(1)
    return ragged.places(counts.t().reshape(-1), sum(sums), first.t().reshape(-1))


def by_input(counts: Tensor, total: int) -> Tensor:
    """Which of `total` values, lying example by example, to take input by input: what undoes `by_example`."""
    first = ragged.starts(counts.t().reshape(-1)).view(counts.shape[::-1]).t()
    return ragged.places(counts.reshape(-1), total, first.reshape(-1))


def named(ids: Sequence[int], count: int, like: Tensor) -> Tensor:
    """The ids of the features as a tensor, there being one for each of `count`."""
    if len(ids) < count:
        raise EnforceNotMet(f"feature_ids names {len(ids)} features, and there are {count}")
    return torch.tensor(list(ids), dtype=torch.int64, device=like.device)


def demand_lengths(lengths: Tensor, size: int) -> None:
    """Raise EnforceNotMet unless an input's value lengths, int32, add up to the number of its values."""
    if not isinstance(lengths, Tensor) or lengths.dtype != torch.int32:
        raise EnforceNotMet("in_values_lengths is int32")
    demand.lengths(lengths, size, "in_values_lengths")


def demand_matrix(data: Array, presence: Tensor) -> None:
    """Raise EnforceNotMet unless data is a matrix and presence tells of each element whether it is there."""
    demand.rank(data, 2, "in1")
    if tuple(presence.shape) != tuple(data.shape):
        raise EnforceNotMet(f"in1_presence has the shape {tuple(data.shape)} of in1, not {tuple(presence.shape)}")
