"""Tensors sent from one process of a world to another."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from caffe2.opdef import REFUSED, UNKNOWN, EnforceNotMet, element_type, op
from caffe2.ops.collective.exchange import demand_rank
from caffe2.ops.collective.world import CommonWorld, Communicating

MOST_DIMENSIONS = 16
ANY = -1


def _number(given: Tensor | None, otherwise: int) -> int:
    return otherwise if given is None else int(given.reshape(-1)[0])


class Messages(Communicating):
    """Base of the two ends of a message: a header with element type and shape, then the elements.

    raw_buffer: no header goes before the elements: the Y that the receiver has says what comes.
    """

    tag: int = 0
    raw_buffer: bool = False

    def other(self, world: CommonWorld, rank: int) -> None:
        if rank == world.rank:
            raise EnforceNotMet(f"the process {rank} cannot send to itself")
        demand_rank(world, rank, "the other process")


@op("SendTensor: comm_world X dst? tag? ->", types="X: fixed", blocking=True, gradient=REFUSED, engines="GLOO MPI")
class SendTensor(Messages):
    """Sends X to the process `dst` under the number `tag`.

    X: of any shape.
    dst, tag: arguments or blobs of one int32; the blobs come before the arguments.
    """

    dst: int = ANY

    def __call__(self, world: CommonWorld, x: Tensor, dst: Tensor | None = None, tag: Tensor | None = None) -> None:
        to, under = _number(dst, self.dst), _number(tag, self.tag)
        self.other(world, to)
        if not self.raw_buffer:
            self.talk(world, lambda group: group.send([_header(x)], to, under))
        self.talk(world, lambda group: group.send([x.reshape(-1).view(torch.uint8)], to, under))


def _header(x: Tensor) -> Tensor:
    if x.dim() > MOST_DIMENSIONS:
        raise EnforceNotMet(f"a tensor of at most {MOST_DIMENSIONS} dimensions can be sent, not of {x.dim()}")
    told = [element_type(x.dtype).number, x.dim(), *x.shape]
    return torch.tensor(told + [0] * (MOST_DIMENSIONS + 2 - len(told)))


@op(
    "ReceiveTensor: comm_world Y src? tag? -> Y src tag",
    inplace="Y => Y, src -> src, tag -> tag",
    blocking=True,
    gradient=REFUSED,
    engines="GLOO MPI",
    shape=UNKNOWN,
)
class ReceiveTensor(Messages):
    """Y = the tensor that the process `src` sent under the number `tag`.

    Y: overwritten by the tensor received, of the same size.
    src, tag: one int32 each: where the tensor is from; -1 as src: any process. The inputs come before the arguments.
    """

    src: int = ANY

    def __call__(
        self, world: CommonWorld, y: Tensor, src: Tensor | None = None, tag: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        sender, under = _number(src, self.src), _number(tag, self.tag)
        if sender != ANY:
            self.other(world, sender)
        if not self.raw_buffer:
            header = torch.zeros(MOST_DIMENSIONS + 2, dtype=torch.int64)
            sender = self.take(world, header, sender, under)
            number, dims, *shape = header.tolist()
            y = torch.empty(shape[:dims], dtype=element_type(number).torch, device=y.device)
        received = torch.empty_like(y, memory_format=torch.contiguous_format)
        sender = self.take(world, received.view(-1).view(torch.uint8), sender, under)
        told = [torch.tensor([number], dtype=torch.int32) for number in (sender, under)]
        return received, told[0], told[1]

    def take(self, world: CommonWorld, into: Tensor, sender: int, tag: int) -> int:
        """Fill a tensor with what a process sent, or any; its rank."""
        works: list[Any] = []

        def start(group: Any) -> Any:
            works.append(group.recv_anysource([into], tag) if sender == ANY else group.recv([into], sender, tag))
            return works[-1]

        self.talk(world, start)
        return works[-1]._source_rank() if sender == ANY else sender
