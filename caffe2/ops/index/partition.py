"""Partitions: rows dealt out by their key modulo the number of parts, and gathered again."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import NONE, UNKNOWN, EnforceNotMet, Gradient, Op, OutputCount, Site, gradient, op
from caffe2.ops import demand, ragged
from caffe2.ops.index.gather import Array, pick


class _Partition(Op):
    """How many parts there are, and what the keys become."""

    outputs: OutputCount
    pack_first_input: bool = False

    def bind(self, site: Site) -> None:
        count = len(site.inputs)
        if self.outputs % count:
            raise EnforceNotMet(f"{site.op.type}\n  {self.outputs} outputs are no multiple of its {count} inputs")
        self._parts = self.outputs // count

    def deal(self, keys: Tensor, others: tuple[Array, ...]) -> tuple[list[list[Array]], Tensor]:
        """For each part its keys and its rows of the others, and the part of every key."""
        part = keys.reshape(-1) % self._parts
        order = part.argsort(stable=True)
        groups = order.split(torch.bincount(part, minlength=self._parts).tolist())
        kept = torch.div(keys.reshape(-1), self._parts, rounding_mode="floor") if self.pack_first_input else keys
        tables = [kept.reshape(-1)]
        for number, x in enumerate(others, 1):
            if tuple(x.shape[: keys.dim()]) != tuple(keys.shape):
                shapes = f"{tuple(x.shape)}, that of the keys {tuple(keys.shape)}"
                raise EnforceNotMet(f"inputs have the shape of the keys in front; that {number} after them is {shapes}")
            tables.append(x.reshape(keys.numel(), *x.shape[keys.dim() :]))
        return [[pick(t, rows, 0) for t in tables] for rows in groups], part


@op("Partition: +inputs -> +partitions", gradient=NONE, shape=UNKNOWN)
class Partition(_Partition):
    """The rows of all inputs dealt out into parts: row k goes to part keys[k] mod parts.

    inputs: the keys, int32 or int64, of one dimension or several, which together number the rows; then tensors that
        begin with the dimensions of the keys.
    partitions: as many for each part as there are inputs, part after part.
    pack_first_input: the keys of the parts are keys div parts.
    """

    def __call__(self, *inputs: Array) -> tuple[Array, ...]:
        _demand_keys(inputs[0])
        parts, _ = self.deal(inputs[0], inputs[1:])
        return tuple(x for part in parts for x in part)


@op("LengthsPartition: lengths keys *others -> +partitions", gradient=NONE, types="lengths: int32", shape=UNKNOWN)
class LengthsPartition(_Partition):
    """Partition of segments: each part's first output tells how many rows of every segment went to it.

    lengths: int32: cuts the keys, and the rows of the other inputs, into segments.
    keys: a vector.
    others: tensors of as many rows as there are keys.
    partitions: part after part, lengths and then the rows of keys and others.
    pack_first_input: the keys of the parts are keys div parts.
    """

    def __call__(self, lengths: Tensor, keys: Tensor, *others: Array) -> tuple[Array, ...]:
        _demand_keys(keys)
        demand.rank(keys, 1, "keys")
        demand.lengths(lengths, keys.numel(), "lengths")
        parts, part = self.deal(keys, others)
        cells = ragged.segments(lengths, keys.numel()) * self._parts + part
        counts = torch.bincount(cells, minlength=lengths.numel() * self._parts).view(-1, self._parts).int()
        return tuple(x for j, rows in enumerate(parts) for x in (counts[:, j].contiguous(), *rows))


@op("GatherByKey: keys +sharded_values -> values", types="keys: index")
def gather_by_key(keys: Tensor, *shards: Array) -> Array:
    """The rows that Partition dealt out, put back in the order of the keys.

    keys: int32 or int64; for each k the next row of shard keys[k] mod shards is taken.
    sharded_values: a tensor of rows for each shard.
    values: the shape of keys, then that of a row.
    """
    demand.rank(keys, 1, "keys")
    first = shards[0]
    for number, x in enumerate(shards):
        demand.least_rank(x, 1, "a shard")
        if x.dtype != first.dtype or x.shape[1:] != first.shape[1:]:
            raise EnforceNotMet(f"shards have rows of one shape and type, not so shards 0 and {number}")
    part = keys % len(shards)
    counts = [x.shape[0] for x in shards]
    if sum(counts) != keys.numel() or demand.readable(keys) and _count(part, len(shards)) != counts:
        raise EnforceNotMet(f"the keys ask for {_count(part, len(shards))} rows of the shards, which hold {counts}")
    order = part.argsort(stable=True)
    place = torch.empty_like(order).scatter_(0, order, torch.arange(keys.numel(), device=keys.device))
    joined = np.concatenate(shards) if isinstance(first, np.ndarray) else torch.cat(shards)
    return pick(joined, place, 0)


@gradient("GatherByKey")
def _(g: Gradient) -> None:
    """Dense or sparse, as the gradient of values is: its rows, or indices and values, go to the shards."""
    grad, shards = g.blob("dvalues"), g.inputs["sharded_values"]
    parts, ends = (grad, ("_indices", "_values")) if isinstance(grad, tuple) else ((grad,), ("",))
    made = [tuple(f"{name}_grad{end}" for end in ends) for name in shards]
    outputs = [name for part in made for name in (f"_{part[0]}_keys", *part)]
    g.add("Partition", [g.blob("keys"), *parts], outputs, pack_first_input=0)
    g.set("sharded_values", [part if len(part) > 1 else part[0] for part in made])


def _demand_keys(keys: Tensor) -> None:
    if not isinstance(keys, Tensor) or keys.dtype not in (torch.int32, torch.int64):
        raise EnforceNotMet("keys are int32 or int64")


def _count(part: Tensor, parts: int) -> list[int]:
    return torch.bincount(part, minlength=parts).tolist()
