"""Executors that run operators concurrently, as far as the blobs that they share allow."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from caffe2.opdef import lookup
from caffe2.proto import caffe2_pb2
from caffe2.runtime.net import NET_TYPES, Line, Net
from caffe2.runtime.threads import Pool

if TYPE_CHECKING:
    from caffe2.runtime.workspace import Workspace


def dependencies(ops: Sequence[caffe2_pb2.OperatorDef]) -> list[set[int]]:
    """For each operator the earlier ones that it has to wait for.

    Who reads a blob waits for the one that wrote it last; who writes it, for that one and all who read it since; a
    control input is waited for like a blob that is read. What the nets within an operator read and write counts as its.
    """
    writer: dict[str, int] = {}
    readers: defaultdict[str, list[int]] = defaultdict(list)
    parents: list[set[int]] = []
    for index, op in enumerate(ops):
        reads, writes = _touched(op)
        waits = {writer[name] for name in (*reads, *op.control_input, *writes) if name in writer}
        waits.update(reader for name in writes for reader in readers[name])
        parents.append(waits - {index})
        for name in reads:
            readers[name].append(index)
        for name in writes:
            writer[name] = index
            readers[name].clear()
    return parents


def _touched(op: caffe2_pb2.OperatorDef) -> tuple[set[str], set[str]]:
    reads, writes = set(op.input), set(op.output)
    for inner in _nested(op):
        reads.update(inner.input)
        writes.update(inner.output)
    return reads, writes


def _nested(op: caffe2_pb2.OperatorDef) -> Iterator[caffe2_pb2.OperatorDef]:
    """The operators of the nets within an operator, of those within them, and so on."""
    for argument in op.arg:
        for net in (*([argument.n] if argument.HasField("n") else ()), *argument.nets):
            for inner in net.op:
                yield inner
                yield from _nested(inner)


def waits_for_others(op: caffe2_pb2.OperatorDef) -> bool:
    """Whether an operator, or one within it, may wait for another operator."""
    return any(lookup(each.type).blocking for each in (op, *_nested(op)))


def chains(parents: Sequence[set[int]]) -> list[list[int]]:
    """Groups of operators: each but the first of one has the one before it as only parent, and is its only child."""
    children: list[list[int]] = [[] for _ in parents]
    for index, waits in enumerate(parents):
        for parent in waits:
            children[parent].append(index)
    grouped: list[list[int]] = []
    home: dict[int, list[int]] = {}
    for index, waits in enumerate(parents):
        (parent,) = waits if len(waits) == 1 else (None,)
        if parent is not None and len(children[parent]) == 1:
            chain = home[parent]
        else:
            grouped.append(chain := [])
        chain.append(index)
        home[index] = chain
    return grouped


class DagNet(Net):
    """A net whose independent chains of operators run on `num_workers` threads, one a processor unless given.

    A chain with an operator that may wait for another has a thread to itself, so that waiting takes no one's turn.
    """

    types: ClassVar[tuple[str, ...]] = (
        "dag",
        "async_dag",
        "async_scheduling",
        "async_polling",
        "prof_dag",
        "parallel",
    )

    def __init__(self, net: caffe2_pb2.NetDef, workspace: Workspace) -> None:
        super().__init__(net, workspace)
        parents = dependencies(net.op)
        groups = chains(parents)
        of = {index: number for number, group in enumerate(groups) for index in group}
        self.lines = [Line(self, group) for group in groups]
        self.children: list[list[int]] = [[] for _ in groups]
        self.waiting_for = [0] * len(groups)
        for number, group in enumerate(groups):
            for parent in {of[p] for p in parents[group[0]]}:
                self.children[parent].append(number)
                self.waiting_for[number] += 1
        self.alone = [any(waits_for_others(net.op[index]) for index in group) for group in groups]
        self.workers = _workers(net)
        self.pool = Pool(min(self.workers, len(groups)) - 1 or 1, f"net {net.name}")
        if len(groups) > 1 and (self.workers > 1 or any(self.alone)):
            self.quick = lambda: _Run(self, [line.quick for line in self.lines]).wait()
            self.careful = lambda: _Run(self, [line.careful for line in self.lines]).wait()

    def close(self) -> None:
        super().close()
        self.pool.close()


def _workers(net: caffe2_pb2.NetDef) -> int:
    given = next((a.i for a in net.arg if a.name == "num_workers"), net.num_workers)
    return given if given > 0 else os.cpu_count() or 1


class _Run:
    """One run of a DagNet: chains start when all that they wait for are done; after an error none starts any more."""

    def __init__(self, net: DagNet, calls: list) -> None:
        self.net, self.calls = net, calls
        self.missing = list(net.waiting_for)
        self.lock = threading.Lock()
        self.active = 0
        self.finished = threading.Event()
        self.error: BaseException | None = None

    def wait(self) -> None:
        """Run all, this thread working too; raise the first error once everything that runs has ended."""
        ready = [number for number, count in enumerate(self.missing) if not count]
        self.active = len(ready)
        mine = next((number for number in ready if not self.net.alone[number]), None)
        for number in ready:
            if number != mine:
                self._start(number)
        self._follow(mine)
        try:
            self.finished.wait()
        except BaseException as error:  # an interrupt of the waiting thread
            self._fail(error)
            raise
        if self.error is not None:
            raise self.error

    def _start(self, number: int) -> None:
        if self.net.alone[number]:
            threading.Thread(target=self._follow, args=(number,), daemon=True).start()
        else:
            self.net.pool.submit(self._follow, number)

    def _follow(self, number: int | None) -> None:
        """Run a chain, then one of those that it makes ready, and so on; the others are started beside it."""
        while number is not None:
            try:
                self.calls[number]()
            except BaseException as error:
                self._fail(error)
            number = self._next(number)

    def _next(self, done: int) -> int | None:
        with self.lock:
            ready = []
            for child in self.net.children[done] if self.error is None else ():
                self.missing[child] -= 1
                if not self.missing[child]:
                    ready.append(child)
            self.active += len(ready) - 1
            if not self.active:
                self.finished.set()
        mine = next((n for n in ready if not self.net.alone[n]), None) if not self.net.alone[done] else None
        for number in ready:
            if number != mine:
                self._start(number)
        return mine

    def _fail(self, error: BaseException) -> None:
        with self.lock:
            first = self.error is None
            if first:
                self.error = error
        if first:
            self.net.cancel()


NET_TYPES.update(dict.fromkeys(DagNet.types, DagNet))
