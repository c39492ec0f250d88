"""Lists of ids: hashed, split by key, merged, and made of dense vectors."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import NONE, UNKNOWN, EnforceNotMet, Op, OutputCount, Site, op
from caffe2.ops import demand, ragged


@op("IndexHash: Indices -> HashedIndices", inplace="Indices -> HashedIndices", types="Indices: index", like="Indices")
class IndexHash(Op):
    """h mod modulo for each element, h being a hash of its bytes.

    h = seed * 0xDEADBEEF at first and then, byte by byte from the lowest, h = 65537 h + byte, the bytes signed; the
    arithmetic wraps in the element type, and the remainder is not negative.

    Indices: int32 or int64, of any shape.
    HashedIndices: of the shape of Indices.
    seed, modulo: the numbers of the formula.
    """

    seed: int = 0
    modulo: int = 0

    def bind(self, site: Site) -> None:
        if self.modulo <= 0:
            raise EnforceNotMet(f"IndexHash\n  modulo is positive, not {self.modulo}")

    def __call__(self, indices: Tensor) -> Tensor:
        kind = torch.iinfo(indices.dtype)
        if self.modulo > kind.max:
            raise EnforceNotMet(f"modulo {self.modulo} is more than elements of {indices.dtype} can be")
        seed = (self.seed * 0xDEADBEEF - kind.min) % 2**kind.bits + kind.min
        hashed = torch.full_like(indices, seed, memory_format=torch.contiguous_format).reshape(-1)
        for byte in indices.contiguous().reshape(-1, 1).view(torch.int8).unbind(1):
            hashed = hashed * 65537 + byte
        return torch.remainder(hashed, self.modulo).reshape(indices.shape)


@op("KeySplit: keys -> +ids", types="keys: int64", shape=UNKNOWN)
class KeySplit(Op):
    """For each key k from 0 to categorical_limit - 1 the places, ascending, of the elements that are k.

    keys: a vector.
    ids: categorical_limit vectors, int32.
    categorical_limit: how many keys there are.
    """

    outputs: OutputCount
    categorical_limit: int = 0

    def bind(self, site: Site) -> None:
        if self.categorical_limit <= 0 or self.categorical_limit != self.outputs:
            raise EnforceNotMet(f"KeySplit\n  categorical_limit {self.categorical_limit} is the number of outputs")

    def __call__(self, keys: Tensor) -> tuple[Tensor, ...]:
        demand.in_range(keys, self.categorical_limit, "keys")
        order = keys.reshape(-1).argsort(stable=True).int()
        counts = torch.bincount(keys.reshape(-1), minlength=self.categorical_limit)
        return tuple(torch.split_with_sizes_copy(order, counts.tolist()))


@op(
    "MergeIdLists: +(lengths values) -> merged_lengths merged_values",
    gradient=NONE,
    shape=UNKNOWN,
)
def merge_id_lists(*inputs: Tensor) -> tuple[Tensor, Tensor]:
    """For each sample the distinct ids of all its lists, ascending.

    lengths: for each list, (S), int32: how many ids each sample has.
    values: for each list, the ids, one sample after another.
    merged_lengths: (S), int32.
    merged_values: (sum of merged_lengths).
    """
    lists, batch = inputs[::2], inputs[0].numel()
    for lengths, values in zip(lists, inputs[1::2]):
        demand.rank(values, 1, "values")
        demand.lengths(lengths, values.numel(), "lengths")
        if lengths.numel() != batch or lengths.dtype != torch.int32:
            raise EnforceNotMet(f"all lengths are int32 and of {batch} samples")
        if values.dtype != inputs[1].dtype or values.dtype not in (torch.int32, torch.int64):
            raise EnforceNotMet("all values are int32, or all int64")
    values = torch.cat(inputs[1::2])
    samples = torch.cat([ragged.segments(n, v.numel()) for n, v in zip(lists, inputs[1::2])])
    values, order = values.sort(stable=True)
    samples, again = samples[order].sort(stable=True)
    values = values[again]
    fresh = torch.ones_like(values, dtype=torch.bool)
    fresh[1:] = (values[1:] != values[:-1]) | (samples[1:] != samples[:-1])
    return torch.bincount(samples[fresh], minlength=batch).int(), values[fresh]


@op("DenseVectorToIdList: values -> out_lengths out_values", gradient=NONE, types="values: float", shape=UNKNOWN)
def dense_vector_to_id_list(values: Tensor) -> tuple[Tensor, Tensor]:
    """For each row of a matrix how many elements are not 0 when rounded, and their columns.

    An element x counts unless x + 0.5 is 0 when truncated, as the original rounds: from 0.5 up and from -1.5 down.

    values: (batch, columns).
    out_lengths: (batch), int32: how many.
    out_values: (sum of out_lengths), int32: their columns.
    """
    demand.rank(values, 2, "values")
    rows, columns = (values + 0.5).trunc().nonzero(as_tuple=True)
    return torch.bincount(rows, minlength=values.shape[0]).int(), columns.int()
