"""RecurrentNetwork: a step net run once for every time step of a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from caffe2.opdef import NONE, UNKNOWN, EnforceNotMet, Gradient, Op, Site, gradient, op
from caffe2.ops.rnn.links import Link, make_links
from caffe2.ops.rnn.step import StepBlobs, StepNet
from caffe2.proto.caffe2_pb2 import NetDef
from caffe2.runtime.blob import describe


class Recurrence(Op):
    """The arguments that forward and backward share.

    recurrent_states: names of blobs (T + k, N, S) that the operator makes, one for each state: the first k rows are the
        initial state, row t + k the state after step t.
    initial_recurrent_state_ids: for each state which input is its initial value: (S) for all of a batch, (N, S) or (k,
        N, S).
    link_internal, link_external, link_offset, link_window: within step t the blob link_internal is link_external[t +
        link_offset : t + link_offset + link_window], sharing its storage, for each of these lists' places; the window
        is 1 unless given.
    alias_src, alias_dst, alias_offset: the blob alias_dst is alias_src[alias_offset:], sharing its storage, for each of
        these lists' places; a negative offset counts from the end.
    backward_step_net: the net of a step of the gradient; where there is none, the blobs of past steps are not kept.
    timestep: the name of the blob that holds t within a step.
    enable_rnn_executor: accepted and ignored, like rnn_executor.*: the steps run in order.
    """

    recurrent_states: tuple[str, ...] = ()
    initial_recurrent_state_ids: tuple[int, ...] = ()
    link_internal: tuple[str, ...] = ()
    link_external: tuple[str, ...] = ()
    link_offset: tuple[int, ...] = ()
    link_window: tuple[int, ...] = ()
    alias_src: tuple[str, ...] = ()
    alias_dst: tuple[str, ...] = ()
    alias_offset: tuple[int, ...] = ()
    backward_step_net: NetDef | None = None
    timestep: str = "timestep"
    enable_rnn_executor: bool = False

    def links(self) -> list[Link]:
        return make_links(self.link_internal, self.link_external, self.link_offset, self.link_window)


def in_order(net: NetDef) -> NetDef:
    """A copy of a step net that runs its operators one after another, whatever the type says of steps side by side."""
    copy = NetDef()
    copy.CopyFrom(net)
    copy.type = "simple" if net.type in ("rnn", "dag", "") else net.type
    return copy


@op(
    "RecurrentNetwork: input *others -> +outputs",
    inplace=None,
    stores=False,
    empty=True,
    shares=True,
    shape=UNKNOWN,
)
class RecurrentNetwork(Recurrence):
    """Runs step_net for t = 0 .. T - 1 over sequences; states carry over from step to step.

    input: (T, N, D), whose first two sizes say how many steps and how large a batch.
    others: whatever the steps read.
    outputs: the blobs alias_dst, parts of the states; the last output holds what the blobs of the steps held.
    step_net: the net of a step.
    recompute_blobs_on_backward: blobs of the steps that are not kept for the gradient, which computes them again.
    """

    step_net: NetDef
    recompute_blobs_on_backward: tuple[str, ...] = ()

    def bind(self, site: Site) -> None:
        ids, count = self.initial_recurrent_state_ids, len(site.inputs)
        if len(self.recurrent_states) != len(ids) or not all(0 <= k < count for k in ids):
            raise EnforceNotMet(
                f"each of the states {' '.join(self.recurrent_states)} begins as one of {count} inputs, not as {ids}"
            )
        if not len(self.alias_src) == len(self.alias_dst) == len(self.alias_offset):
            raise EnforceNotMet(f"aliases do not pair up: {self.alias_src}, {self.alias_dst}, {self.alias_offset}")
        self.site, workspace = site, site.workspace
        self.states = [(workspace.cell(s), k) for s, k in zip(self.recurrent_states, self.initial_recurrent_state_ids)]
        for name in self.alias_dst:
            workspace.cell(name)
        self.keep = self.backward_step_net is not None and bool(self.backward_step_net.op)
        self.scratch = workspace.cell(site.outputs[-1])
        self.step: StepNet | None = None

    def __call__(self, *inputs: Any) -> None:
        if not isinstance(inputs[0], Tensor) or inputs[0].dim() < 2:
            raise EnforceNotMet(f"{self.site.inputs[0]} is [T, N, ...], got {describe(inputs[0])}")
        steps, batch = inputs[0].shape[:2]
        for cell, k in self.states:
            cell.value = initial(inputs[k], steps, batch, self.site.inputs[k])
        workspace = self.site.workspace
        if self.step is None:
            self.step = StepNet(in_order(self.step_net), self.links(), self.timestep, workspace)
        self.scratch.value = self._run(self.step, steps)
        for source, target, offset in zip(self.alias_src, self.alias_dst, self.alias_offset):
            workspace.cell(target).value = workspace.require(source).value[offset:]

    def _run(self, step: StepNet, steps: int) -> StepBlobs:
        names = tuple(n for n in step.names if n not in self.recompute_blobs_on_backward)
        cells, blobs, run = step.cells(names), StepBlobs(names), step.over(steps)
        for t in range(steps):
            run(t)
            if self.keep or t == steps - 1:
                blobs.steps.append([cell.value for cell in cells])
        return blobs


def initial(given: Tensor, steps: int, batch: int, name: str) -> Tensor:
    """A state [T + k, N, S] whose first k rows are the initial one given: [S], [N, S] or [k, N, S]."""
    if not 1 <= given.dim() <= 3 or (given.dim() > 1 and given.shape[-2] != batch):
        raise EnforceNotMet(
            f"the initial state {name} is [S], [N, S] or [k, N, S] with N = {batch}, got {[*given.shape]}"
        )
    rows = len(given) if given.dim() == 3 else 1
    state = given.new_zeros(steps + rows, batch, given.shape[-1])
    state[:rows] = given
    return state


@gradient("RecurrentNetwork")
def _(g: Gradient) -> None:
    """Every input and output goes in again, behind the gradients; the sequence, parameters and states get one."""
    args = g.args
    back = args["outputs_with_grads"].ints if "outputs_with_grads" in args else ()
    if not back:
        raise EnforceNotMet(
            "RecurrentNetwork: outputs_with_grads says of which outputs a gradient is known; it is missing"
        )
    op_, inputs = g.forward, g.forward.input
    chosen = [0, *(args["param"].ints if "param" in args else ()), *args["initial_recurrent_state_ids"].ints]
    if not all(0 <= k < len(inputs) for k in chosen) or not all(0 <= k < len(g.g_output) for k in back):
        raise EnforceNotMet(
            f"gradients of the inputs {chosen} of {len(inputs)}, from the outputs {[*back]} of {len(op_.output)}"
        )
    given = [g.g_output[k] for k in back]
    g.add("RecurrentNetworkGradient", [*given, *inputs, *op_.output], [f"{inputs[k]}_grad" for k in chosen])
    for k in chosen:
        g.g_input[k] = f"{inputs[k]}_grad"


@op("RecurrentNetworkBlobFetcher: workspaces -> blob_names", inplace=None, gradient=NONE, shape=UNKNOWN)
class BlobFetcher(Op):
    """Copies the blobs of every step t of a RecurrentNetwork into the workspace as PREFIX_NAMEt.

    workspaces: the last output of RecurrentNetwork.
    blob_names: the names of the copies, strings.
    prefix: PREFIX.
    """

    prefix: str = "rnn"

    def bind(self, site: Site) -> None:
        self.workspace = site.workspace

    def __call__(self, blobs: StepBlobs) -> np.ndarray:
        names = []
        for t, name, value in blobs.named():
            if isinstance(value, Tensor):
                names.append(f"{self.prefix}_{name}{t}")
                self.workspace.cell(names[-1]).value = value.clone()
        return np.array([n.encode() for n in names], dtype=object)
