"""The gradient of RecurrentNetwork: a step net of gradients, run from the last time step to the first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor

from caffe2.opdef import NONE, UNKNOWN, EnforceNotMet, Site, op
from caffe2.ops.rnn.links import Link, make_links
from caffe2.ops.rnn.recurrent import Recurrence, in_order
from caffe2.ops.rnn.step import StepBlobs, StepNet, read_first
from caffe2.ops.rnn.weights import Joined, Summed, take_out
from caffe2.proto.caffe2_pb2 import NetDef
from caffe2.runtime.blob import describe
from caffe2.runtime.workspace import Workspace


@op(
    "RecurrentNetworkGradient: *inputs -> *outputs",
    inplace=None,
    stores=False,
    empty=True,
    shape=UNKNOWN,
    gradient=NONE,
)
class RecurrentNetworkGradient(Recurrence):
    """Runs backward_step_net for t = T - 1 .. 0 on the blobs that RecurrentNetwork left behind.

    An argument "NAME.rename" gives a blob of the step another name.

    inputs: the gradients of the outputs at outputs_with_grads, then the forward operator's inputs, then its outputs.
    outputs: the gradients of the input sequence, of the parameters (the inputs at `param`), and of the initial states.
    outputs_with_grads: which outputs of the forward operator have gradients.
    param: which inputs of the forward operator are parameters.
    param_grads: the blobs, within a step, that hold the parameters' gradients, where they have names of their own.
    backward_link_internal, backward_link_external, backward_link_offset: links of the gradients, as link_internal and
        so on are of RecurrentNetwork.
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
        self.net = in_order(self.backward_step_net)
        self.steps_of = [f"{name}_tmpstep" for name in sums]
        rename(self.net, dict(zip(sums, self.steps_of)))
        self.step: StepNet | None = None
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

    def _bound(self, names: Collection[str]) -> StepNet:
        """The step of the gradient, where blobs of these names are given for every step."""
        if self.step is None or self.given != names:
            self.given, net = names, NetDef()
            net.CopyFrom(self.net)
            links = [
                Link(self.renamed(k.internal), self.renamed(k.external), k.offset)
                for k in make_links(self.backward_link_internal, self.backward_link_external, self.backward_link_offset)
            ]
            self.late = take_out(net, self.steps_of, {*names, *(link.internal for link in links)})
            self.wanted = [k for k, name in enumerate(names) if name in read_first(self.net)]
            wanted = [names[k] for k in self.wanted]
            self.step = StepNet(net, links, self.timestep, self.site.workspace, wanted)
            self.restored = self.step.cells(wanted)
        return self.step

    def __call__(self, *inputs: Any) -> None:
        blobs, workspace = inputs[-1], self.site.workspace
        sequence = inputs[len(self.outputs_with_grads)]
        steps = len(sequence)
        if not isinstance(blobs, StepBlobs) or len(blobs.steps) != steps:
            raise EnforceNotMet(f"the {steps} steps of the forward pass are not there; run RecurrentNetwork first")
        self.input_gradient.value = torch.zeros_like(sequence)
        for state, name, _, last in self.flows:
            workspace.cell(name).value = self._incoming(workspace, state, last)
        totals = self._run(self._bound(blobs.names), blobs)
        for (_, name), total in zip(self.params, totals):
            workspace.cell(name).value = total
        self._initial_states(workspace, inputs)

    def _run(self, step: StepNet, blobs: StepBlobs) -> list[Tensor]:
        """Run all steps; the gradients of the parameters."""
        workspace, steps = self.site.workspace, len(blobs.steps)
        if not steps:
            return [torch.zeros_like(workspace.require(name).value) for name, _ in self.params]
        run = step.over(steps)
        outside = [self._outside(total, given) for _, total, given, _ in self.flows if given]
        gradients = self._gradients(step)
        for t in reversed(range(steps)):
            for total, given in outside:
                total[t].add_(given[t])
            values = blobs.steps[t]
            for cell, k in zip(self.restored, self.wanted):
                cell.value = values[k]
            run(t)
            for gradient in gradients:
                gradient.take()
        known = {name: total for gradient in gradients for name, total in gradient.result().items()}
        return [known[name] for name in self.steps_of]

    def _outside(self, total: str, given: str) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        """The gradient of a state after each step, and what is given to be added to it."""
        after, more = (self.site.workspace.require(name).value for name in (total, given))
        if after[1:].shape != more.shape:
            raise EnforceNotMet(f"{given} is {describe(more)}, and the state after each step {describe(after[1:])}")
        return after[1:].unbind(), more.unbind()

    def _gradients(self, step: StepNet) -> list[Summed | Joined]:
        """How the gradients of the parameters come of those of the steps."""
        around, within = self.site.workspace, step.workspace
        late = {name for layer in self.late for name in layer.outputs}
        summed: list[Summed | Joined] = [
            Summed(within.require(name), around.require(param).value)
            for name, (param, _) in zip(self.steps_of, self.params)
            if name not in late
        ]
        return summed + [
            Joined(layer, within.require(layer.x), within.require(layer.dy), around.require(layer.weight).value)
            for layer in self.late
        ]

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
