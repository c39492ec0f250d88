"""RecurrentNetwork: a step net run once for every time step of a sequence, and its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import NONE, UNKNOWN, EnforceNotMet, Gradient, Op, Site, gradient, op
from caffe2.ops.rnn.links import Link, Stepper, make_links
from caffe2.proto.caffe2_pb2 import NetDef
from caffe2.runtime.workspace import Workspace


class StepWorkspaces:
    """The workspaces of the time steps: one a step where a gradient will follow, else two in turn."""

    def __init__(self) -> None:
        self.shared: Workspace | None = None
        self.steps: list[Workspace] = []

    def at(self, parent: Workspace, k: int) -> Workspace:
        """The k-th workspace, made where there is none; all see one that is shared, and it sees `parent`."""
        if self.shared is None:
            self.shared = Workspace(parent)
        while len(self.steps) <= k:
            self.steps.append(Workspace(self.shared))
        return self.steps[k]


class Recurrence(Op):
    """The arguments that forward and backward share."""

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


@op(
    "RecurrentNetwork: input *others -> +outputs",
    inplace=None,
    stores=False,
    empty=True,
    shares=True,
    shape=UNKNOWN,
)
class RecurrentNetwork(Recurrence):
    """Runs step_net for t = 0 .. T-1 over sequences; states carry over from step to step.

    input: [T, N, D], whose first two sizes say how many steps and how large a batch. others: whatever the steps read.
    outputs: parts of the states as the aliases say; the last output holds the workspaces of the steps.
    recurrent_states: blobs [T + k, N, S] that the operator makes; their first k rows are the initial states, the inputs
        at initial_recurrent_state_ids: [S] for all of a batch, [N, S], or [k, N, S].
    link_*: within step t the blob link_internal is link_external[t + link_offset :][:link_window].
    alias_*: alias_dst is alias_src[alias_offset:], sharing its storage; a negative offset counts from the end.
    backward_step_net: the step of the gradient; where there is none, the blobs of past steps are not kept.
    recompute_blobs_on_backward: blobs of the steps that all steps share.
    """

    step_net: NetDef
    recompute_blobs_on_backward: tuple[str, ...] = ()

    def bind(self, site: Site) -> None:
        if len(self.recurrent_states) != len(self.initial_recurrent_state_ids):
            raise EnforceNotMet(f"every one of {self.recurrent_states} needs one initial_recurrent_state_ids")
        self.site, workspace = site, site.workspace
        self.states = [(workspace.cell(s), k) for s, k in zip(self.recurrent_states, self.initial_recurrent_state_ids)]
        for name in self.alias_dst:
            workspace.cell(name)
        net = NetDef()
        net.CopyFrom(self.step_net)
        net.type = "simple" if net.type in ("rnn", "dag", "") else net.type
        self.stepper = Stepper(net, self.links(), self.timestep)
        self.keep = self.backward_step_net is not None and bool(self.backward_step_net.op)
        self.scratch = workspace.cell(site.outputs[-1])

    def __call__(self, *inputs: Any) -> None:
        steps, batch = inputs[0].shape[:2]
        for cell, k in self.states:
            cell.value = initial(inputs[k], steps, batch, self.site.inputs[k])
        if not isinstance(self.scratch.value, StepWorkspaces):
            self.scratch.value = StepWorkspaces()
        spaces, workspace = self.scratch.value, self.site.workspace
        spaces.at(workspace, 0)
        for name in self.recompute_blobs_on_backward:
            spaces.shared.cell(name)
        for t in range(steps):
            step = spaces.at(workspace, t if self.keep else t % 2)
            if not self.keep:
                step.local(self.timestep).value = torch.tensor([t], dtype=torch.int32)
            self.stepper.run(workspace, step, t)
        for source, target, offset in zip(self.alias_src, self.alias_dst, self.alias_offset):
            whole = workspace.require(source).value
            workspace.cell(target).value = whole[offset:]


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
    given = [g.g_output[k] for k in back]
    g.add("RecurrentNetworkGradient", [*given, *inputs, *op_.output], [f"{inputs[k]}_grad" for k in chosen])
    for k in chosen:
        g.g_input[k] = f"{inputs[k]}_grad"


@op(
    "RecurrentNetworkGradient: *inputs -> *outputs",
    inplace=None,
    stores=False,
    empty=True,
    shape=UNKNOWN,
    gradient=NONE,
)
class RecurrentNetworkGradient(Recurrence):
    """Runs backward_step_net for t = T-1 .. 0 in the workspaces that RecurrentNetwork left behind.

    inputs: the gradients of the outputs at outputs_with_grads, then the forward operator's inputs, then its outputs.
    outputs: the gradients of the input sequence, of the parameters (the inputs at `param`), and of the initial states.
    backward_link_*: links of the gradients, as link_* of RecurrentNetwork.
    param_grads: the blobs, within a step, that hold the parameters' gradients, where they have names of their own.
    An argument "NAME.rename" gives a blob of the step another name.
    """

    backward_step_net: NetDef
    outputs_with_grads: tuple[int, ...] = ()
    param: tuple[int, ...] = ()
    param_grads: tuple[str, ...] = ()
    backward_link_internal: tuple[str, ...] = ()
    backward_link_external: tuple[str, ...] = ()
    backward_link_offset: tuple[int, ...] = ()

    def bind(self, site: Site) -> None:
        self.site, known = site, len(self.outputs_with_grads)
        self._renames = {a.name[: -len(".rename")]: a.s.decode() for a in site.op.arg if a.name.endswith(".rename")}
        self.forward_inputs = site.inputs[known:]
        sums = [self.renamed(n) for n in self.param_grads] or list(site.outputs[1 : 1 + len(self.param)])
        self.params = [(self.forward_inputs[k], total) for k, total in zip(self.param, site.outputs[1:])]
        net = NetDef()
        net.CopyFrom(self.backward_step_net)
        net.type = "simple" if net.type in ("rnn", "dag", "") else net.type
        self.steps_of = [f"{name}_tmpstep" for name in sums]
        rename(net, dict(zip(sums, self.steps_of)))
        links = [
            *self.links(),
            *make_links(self.backward_link_internal, self.backward_link_external, self.backward_link_offset),
        ]
        links = [Link(self.renamed(k.internal), self.renamed(k.external), k.offset, k.window) for k in links]
        self.stepper = Stepper(net, links, self.timestep)
        self.flows = self._flows()
        for state, total, _, _ in self.flows:
            site.workspace.require(state)
            site.workspace.cell(total)
        self.input_gradient = site.workspace.cell(self.renamed(f"{self.forward_inputs[0]}_grad"))

    def renamed(self, name: str) -> str:
        return self._renames.get(name, name)

    def _flows(self) -> list[tuple[str, str, str, str]]:
        """For each state: its blob, its gradient's, and the gradients from outside: of every step, of the last one."""
        flows = []
        for state in self.recurrent_states:
            every, last = "", ""
            for j, source in enumerate(self.alias_src):
                if source == state and j in self.outputs_with_grads:
                    given = self.site.inputs[self.outputs_with_grads.index(j)]
                    if self.alias_offset[j] not in (1, -1):
                        raise EnforceNotMet(
                            f"no gradient through an alias of {state} with offset {self.alias_offset[j]}"
                        )
                    every, last = (given, last) if self.alias_offset[j] == 1 else (every, given)
            flows.append((state, self.renamed(f"{state}_grad"), every, last))
        return flows

    def __call__(self, *inputs: Any) -> None:
        spaces, workspace = inputs[-1], self.site.workspace
        sequence = inputs[len(self.outputs_with_grads)]
        steps = len(sequence)
        if not isinstance(spaces, StepWorkspaces) or len(spaces.steps) < steps:
            raise EnforceNotMet(f"the {steps} steps of the forward pass are not there; run RecurrentNetwork first")
        self.input_gradient.value = torch.zeros_like(sequence)
        totals = [torch.zeros_like(workspace.require(name).value) for name, _ in self.params]
        for state, name, _, last in self.flows:
            workspace.cell(name).value = self._incoming(workspace, state, last)
        outside = [(workspace.require(n).value, workspace.require(e).value) for _, n, e, _ in self.flows if e]
        for t in reversed(range(steps)):
            step = spaces.steps[t]
            for total, given in outside:
                total[t + 1] += given[t]
            self.stepper.run(workspace, step, t)
            for total, name in zip(totals, self.steps_of):
                total.add_(step.require(name).value)
        for (_, name), total in zip(self.params, totals):
            workspace.cell(name).value = total
        self._initial_states(workspace, inputs)

    def _incoming(self, workspace: Workspace, state: str, last: str) -> Tensor:
        """The gradient that a state has before the first step back: that of its last row."""
        grad = torch.zeros_like(workspace.require(state).value)
        if last:
            grad[-1] += workspace.require(last).value.reshape(grad.shape[1:])
        return grad

    def _initial_states(self, workspace: Workspace, inputs: tuple) -> None:
        outputs = self.site.outputs[1 + len(self.params) :]
        for name, (_, total, _, _), k in zip(outputs, self.flows, self.initial_recurrent_state_ids):
            given, grad = inputs[k + len(self.outputs_with_grads)], workspace.require(total).value
            rows = len(given) if given.dim() == 3 else 1
            first = grad[:rows] if given.dim() == 3 else grad[0] if given.dim() == 2 else grad[0].sum(0)
            workspace.cell(name).value = first.clone()


def rename(net: NetDef, names: dict[str, str]) -> None:
    """Give blobs of a net other names."""
    for o in net.op:
        for side in (o.input, o.output):
            side[:] = [names.get(n, n) for n in side]


@op("RecurrentNetworkBlobFetcher: workspaces -> blob_names", inplace=None, gradient=NONE, shape=UNKNOWN)
class BlobFetcher(Op):
    """Copies the blobs of every step t of a RecurrentNetwork into the workspace as PREFIX_NAMEt; answers the names."""

    prefix: str = "rnn"

    def bind(self, site: Site) -> None:
        self.workspace = site.workspace

    def __call__(self, spaces: StepWorkspaces) -> np.ndarray:
        names = []
        for t, step in enumerate(spaces.steps):
            for name in step.local_names():
                held = step.require(name).value
                if isinstance(held, Tensor):
                    names.append(f"{self.prefix}_{name}{t}")
                    self.workspace.cell(names[-1]).value = held.clone()
        return np.array([n.encode() for n in names], dtype=object)
