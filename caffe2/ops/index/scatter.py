"""Scattering: elements and slices put, added or copied to the places that indices name."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Gradient, gradient, op
from caffe2.ops import demand
from caffe2.ops.index.gather import axis_of
from caffe2.ops.native import Kernel

ASSIGN = Kernel("rows", "assign", "ppqpqq")
ACCUMULATE = Kernel("rows", "accumulate", "ppqpqqf")


@op("Scatter: DATA INDICES UPDATES -> OUTPUT", inplace="DATA -> OUTPUT", types="INDICES: index")
def scatter(data: Tensor, indices: Tensor, updates: Tensor, *, axis: int = 1) -> Tensor:
    """DATA, but OUTPUT[..., INDICES[..., i, ...], ...] = UPDATES[..., i, ...] along `axis`.

    Of several updates of one element the last is kept.

    DATA: of any shape.
    INDICES, UPDATES: of one shape, which fits in that of DATA in every other dimension than `axis`.
    OUTPUT: of the shape of DATA.
    axis: the dimension.
    """
    axis = axis_of(axis, data.dim())
    demand.same_shape(indices, updates, "INDICES and UPDATES")
    demand.in_range(indices, data.shape[axis], "INDICES")
    return data.scatter(axis, indices.long(), updates)


@op(
    "ScatterAssign: DATA INDICES SLICES -> DATA",
    inplace="DATA => DATA",
    types="DATA=SLICES: float float16 bfloat16 uint8 int32 int64 double, INDICES: index",
    mutates=True,
)
def scatter_assign(data: Tensor, indices: Tensor, slices: Tensor) -> Tensor:
    """DATA[INDICES[i]] = SLICES[i], in place; which of several slices of one index is kept is not defined.

    INDICES: (N): rows of DATA.
    SLICES: (N, ...).
    """
    rows = _rows(data, indices, slices, "SLICES")
    if ASSIGN.serves(data, indices, rows):
        size = prod(data.shape[1:]) * data.itemsize
        ASSIGN(data, indices, indices.itemsize == 8, rows, indices.numel(), size)
        return data
    return data.index_copy_(0, indices.reshape(-1).long(), rows)


@op(
    "ScatterWeightedSum: X_0 Weight_0 INDICES *(X Weight) -> X_0",
    inplace="X_0 => X_0",
    types="X_0 Weight_0 X_Weight: float, INDICES: index",
    mutates=True,
    arity=lambda i, o: i >= 5,
)
def scatter_weighted_sum(x0: Tensor, w0: Tensor, indices: Tensor, *others: Tensor) -> Tensor:
    """X_0[INDICES[i]] = Weight_0 X_0[INDICES[i]] + the sum of Weight X[i] over the pairs (X, Weight), in place.

    An index that comes again applies Weight_0 again, and adds.

    X_0: (M, ...).
    INDICES: (N): rows of X_0.
    X: tensors (N, ...).
    Weight_0, Weight: one number each.
    """
    demand.one_number(w0, "Weight_0")
    flat = indices.reshape(-1)
    demand.in_range(flat, x0.shape[0] if x0.dim() else 0, "INDICES")
    if ACCUMULATE.serves(x0, flat, w0):
        return _accumulated(x0, float(w0), flat, others)
    if not demand.readable(w0) or float(w0) != 1:
        times = w0.new_zeros(x0.shape[0]).index_add_(0, flat, w0.new_ones(flat.shape)).index_select(0, flat)
        factor = (w0.reshape(1) ** times).reshape(-1, *[1] * (x0.dim() - 1))
        x0.index_copy_(0, flat.long(), x0.index_select(0, flat) * factor)
    for x, w in zip(others[::2], others[1::2]):
        demand.one_number(w, "Weight")
        rows = _rows(x0, flat, x, "X")
        if demand.readable(w):
            x0.index_add_(0, flat, rows, alpha=float(w))
        else:
            x0.index_add_(0, flat, rows * w.reshape(()))
    return x0


def _accumulated(x0: Tensor, w0: float, flat: Tensor, others: tuple[Tensor, ...]) -> Tensor:
    """The same by a compiled kernel."""
    named, shape = (flat, flat.itemsize == 8), (flat.numel(), prod(x0.shape[1:]))
    pairs = [(_rows(x0, flat, x, "X"), w) for x, w in zip(others[::2], others[1::2])]
    for _, w in pairs:
        demand.one_number(w, "Weight")
    if w0 != 1:
        ACCUMULATE(x0, *named, None, *shape, w0)
    for rows, w in pairs:
        ACCUMULATE(x0, *named, rows.contiguous(), *shape, float(w))
    return x0


def _rows(data: Tensor, indices: Tensor, slices: Tensor, name: str) -> Tensor:
    """Slices as rows of data, one for each index, whatever their shape."""
    demand.least_rank(data, 1, "the tensor to update")
    demand.in_range(indices, data.shape[0], "INDICES")
    shape = (indices.numel(), *data.shape[1:])
    if slices.dtype != data.dtype:
        raise EnforceNotMet(f"{name} holds {slices.dtype} for a tensor of {data.dtype}")
    if slices.numel() != torch.Size(shape).numel():
        raise EnforceNotMet(f"{name} holds slices of shape {shape}, one an index; its shape is {tuple(slices.shape)}")
    return slices.reshape(shape)


@op(
    "CopyRowsToTensor: input_tensor indices row -> output_tensor",
    inplace="input_tensor => output_tensor",
    types="input_tensor=row: float16 float double int32 int64, indices: int64",
    mutates=True,
)
def copy_rows_to_tensor(table: Tensor, indices: Tensor, row: Tensor) -> Tensor:
    """output_tensor[indices[i]] = row for every i, in place.

    input_tensor: (M, D).
    indices: (N): rows of input_tensor.
    row: (D).
    output_tensor: input_tensor, overwritten.
    """
    demand.rank(table, 2, "input_tensor")
    demand.rank(indices, 1, "indices")
    if row.shape != table.shape[1:]:
        shapes = f"{tuple(table.shape)} and {tuple(row.shape)}"
        raise EnforceNotMet(f"width of input tensor should match lengths of row; they are {shapes}")
    demand.in_range(indices, table.shape[0], "indices")
    return table.index_put_((indices,), row)


@gradient("CopyRowsToTensor")
def _(g: Gradient) -> None:
    """The gradient passes unchanged, dense or sparse, as in the original: through the copied rows too."""
    grad, made = g.blob("doutput_tensor"), g.grad_name("input_tensor")
    if not isinstance(grad, tuple):
        g.add("CopyRowsToTensorGradient", [grad], [made], copy=False).set("input_tensor", made)
        return
    pair = (f"{made}_indices", f"{made}_values")
    for given, copied in zip(grad, pair):
        g.add("CopyRowsToTensorGradient", [given], [copied], copy=False)
    g.set("input_tensor", pair)


@op(
    "CopyRowsToTensorGradient: doutput_tensor -> dinput_tensor",
    inplace="doutput_tensor -> dinput_tensor",
    types="doutput_tensor: float16 float double int32 int64",
    like="doutput_tensor",
    view=True,
    differs="copies all of the gradient, where the original copies as many elements as it has rows",
)
def copy_rows_to_tensor_gradient(dy: Tensor) -> Tensor:
    """dinput_tensor = doutput_tensor."""
    return dy
