"""The largest elements: along an axis, of rows each with its own count, of segments; and the place of the extreme."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.opdef import UNKNOWN, EnforceNotMet, Op, OutputCount, Site, op
from caffe2.ops import demand
from caffe2.ops.index.gather import axis_of
from caffe2.ops.native import Kernel

COMPILED = Kernel("select", "top_k", "pqqqpp")
COMPILED_LENGTHS = Kernel("select", "lengths_top_k", "ppqqpp")


def largest(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest elements of each row and their places, descending; of equals the first come first.

    torch.topk keeps no order among equals; it is used where a look at one element more finds none.
    """
    if x.dtype == torch.float32 and 0 < k <= x.shape[-1] < 1 << 32 and COMPILED.serves(x):
        values, places = x.new_empty(*x.shape[:-1], k), x.new_empty(*x.shape[:-1], k, dtype=torch.int64)
        COMPILED(x, x.numel() // x.shape[-1], x.shape[-1], k, values, places)
        return values, places
    if demand.concrete(x):
        values, places = x.topk(min(k + 1, x.shape[-1]))
        if not (values[..., 1:] == values[..., :-1]).any():
            return values[..., :k], places[..., :k]
    values, places = x.sort(dim=-1, descending=True, stable=True)
    return values[..., :k], places[..., :k]


@op(
    "TopK: X k? -> Values Indices Flattened_indices?",
    gradient="TopKGradient: dValues Indices X -> dX",
    types="X: float, k: int64",
    host="k",
)
class TopK(Op):
    """The k largest elements of X along `axis`, descending; of equal ones the first come first.

    Where k exceeds the dimension, values 0 and indices -1 follow.

    X: of any shape.
    k: how many: an argument or a blob of one number.
    Values: the shape of X with k along `axis`.
    Indices: of the same shape, int64: their places along the axis.
    Flattened_indices: as a vector: their places among all elements of X.
    axis: the dimension, the last one unless given.
    """

    outputs: OutputCount
    k: int = -1
    axis: int = -1

    def bind(self, site: Site) -> None:
        if len(site.inputs) == 1:
            self.settled(None)

    def settled(self, k: Tensor | None) -> int:
        """The number of elements to keep."""
        if k is not None:
            demand.one_number(k, "k")
        count = self.k if k is None else int(k)
        if count < 1:
            raise EnforceNotMet(f"k is at least 1, not {count}")
        return count

    def __call__(self, x: Tensor, k: Tensor | None = None) -> tuple[Tensor, ...]:
        count, axis = self.settled(k), axis_of(self.axis, x.dim())
        size = x.shape[axis]
        values, places = largest(x.movedim(axis, -1), min(count, size))
        if count > size:
            values, places = F.pad(values, (0, count - size)), F.pad(places, (0, count - size), value=-1)
        values, places = values.movedim(-1, axis).contiguous(), places.movedim(-1, axis).contiguous()
        if self.outputs < 3:
            return values, places
        return values, places, _among_all(places, x.shape, axis)


def _among_all(places: Tensor, shape: torch.Size, axis: int) -> Tensor:
    """Places along an axis of a tensor as places among all its elements; -1 stays."""
    outer, inner = prod(shape[:axis]), prod(shape[axis + 1 :])
    blocks = places.reshape(outer, places.shape[axis], inner)
    start = torch.arange(outer, device=places.device)[:, None, None] * (shape[axis] * inner)
    start = start + torch.arange(inner, device=places.device)
    return torch.where(blocks < 0, -1, blocks * inner + start).reshape(-1)


@op("TopKGradient: dValues Indices X -> dX", types="dValues X: float, Indices: int64", like="X")
def top_k_gradient(dvalues: Tensor, indices: Tensor, x: Tensor, *, axis: int = -1) -> Tensor:
    """dX = dValues at the places Indices along `axis`, 0 elsewhere."""
    axis = axis_of(axis, x.dim())
    demand.same_shape(dvalues, indices, "dValues and Indices")
    kept = min(x.shape[axis], indices.shape[axis])
    indices = indices.narrow(axis, 0, kept)
    demand.in_range(indices, x.shape[axis], "Indices")
    return dvalues.new_zeros(x.shape).scatter_(axis, indices, dvalues.narrow(axis, 0, kept))


@op(
    "FlexibleTopK: X K -> Flat_values Flat_indices",
    gradient="FlexibleTopKGradient: X K dFlat_values Flat_indices -> dX",
    types="X: float, K: int64",
    shape=UNKNOWN,
)
def flexible_top_k(x: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """The K[r] largest elements of each row r of X, descending, one row after another, and their places in the row.

    Of equal elements the first come first.

    X: (..., n).
    K: a number from 1 to n for each row.
    Flat_values: (sum of K).
    Flat_indices: (sum of K): places in their rows.
    """
    rows, counts = _rows_and_counts(x, k)
    if counts.numel() and not 0 < int(counts.min()) <= int(counts.max()) <= rows.shape[1]:
        raise EnforceNotMet(f"K holds {counts.tolist()[:8]}; every number is from 1 to the {rows.shape[1]} of a row")
    values, places = largest(rows, int(counts.max()) if counts.numel() else 0)
    kept = torch.arange(values.shape[1], device=k.device) < counts[:, None]
    return values[kept], places[kept]


@op(
    "FlexibleTopKGradient: X K dFlat_values Flat_indices -> dX",
    types="X dFlat_values: float, K Flat_indices: int64",
    like="X",
)
def flexible_top_k_gradient(x: Tensor, k: Tensor, dvalues: Tensor, indices: Tensor) -> Tensor:
    """dX = dFlat_values at the places that FlexibleTopK took, 0 elsewhere."""
    rows, counts = _rows_and_counts(x, k)
    demand.lengths(counts, indices.numel(), "K")
    demand.same_shape(dvalues, indices, "the gradient and Flat_indices")
    demand.in_range(indices, rows.shape[1], "Flat_indices")
    row = torch.repeat_interleave(counts, output_size=indices.numel())
    dx = dvalues.new_zeros(x.shape)
    dx.view(-1)[row * rows.shape[1] + indices] = dvalues
    return dx


def _rows_and_counts(x: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    demand.least_rank(x, 1, "X")
    rows = x.reshape(prod(x.shape[:-1]), x.shape[-1])
    if k.numel() != rows.shape[0]:
        raise EnforceNotMet(f"K holds one number for each of the {rows.shape[0]} rows of X, not {k.numel()}")
    return rows, k.reshape(-1)


@op(
    "LengthsTopK: DATA LENGTHS -> TopKValue TopKIndices",
    gradient="LengthsTopKGradient: LENGTHS TopKIndices dTopKValue -> dDATA",
    types="DATA: float, LENGTHS: int32",
)
class LengthsTopK(Op):
    """The k largest elements of each segment, descending, and their places in it.

    Of equal elements the first come first; where a segment is shorter than k, values 0 and indices -1 follow.

    DATA: a vector.
    TopKValue: (S, k).
    TopKIndices: (S, k), int32.
    k: how many, positive.
    """

    k: int = -1

    def bind(self, site: Site) -> None:
        if self.k < 1:
            raise EnforceNotMet(f"{site.op.type}\n  k is at least 1, not {self.k}")

    def __call__(self, data: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        demand.rank(data, 1, "DATA")
        demand.lengths(lengths, None, "LENGTHS")
        ends = lengths.long().cumsum(0)
        if demand.readable(ends) and ends.numel() and int(ends[-1]) > data.numel():
            raise EnforceNotMet(f"LENGTHS add up to {int(ends[-1])}, more than the {data.numel()} elements of DATA")
        if COMPILED_LENGTHS.serves(data, lengths):
            values = data.new_empty(lengths.numel(), self.k)
            places = torch.empty_like(values, dtype=torch.int32)
            COMPILED_LENGTHS(data, F.pad(ends, (1, 0)), lengths.numel(), self.k, values, places)
            return values, places
        starts = (ends - lengths)[:, None]
        rank = torch.arange(self.k, device=data.device)
        if not data.numel():
            held = rank < lengths[:, None].clamp(max=0)
            return data.new_zeros(held.shape), torch.full_like(held, -1, dtype=torch.int32)
        order = data.sort(descending=True, stable=True)[1]
        segment = torch.searchsorted(ends, order, right=True)
        order = order[segment.sort(stable=True)[1]]
        held = rank < lengths[:, None]
        chosen = order[(starts + rank).clamp(max=data.numel() - 1)]
        return torch.where(held, data[chosen], 0), torch.where(held, chosen - starts, -1).int()


@op(
    "LengthsTopKGradient: LENGTHS TopKIndices dTopKValue -> dDATA",
    types="LENGTHS TopKIndices: int32, dTopKValue: float",
    shape=UNKNOWN,
)
class LengthsTopKGradient(LengthsTopK):
    """dDATA = dTopKValue at the places that LengthsTopK took, 0 elsewhere.

    k: as in LengthsTopK.
    """

    def __call__(self, lengths: Tensor, indices: Tensor, dvalues: Tensor) -> Tensor:
        demand.lengths(lengths, None, "LENGTHS")
        shape = (lengths.numel(), self.k)
        if indices.numel() != prod(shape) or dvalues.numel() != prod(shape):
            raise EnforceNotMet(f"TopKIndices and its gradient are {shape}, not {indices.shape} and {dvalues.shape}")
        held = torch.arange(self.k, device=lengths.device) < lengths[:, None]
        places = (lengths.long().cumsum(0) - lengths)[:, None] + indices.reshape(shape)
        dx = dvalues.new_zeros(int(lengths.sum()))
        demand.in_range(places[held], dx.numel(), "TopKIndices")
        dx[places[held]] = dvalues.reshape(shape)[held]
        return dx


def _extreme(pick: Callable, void: float) -> Callable:
    """The body of ArgMax or ArgMin: `pick` is torch's reduction, `void` what never wins."""

    def body(x: Tensor, *, axis: int = -1, keepdims: bool = True) -> Tensor:
        axis = axis_of(axis, x.dim())
        if not x.shape[axis]:
            shape = [1 if d == axis else n for d, n in enumerate(x.shape) if keepdims or d != axis]
            return torch.zeros(shape, dtype=torch.int64, device=x.device)
        found, place = pick(x, axis, keepdim=keepdims)
        if not (x.is_floating_point() and demand.concrete(x) and found.isnan().any()):
            return place
        first = x.narrow(axis, 0, 1).isnan()
        place = pick(x.masked_fill(x.isnan(), void), axis, keepdim=keepdims)[1]
        return place.masked_fill(first if keepdims else first.squeeze(axis), 0)

    return body


for _name, _word, _body in (
    ("ArgMax", "largest", _extreme(torch.max, -torch.inf)),
    ("ArgMin", "smallest", _extreme(torch.min, torch.inf)),
):
    op(
        f"{_name}: X -> Indices",
        types="X: int32 int64 float double",
        doc=f"""The place of the {_word} element of X along `axis`.

        Of equal elements the first is taken; a NaN is taken in first place alone, where nothing beats it.

        X: of any shape.
        Indices: int64, the shape of X with 1 along `axis`, or without it.
        axis: the dimension, the last one unless given.
        keepdims: whether the axis stays, as a dimension of 1.
        """,
    )(_body)
