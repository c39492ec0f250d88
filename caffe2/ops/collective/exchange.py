"""Collectives: sums, copies and barriers over all processes of a world."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import REFUSED, UNKNOWN, EnforceNotMet, op
from caffe2.ops.collective.world import CommonWorld, Communicating

ENGINES = "GLOO MPI NCCL"


def _alike(xs: tuple[Tensor, ...]) -> None:
    """Raise EnforceNotMet unless tensors agree in size and element type."""
    if len({(x.numel(), x.dtype) for x in xs}) > 1:
        held = ", ".join(f"{str(x.dtype)[6:]} {tuple(x.shape)}" for x in xs)
        raise EnforceNotMet(f"the tensors of a collective have one size and element type, not {held}")


def _sum(xs: tuple[Tensor, ...]) -> Tensor:
    """The sum of tensors of one size, in new storage of the first one's shape."""
    total = xs[0].clone(memory_format=torch.contiguous_format)
    for x in xs[1:]:
        total += x.to(total.device).reshape(total.shape)
    return total


def _spread(value: Tensor, xs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The value in storage of its own for each of the tensors, in its shape and on its device."""
    first, *others = xs
    return value.view(first.shape), *(torch.empty_like(x).copy_(value.view_as(x)) for x in others)


def _some(i: int, o: int) -> bool:
    return i >= 2 and o == i - 1


@op(
    "Allreduce: comm_world *X -> *Y",
    inplace="X => Y",
    types="X: number",
    arity=_some,
    blocking=True,
    gradient=REFUSED,
    engines=ENGINES,
    shape=lambda world, *xs, **_: xs,
)
class Allreduce(Communicating):
    """Y_i = the sum of all X of all processes, which have one size.

    Y: Y_i overwrites X_i.
    gpu_direct: accepted and ignored.
    """

    gpu_direct: bool = False

    def __call__(self, world: CommonWorld, *xs: Tensor) -> tuple[Tensor, ...]:
        _alike(xs)
        total = _sum(xs)
        self.talk(world, lambda group: group.allreduce([total]))
        return _spread(total, xs)


@op(
    "Broadcast: comm_world *X -> *X",
    inplace="X => X",
    types="X: fixed",
    arity=_some,
    blocking=True,
    gradient=REFUSED,
    engines=ENGINES,
    shape=lambda world, *xs, **_: xs,
)
class Broadcast(Communicating):
    """Every X_i of every process = X_0 of the process `root`.

    X: tensors of one size, at all processes; they are overwritten.
    """

    root: int = 0

    def __call__(self, world: CommonWorld, *xs: Tensor) -> tuple[Tensor, ...]:
        _alike(xs)
        sent = xs[0].clone(memory_format=torch.contiguous_format)
        demand_rank(world, self.root, "root")
        self.talk(world, lambda group: group.broadcast(_bytes(sent), root=self.root))
        return _spread(sent, xs)


def _bytes(x: Tensor) -> Tensor:
    """A tensor's memory, as what gloo can carry."""
    return x.reshape(-1).view(torch.uint8)


def demand_rank(world: CommonWorld, rank: int, name: str) -> None:
    """Raise EnforceNotMet unless a process of the world has that number."""
    if not 0 <= rank < world.size:
        raise EnforceNotMet(f"{name} is {rank}; the world has the ranks 0 to {world.size - 1}")


@op(
    "Reduce: comm_world X -> Y",
    types="X: number",
    blocking=True,
    gradient=REFUSED,
    engines=ENGINES,
    shape=lambda world, x, **_: x,
)
class Reduce(Communicating):
    """Y = the sum of X over all processes at the process `root`, and X elsewhere."""

    root: int = 0

    def __call__(self, world: CommonWorld, x: Tensor) -> Tensor:
        demand_rank(world, self.root, "root")
        total = _sum((x,))
        self.talk(world, lambda group: group.reduce(total, root=self.root))
        return total if world.rank == self.root else x.clone()


@op("Allgather: comm_world +X -> Y", types="X: fixed", blocking=True, gradient=REFUSED, engines=ENGINES, shape=UNKNOWN)
class Allgather(Communicating):
    """Y = the elements of X_0, X_1 ... of process 0, then of process 1 and so on.

    Y: a vector of as many elements as all X of all processes have.
    """

    def __call__(self, world: CommonWorld, *xs: Tensor) -> Tensor:
        _alike(xs)
        mine = torch.cat([x.to(xs[0].device).reshape(-1) for x in xs])
        every = [torch.empty_like(mine) for _ in range(world.size - 1)]
        every.insert(world.rank, mine)
        self.talk(world, lambda group: group.allgather([[_bytes(y) for y in every]], [_bytes(mine.clone())]))
        return torch.cat(every)


@op(
    "ReduceScatter: comm_world *X -> *Y",
    inplace="X => Y",
    arity=lambda i, o: i >= 3 and o == i - 1,
    blocking=True,
    gradient=REFUSED,
    engines=ENGINES,
    shape=lambda world, *xs, **_: xs,
)
class ReduceScatter(Communicating):
    """The sum of all X but the last, over all processes, a share of it to each.

    X: tensors of one size, and last a vector of int32: how many elements of the sum each process gets.
    Y: as many as there are tensors to add, of their shape: the share of this process comes first; what stands behind it
        is left over from the sum.
    """

    def __call__(self, world: CommonWorld, *xs: Tensor) -> tuple[Tensor, ...]:
        *summed, counts = xs
        _alike(tuple(summed))
        shares = counts.reshape(-1).tolist()
        if len(shares) != world.size or min(shares) < 0 or sum(shares) != summed[0].numel():
            raise EnforceNotMet(
                f"{summed[0].numel()} elements go to {world.size} processes, and the counts are {shares}"
            )
        total = _sum(tuple(summed))
        self.talk(world, lambda group: group.allreduce([total]))
        first = sum(shares[: world.rank])
        total.view(-1)[: shares[world.rank]] = total.view(-1)[first : first + shares[world.rank]].clone()
        return *_spread(total, tuple(summed)), counts


@op("Barrier: comm_world -> *any", arity=lambda i, o: True, blocking=True, gradient=REFUSED, engines=ENGINES)
class Barrier(Communicating):
    """Waits until every process of the world has come here.

    any: blobs that are left as they are.
    """

    def __call__(self, world: CommonWorld) -> tuple[()]:
        self.talk(world, lambda group: group.barrier())
        return ()
