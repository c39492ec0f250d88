"""Common worlds: the processes that take part in a collective, connected by gloo."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from caffe2.opdef import REFUSED, EnforceNotMet, Op, OperatorFailed, Site, op
from caffe2.ops.io.store import PATIENCE, FileStore


class IoError(EnforceNotMet):
    """Processes could not talk to one another: a connection was closed, or time was up."""


if dist.is_available():

    class Rendezvous(dist.Store):
        """A store of blobs as torch.distributed asks for it; its names are apart by a prefix."""

        def __init__(self, handler: FileStore, prefix: str, patience: float) -> None:
            super().__init__()
            self._handler, self._prefix, self._patience = handler, prefix, patience

        def set(self, key: str, value: str | bytes) -> None:
            self._handler.set(self._prefix + key, value if isinstance(value, bytes) else value.encode())

        def get(self, key: str) -> bytes:
            return self._handler.get(self._prefix + key, self._patience)

        def check(self, keys: list[str]) -> bool:
            return self._handler.check([self._prefix + key for key in keys])

        def wait(self, keys: list[str], timeout: timedelta | None = None) -> None:
            seconds = timeout.total_seconds() if timeout else self._patience
            self._handler.wait([self._prefix + key for key in keys], seconds)

        def add(self, key: str, amount: int) -> int:
            return self._handler.add(self._prefix + key, amount)


class CommonWorld:
    """`size` processes, of which this one is number `rank`; `group` connects them and is None for a process alone."""

    def __init__(self, rank: int, size: int, store: Any = None, timeout: float = PATIENCE) -> None:
        self.rank, self.size = rank, size
        self._store, self._timeout, self._clones, self._open = store, timeout, 0, True
        self.group = None if size == 1 else dist.ProcessGroupGloo(store, rank, size, timedelta(seconds=timeout))

    def clone(self) -> CommonWorld:
        """The same processes, connected anew."""
        self.demand_open()
        self._clones += 1
        store = dist.PrefixStore(f"clone{self._clones}", self._store) if self.group else None
        return CommonWorld(self.rank, self.size, store, self._timeout)

    def close(self) -> None:
        """Close the connections; others who wait for this process are told."""
        self.group, self._open = None, False

    def demand_open(self) -> None:
        """Raise IoError where the world was destroyed."""
        if not self._open:
            raise IoError("the common world was destroyed")


class Communicating(Op):
    """Base of operators that talk to other processes.

    status_blob: where to put 1, int32[1], when that fails; the operator then ends without success, not with an IoError.
    """

    status_blob: str = ""

    def bind(self, site: Site) -> None:
        self.status = site.workspace.cell(self.status_blob) if self.status_blob else None

    def attempt(self, exchange: Callable[[], Any]) -> Any:
        """What an exchange gives. Raises IoError, or OperatorFailed with a status blob, where it fails."""
        try:
            return exchange()
        except RuntimeError as error:
            said = str(error).partition("\n")[0]
            if self.status is None:
                raise IoError(said) from error
            self.status.value = torch.ones(1, dtype=torch.int32)
            raise OperatorFailed(said) from error

    def talk(self, world: CommonWorld, start: Callable[[Any], Any]) -> None:
        """Start an exchange in the world's group and wait for its end; nothing where the process is alone."""
        if not isinstance(world, CommonWorld):
            raise EnforceNotMet(f"comm_world is made by CreateCommonWorld; this is a {type(world).__name__}")
        world.demand_open()
        if world.group is not None:
            self.attempt(lambda: start(world.group).wait())


@op("CreateCommonWorld: kv_handler? -> comm_world", blocking=True, gradient=REFUSED, engines="GLOO MPI NCCL")
class CreateCommonWorld(Communicating):
    """The world of `size` processes of which this one is number `rank`; it waits for all of them to connect.

    kv_handler: the store where the processes find one another, as FileStoreHandlerCreate makes it; a process alone
        needs none.
    comm_world: the world.
    size: how many processes.
    rank: the number of this one, from 0 on.
    timeout_ms: how long an exchange may take, in milliseconds; -1 for 30 seconds.
    transport: tcp, the only one.
    sync, interface: accepted and ignored.
    mpi_rendezvous: refused: torch.distributed has gloo without MPI.
    """

    size: int = 0
    rank: int = 0
    timeout_ms: int = -1
    transport: str = "tcp"
    sync: bool = False
    interface: str = ""
    mpi_rendezvous: bool = False

    def bind(self, site: Site) -> None:
        super().bind(site)
        self.name = site.op.name or site.outputs[0]
        if not 0 <= self.rank < self.size:
            raise EnforceNotMet(f"the rank {self.rank} is not one of a world of size {self.size}")
        if self.transport != "tcp" or self.mpi_rendezvous:
            raise EnforceNotMet("common worlds meet in a store and talk over tcp; MPI and ibverbs are not here")
        if self.size > 1 and not site.inputs:
            raise EnforceNotMet(f"a world of {self.size} processes needs a kv_handler, a store where they meet")

    def __call__(self, handler: FileStore | None = None) -> CommonWorld:
        if self.size == 1:
            return CommonWorld(self.rank, self.size)
        if not (dist.is_available() and dist.is_gloo_available()):
            raise EnforceNotMet("this build of torch has no gloo, and a world of several processes needs it")
        timeout = PATIENCE if self.timeout_ms == -1 else self.timeout_ms / 1000
        store = Rendezvous(handler, f"{self.name}/", timeout)
        return self.attempt(lambda: CommonWorld(self.rank, self.size, store, timeout))


@op("CloneCommonWorld: existing_comm_world -> comm_world", blocking=True, gradient=REFUSED, engines="GLOO MPI NCCL")
class CloneCommonWorld(Communicating):
    """The same processes in a world of its own: exchanges in the two do not meet. All of them clone at once.

    existing_comm_world: the world.
    comm_world: the new one.
    sync: accepted and ignored.
    """

    sync: bool = False

    def __call__(self, existing: CommonWorld) -> CommonWorld:
        return self.attempt(existing.clone)


@op(
    "DestroyCommonWorld: common_world -> common_world",
    inplace="common_world => common_world",
    empty=True,
    gradient=REFUSED,
    engines="GLOO MPI NCCL",
)
def destroy_common_world(world: CommonWorld | None) -> CommonWorld | None:
    """Closes all connections of a world; later exchanges in it fail, here and at the other processes.

    common_world: the world.
    """
    if world is not None:
        world.close()
    return world
