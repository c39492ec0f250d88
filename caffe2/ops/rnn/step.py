"""The net of one time step: bound once, run for every step, its blobs remembered where a gradient will read them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet
from caffe2.ops.rnn.links import Link
from caffe2.proto.caffe2_pb2 import NetDef
from caffe2.runtime.blob import Blob, describe
from caffe2.runtime.workspace import Workspace


@dataclass
class StepBlobs:
    """What the blobs of each time step held: the last output of RecurrentNetwork."""

    names: tuple[str, ...] = ()
    steps: list[list[Any]] = field(default_factory=list)

    def named(self) -> Iterator[tuple[int, str, Any]]:
        """Every blob of every step: the step, the blob's name, its value."""
        for t, values in enumerate(self.steps):
            for name, value in zip(self.names, values):
                yield t, name, value


class StepNet:
    """A net run for one time step after another, in a workspace of its own within another.

    links: those whose blob the net writes are stored into the sequence, all others are read off it.
    local: blobs that are the step's own, whatever bears their name outside.
    """

    def __init__(
        self, net: NetDef, links: Sequence[Link], timestep: str, around: Workspace, local: Collection[str] = ()
    ) -> None:
        self.around, self.workspace, self.timestep = around, Workspace(around), timestep
        written = {name for op in net.op for name in op.output}
        first = read_first(net)
        into = [link for link in links if link.internal in first or link.internal not in written]
        out_of = [link for link in links if link.internal in written]
        for name in (timestep, *(link.internal for link in links), *local):
            self.workspace.local(name)
        self._parts = [
            (self.workspace.bind_net(part).run, [(link, self.workspace.require(link.internal)) for link in stored])
            for part, stored in _parts(net, into, out_of)
        ]
        self._into = [(link, self.workspace.require(link.internal)) for link in into]
        self.names = sorted(written | {timestep, *(link.internal for link in into)})

    def cells(self, names: Sequence[str]) -> list[Blob]:
        """The step's blobs of these names."""
        return [self.workspace.require(name) for name in names]

    def over(self, steps: int) -> Callable[[int], None]:
        """The function that runs step t, 0 <= t < steps, on the sequences that are there now."""
        rows: dict[str, Sequence[Tensor]] = {}
        into = [(cell, self._slices(link, steps, rows)) for link, cell in self._into]
        into.append((self.workspace.local(self.timestep), torch.arange(steps, dtype=torch.int32).view(-1, 1).unbind()))
        parts = [
            (run, [(cell, self._slices(link, steps, rows)) for link, cell in stored]) for run, stored in self._parts
        ]

        def run(t: int) -> None:
            for cell, slices in into:
                cell.value = slices[t]
            for part, stored in parts:
                part()
                for cell, slices in stored:
                    _store(cell, slices[t], t)

        return run

    def _slices(self, link: Link, steps: int, rows: dict[str, Sequence[Tensor]]) -> Sequence[Tensor]:
        return link.slices(self.around.require(link.external).value, steps, rows)


def read_first(net: NetDef) -> set[str]:
    """The blobs that a net reads before it writes them."""
    read, written = set(), set()
    for op in net.op:
        read |= set(op.input) - written
        written |= set(op.output)
    return read


def _parts(net: NetDef, into: Sequence[Link], out_of: Sequence[Link]) -> Iterator[tuple[NetDef, list[Link]]]:
    """The net cut where a sequence must have been written because the same step reads that row of it; with the links
    that are stored after each part."""
    due = {link.internal: link for link in out_of}
    last = {name: k for k, op in enumerate(net.op) for name in op.output if name in due}
    early = {last[o.internal] for o in out_of if any(o.overlaps(i) and o.internal != i.internal for i in into)}
    start = 0
    for end in sorted({k + 1 for k in early} | {len(net.op)}):
        part = NetDef()
        part.CopyFrom(net)
        del part.external_input[:], part.external_output[:], part.op[:]
        part.op.extend(net.op[start:end])
        yield part, [link for link in out_of if start <= last[link.internal] < end]
        start = end


def _store(cell: Blob, place: Tensor, t: int) -> None:
    """Put what a step made into its part of the sequence, and let the blob share its storage.

    Raises EnforceNotMet where there is room for another number of elements or another element type.
    """
    found = cell.value
    if found.shape == place.shape and found.dtype == place.dtype:
        cell.value = place.copy_(found)
    elif found.numel() == place.numel() and found.dtype == place.dtype:
        cell.value = place.view(found.shape).copy_(found)
    else:
        raise EnforceNotMet(
            f"step {t} of a recurrent network writes {describe(found)} as {cell.name},"
            f" where the sequence has room for {describe(place)}"
        )
