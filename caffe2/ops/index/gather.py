"""Gathering: slices of a tensor picked by a tensor of indices, and the gradient that adds them back."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Gradient, NoGradient, Op, gradient, op
from caffe2.ops import demand

Array = Tensor | np.ndarray


def axis_of(axis: int, count: int) -> int:
    """An axis counted from the front. Raises EnforceNotMet where it is none of `count` dimensions."""
    if not -count <= axis < count:
        raise EnforceNotMet(f"axis {axis} is no dimension of a tensor of {count}")
    return axis % count


def pick(data: Array, indices: Tensor, axis: int, wrap: bool = False) -> Array:
    """The slices of data at a vector of indices along an axis, one after another.

    wrap: an index below 0 counts from the end. Raises EnforceNotMet for an index out of range, where it can be read.
    """
    size = data.shape[axis]
    if isinstance(data, np.ndarray):
        _demand_range(indices, size, wrap)
        return np.take(data, indices.numpy(), axis)
    if not demand.readable(indices):
        return data.index_select(axis, torch.where(indices < 0, indices + size, indices) if wrap else indices)
    try:
        return data.index_select(axis, indices)
    except (IndexError, RuntimeError):
        _demand_range(indices, size, wrap)
        return data.index_select(axis, indices % size)


def _demand_range(indices: Tensor, size: int, wrap: bool) -> None:
    if wrap and indices.numel() and int(indices.min()) < -size:
        raise EnforceNotMet(f"INDICES holds {int(indices.min())}; it indexes {size} slices, {-size} to {size - 1}")
    demand.in_range(indices.clamp(min=0) if wrap else indices, size, "INDICES")


def flat(data: Array, indices: Tensor, axis: int) -> tuple[Array, Tensor]:
    """Data and indices that agree in the dimensions before `axis`, with these and the axis made one.

    Picking slices along axis 0 of the result picks, for each place before the axis, those that its indices name.
    """
    outer = data.shape[:axis]
    if not axis or tuple(indices.shape[:axis]) != tuple(outer):
        shapes = f"{tuple(data.shape)} and {tuple(indices.shape)}"
        raise EnforceNotMet(f"DATA and INDICES agree in the dimensions before axis {axis}; their shapes are {shapes}")
    size, count = data.shape[axis], int(np.prod(outer))
    demand.in_range(indices, size, "INDICES")
    start = torch.arange(count, dtype=indices.dtype, device=indices.device) * size
    rows = (indices.reshape(count, -1) + start[:, None]) if count else indices
    return data.reshape(count * size, *data.shape[axis + 1 :]), rows.reshape(-1)


def gathered(data: Array, indices: Tensor, axis: int, match_outer: bool, wrap: bool) -> Array:
    """Data with the dimension `axis` replaced by those of indices, its slices being those that they name."""
    axis = axis_of(axis, data.ndim)
    if not data.shape[axis]:
        return data
    if match_outer:
        rows, chosen = flat(data, indices, axis)
        picked = pick(rows, chosen, 0)
        shape = (*data.shape[:axis], *indices.shape[axis:], *data.shape[axis + 1 :])
    else:
        picked = pick(data, indices.reshape(-1), axis, wrap)
        if indices.dim() == 1:
            return picked
        shape = (*data.shape[:axis], *indices.shape, *data.shape[axis + 1 :])
    return picked.reshape(shape)


@op("Gather: DATA INDICES -> OUTPUT", types="INDICES: index", engines="DNNLOWP fp16", view=True)
class Gather(Op):
    """OUTPUT[..., i, ...] = DATA[..., INDICES[i], ...]: the dimensions of INDICES take the place of `axis`.

    Where DATA has no slice along the axis, OUTPUT is DATA.

    INDICES: any shape; places along the axis, counted from 0.
    OUTPUT: the shape of DATA with that of INDICES in place of `axis`.
    axis: the dimension of DATA that is looked up along.
    match_outer: INDICES has the dimensions of DATA before `axis` too, and each place there indices of its own.
    wrap_indices: whether -1 is the last slice, -2 the one before, and so on; it is along axis 0 unless said otherwise.
    dense_gradient: the gradient of DATA is a dense tensor, not a pair of indices and rows.
    """

    axis: int = 0
    match_outer: bool = False
    wrap_indices: bool | None = None
    dense_gradient: bool | None = None

    def __call__(self, data: Array, indices: Tensor) -> Array:
        wrap = self.axis == 0 if self.wrap_indices is None else self.wrap_indices
        return gathered(data, indices, self.axis, self.match_outer, wrap)


@gradient("Gather")
def _(g: Gradient) -> None:
    """Sparse along the first axis, unless a dense gradient is asked for; dense along any other."""
    if g.arg("axis", 0) != 0:
        if g.arg("dense_gradient") is False:
            raise NoGradient("Gather\n  has a sparse gradient along axis 0 alone; leave out dense_gradient")
        g.op("BatchGatherGradient: DATA INDICES dOUTPUT -> dDATA")
    elif g.arg("dense_gradient"):
        g.op("SparseToDense: INDICES dOUTPUT DATA -> dDATA")
    else:
        g.set("DATA", (g.blob("INDICES"), g.blob("dOUTPUT")))


@op(
    "BatchGather: DATA INDICES -> OUTPUT",
    gradient="BatchGatherGradient: DATA INDICES dOUTPUT -> dDATA",
    types="INDICES: index",
    view=True,
)
def batch_gather(data: Array, indices: Tensor, *, match_outer: bool = False) -> Array:
    """OUTPUT[b, i] = DATA[b, INDICES[i]]; of INDICES[b, i] with match_outer.

    DATA: (batch, M, ...).
    INDICES: any shape I; with match_outer (batch, I ...).
    OUTPUT: (batch, I ..., ...).
    match_outer: every place of the first dimension has indices of its own.
    """
    return gathered(data, indices, 1, match_outer, wrap=False)


@op("BatchGatherGradient: DATA INDICES dOUTPUT -> dDATA", types="DATA dOUTPUT: float, INDICES: index", like="DATA")
def batch_gather_gradient(
    data: Tensor, indices: Tensor, dy: Tensor, *, axis: int = 1, match_outer: bool = False
) -> Tensor:
    """dDATA[..., INDICES[i], ...] = the sum of dOUTPUT[..., i, ...] over all i of one index; 0 where there is none.

    axis: the dimension of DATA that was looked up along.
    match_outer: as in BatchGather, or Gather.
    """
    demand.least_rank(data, 2, "DATA")
    axis = axis_of(axis, data.dim())
    dx = torch.zeros_like(data, memory_format=torch.contiguous_format)
    if dy.shape[:axis] != data.shape[:axis]:
        raise EnforceNotMet(f"DATA and dOUTPUT begin alike, not {tuple(data.shape)} and {tuple(dy.shape)}")
    if not dx.numel():
        return dx
    if match_outer:
        rows, chosen = flat(dx, indices, axis)
        rows.index_add_(0, chosen, dy.reshape(chosen.numel(), *rows.shape[1:]))
        return dx
    demand.in_range(indices, data.shape[axis], "INDICES")
    return dx.index_add_(axis, indices.reshape(-1), dy.reshape(*data.shape[:axis], -1, *data.shape[axis + 1 :]))
