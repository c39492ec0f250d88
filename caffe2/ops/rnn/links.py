"""Links: how blobs of one time step stand for slices of sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from caffe2.opdef import NONE, UNKNOWN, EnforceNotMet, op
from caffe2.proto.caffe2_pb2 import NetDef
from caffe2.runtime.workspace import Workspace


@dataclass(frozen=True)
class Link:
    """Within step t the blob `internal` is external[t + offset : t + offset + window]."""

    internal: str
    external: str
    offset: int
    window: int = 1

    def slice(self, workspace: Workspace, t: int) -> Tensor:
        """The part of the sequence that step t sees, [window, ...], sharing its storage."""
        whole = workspace.require(self.external).value
        if not isinstance(whole, Tensor) or t + self.offset + self.window > len(whole):
            held = list(whole.shape) if isinstance(whole, Tensor) else "nothing"
            raise EnforceNotMet(f"step {t} of a recurrent network looks beyond {self.external}, which holds {held}")
        return whole.narrow(0, t + self.offset, self.window)


def make_links(
    internal: Sequence[str], external: Sequence[str], offset: Sequence[int], window: Sequence[int] = ()
) -> list[Link]:
    """Links from the arguments of an operator. Raises EnforceNotMet where their lengths differ."""
    window = window or [1] * len(offset)
    if not len(internal) == len(external) == len(offset) == len(window):
        raise EnforceNotMet(f"links do not pair up: {internal}, {external}, {offset}, {window}")
    return [Link(*link) for link in zip(internal, external, offset, window)]


class Stepper:
    """Runs a step net again and again, with the links into and out of it."""

    def __init__(self, net: NetDef, links: Sequence[Link], timestep: str) -> None:
        self.net, self.timestep = net, timestep
        written = {name for o in net.op for name in o.output}
        read_first: set[str] = set()
        seen: set[str] = set()
        for o in net.op:
            read_first |= set(o.input) - seen
            seen |= set(o.output)
        self.into = [k for k in links if k.internal in read_first or k.internal not in written]
        self.out_of = [k for k in links if k.internal in written]
        del self.net.external_input[:]

    def run(self, shared: Workspace, step: Workspace, t: int) -> None:
        """Run step t on the workspace `step`, a descendant of `shared`, where the sequences are."""
        for link in self.into:
            step.local(link.internal).value = link.slice(shared, t)
        for link in self.out_of:
            step.local(link.internal)
        if self.net.name not in step.net_names():
            step.local(self.timestep).value = torch.tensor([t], dtype=torch.int32)
            step.create_net(self.net)
        step.run_net(self.net.name)
        for link in self.out_of:
            place = link.slice(shared, t)
            found = step.require(link.internal).value
            if found.numel() != place.numel():
                raise EnforceNotMet(
                    f"step {t} of a recurrent network writes {list(found.shape)} as {link.internal}"
                    f" where {link.external} has room for {list(place.shape)}"
                )
            place.copy_(found.reshape(place.shape))


@op(
    "rnn_internal_apply_link: timestep external -> internal external",
    inplace="external => external",
    gradient=NONE,
    shape=UNKNOWN,
    shares=True,
    host="timestep",
)
def apply_link(timestep: Tensor, external: Tensor, *, offset: int = -1, window: int = -1) -> tuple[Tensor, Tensor]:
    """internal = external[t + offset : t + offset + window], sharing its storage; t is the one element of timestep."""
    if offset < 0 or window < 0:
        raise EnforceNotMet(f"rnn_internal_apply_link: offset {offset} and window {window} must be given")
    return external.narrow(0, int(timestep) + offset, window), external


@op(
    "rnn_internal_accumulate_gradient_input: timestep external gradient -> +gradients",
    inplace="gradient => gradients",
    gradient=NONE,
    mutates=True,
    host="timestep",
    like="gradient",
)
def accumulate(timestep: Tensor, external: Tensor, gradient: Tensor, *, offset: int = -1) -> tuple[Tensor]:
    """gradient[t + offset] += external[t]; t is the one element of timestep."""
    t = int(timestep)
    if offset < 0 or t + offset >= len(gradient) or t >= len(external):
        raise EnforceNotMet(f"rnn_internal_accumulate_gradient_input: no step {t} with offset {offset}")
    gradient[t + offset] += external[t]
    return (gradient,)
