"""Operators that lay tensors side by side: in one piece of storage, or as the rows of a matrix to multiply."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, op
from caffe2.ops import demand


@op("UnsafeCoalesce: *inputs -> *inputs coalesced", inplace="inputs -> inputs", types="inputs: float", shares=True)
def unsafe_coalesce(*inputs: Tensor) -> tuple[Tensor, ...]:
    """The inputs in one piece of storage, and that storage as a vector; writing to one writes to the other.

    Inputs that lie one after another in one storage already stay there.

    inputs: tensors of one element type; they are overwritten.
    coalesced: a vector of all their elements.
    """
    whole = _together(inputs)
    if whole is not None:
        return (*inputs, whole)
    whole = torch.cat([x.reshape(-1) for x in inputs])
    parts = whole.split([x.numel() for x in inputs])
    return (*(part.view(x.shape) for part, x in zip(parts, inputs)), whole)


def _together(inputs: tuple[Tensor, ...]) -> Tensor | None:
    """The vector of all inputs where they lie one after another, from the start of one storage to its end."""
    at, storage = 0, inputs[0].untyped_storage()
    for x in inputs:
        if x.storage_offset() != at or not x.is_contiguous() or x.untyped_storage()._cdata != storage._cdata:
            return None
        at += x.numel()
    if len(inputs) == 1 or at * 4 != storage.nbytes():
        return None
    return inputs[0].as_strided((at,), (1,), 0)


@op("ConcatBatchMatMulBatchGatherOp: indices *inputs -> output", types="indices: int32, inputs: float", same="inputs")
def concat_batch_matmul_batch_gather(indices: Tensor, *inputs: Tensor) -> Tensor:
    """output[b, k] = the dot products of all pairs of inputs in batch b, as a flat matrix, at indices[k].

    The product of input i and input j stands at i * n + j.

    indices: (K).
    inputs: n tensors (batch, features ...) of one shape.
    output: (batch, K).
    """
    if not inputs:
        raise EnforceNotMet("it multiplies one input or more, and has none")
    demand.rank(indices, 1, "indices")
    demand.in_range(indices, len(inputs) ** 2, "indices")
    rows = torch.stack(inputs, 1).flatten(2)
    return torch.bmm(rows, rows.mT).flatten(1).index_select(1, indices)
