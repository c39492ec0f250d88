"""Recurrent nets: a net of one step run for each step of a sequence, and its gradient."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from caffe2.proto import caffe2_pb2
from caffe2.python import core, workspace
from caffe2.python._misuse import demand

Blob = core.BlobReference
Link = tuple[Any, Any, int]
"""A blob of the step net, the blob for all steps that it is part of, and how many steps after the present one."""


class _Step:
    """The net of one step, and how its blobs go with those of the whole."""

    def __init__(
        self,
        net: core.Net,
        inputs: Sequence[tuple[Any, Any]],
        initial: Sequence[tuple[Any, Any]],
        links: Mapping[Any, Any],
        timestep: Any,
        prefix: str,
    ) -> None:
        self.net = net
        self.prefix = prefix
        self.timestep = "timestep" if timestep is None else str(timestep)
        self.inputs = [(str(blob), str(sequence)) for blob, sequence in inputs]
        self.states = [(str(blob), links[str(blob)]) for blob, _ in initial]
        self.initial = [str(value) for _, value in initial]
        known = {*self.initial, *(blob for blob, _ in (*self.inputs, *self.states))}
        if timestep is not None:
            known.add(self.timestep)
        self.references = [core.BlobReference(b) for b in net.Proto().external_input if b not in known]
        self.all_inputs = [sequence for _, sequence in inputs] + [value for _, value in initial] + self.references

    def scoped(self, name: str) -> str:
        return f"{self.prefix}/{name}"

    def forward_links(self) -> list[Link]:
        of_states = [
            link
            for blob, following in self.states
            for link in ((blob, self.all_steps(blob), 0), (following, self.all_steps(blob), 1))
        ]
        return of_states + [(blob, sequence, 0) for blob, sequence in self.inputs]

    def all_steps(self, state: str) -> str:
        return self.scoped(state + "_states")

    def aliases(self) -> list[Link]:
        """The outputs, as parts of the states for all steps: all but the first value, and the last one."""
        return [
            (self.all_steps(blob), following + suffix, offset)
            for blob, following in self.states
            for suffix, offset in (("_all", 1), ("_last", -1))
        ]


class _Backward:
    """The net of one step of the gradient.

    recompute: blobs that it computes again rather than reading them.
    """

    def __init__(self, step: _Step, recompute: set[str]) -> None:
        self.step = step
        proto = step.net.Proto()
        gradients = {blob: blob + "_grad" for blob in proto.external_output}
        ops, mapping = core.GradientRegistry.GetBackwardPass(proto.op, gradients)
        self.mapping = {str(blob): gradient for blob, gradient in mapping.items()}
        self.net = core.Net("RecurrentBackwardStep")
        self.net.Proto().op.extend(self._recomputed(recompute))
        self.net.Proto().op.extend(ops)
        ssa, self.versions = core.get_ssa(self.net.Proto())
        self.net.Proto().external_input.extend(self._scratches(core.get_undefined_blobs(ssa)))
        self.net.Proto().type = "simple"
        self.links = self._links()
        for blobs in (proto.external_input, proto.external_output):
            self.net.Proto().external_input.extend(blobs)
        self._accumulate()

    def _recomputed(self, recompute: set[str]) -> list[caffe2_pb2.OperatorDef]:
        ops = [op for op in self.step.net.Proto().op if not recompute.isdisjoint(op.output)]
        for op in ops:
            other = set(op.output) - recompute
            demand(not other, f"{op.type} is computed again for some outputs, but not for {sorted(other)}")
        return ops

    def _scratches(self, undefined: Iterable[str]) -> list[str]:
        """Blobs within a step that the gradient reads."""
        proto, wanted = self.step.net.Proto(), set(undefined)
        _, versions = core.get_ssa(proto)
        outputs = set(proto.external_output)
        return [blob for blob, n in versions.items() if n > 0 and blob in wanted and blob not in outputs]

    def _links(self) -> list[Link]:
        links: list[Link] = []
        for blob, following in self.step.states:
            gradients = self.step.all_steps(blob) + "_grad"
            links.append((following + "_grad", gradients, 1))
            self.net.Proto().external_input.append(str(following) + "_grad")
            # Where the step net hands a gradient through, it has the name of another.
            own = f"{blob}_grad"
            links.append((own if self.versions.get(own) else self.mapping[blob], gradients, 0))
        return links + [(self.mapping[blob], f"{sequence}_grad", 0) for blob, sequence in self.step.inputs]

    def _accumulate(self) -> None:
        """Add to the gradients that come from the next step, in place of writing over them."""
        proto = self.net.Proto()
        ops = list(proto.op)
        copies = [caffe2_pb2.OperatorDef() for _ in ops]
        for copy, op in zip(copies, ops):
            copy.CopyFrom(op)
        del proto.op[:]
        for op in copies:
            proto.op.append(op)
            for i, blob in enumerate(op.output):
                if blob in proto.external_input and blob not in op.input:
                    total = core.BlobReference(blob)
                    proto.op[-1].output[i] = str(total + "_accum")
                    self.net.Sum([total, total + "_accum"], [total])

    def arguments(self, outputs_with_grads: Sequence[int], recompute: Iterable[str]) -> dict[str, Any]:
        params = [blob for blob in self.step.references if str(blob) in self.mapping]
        internal, external, offset = _columns(self.links)
        arguments = {
            "param": [self.step.all_inputs.index(param) for param in params],
            "backward_link_internal": list(map(str, internal)),
            "backward_link_external": list(map(str, external)),
            "backward_link_offset": offset,
            "outputs_with_grads": outputs_with_grads,
            "recompute_blobs_on_backward": list(recompute),
            "param_grads": [str(self.mapping[str(param)]) for param in params],
        }
        if len(self.net.Proto().op):
            arguments["backward_step_net"] = self.net.Proto()
        return arguments


def _columns(links: Sequence[Link]) -> Sequence[Sequence[Any]]:
    return list(zip(*links)) if links else ([], [], [])


def recurrent_net(
    net: core.Net,
    cell_net: core.Net,
    inputs: Sequence[tuple[Any, Any]],
    initial_cell_inputs: Sequence[tuple[Any, Any]],
    links: Mapping[Any, Any],
    timestep: Any = None,
    scope: str | None = None,
    outputs_with_grads: Sequence[int] = (0,),
    recompute_blobs_on_backward: Iterable[Any] | None = None,
    forward_only: bool = False,
) -> tuple[Blob, ...]:
    """Append to `net` the operator that runs `cell_net` for each step of a sequence.

    inputs: one pair of a blob of cell_net and the sequence, of shape (T, ...), that it goes through.
    initial_cell_inputs: pairs of a state's blob in cell_net and its value before the first step.
    links: the blob that holds a state's next value, by the state's blob.
    timestep: the blob of cell_net that counts the steps.
    scope: put before the names of the states' blobs; by default the operator's name.
    outputs_with_grads: the positions of the results that gradients come from.
    recompute_blobs_on_backward: blobs that the gradient computes again rather than keeping them.
    forward_only: there is no gradient.
    Returns, for each state, its values after each step and after the last: NEXT_all, NEXT_last, NEXT naming its next
    value's blob.
    """
    demand(len(inputs) == 1, f"Only one input blob is supported so far, not {len(inputs)}")
    name = net.NextName("recurrent")
    step = _Step(cell_net, inputs, initial_cell_inputs, links, timestep, str(name if scope is None else scope))
    recompute = {str(blob) for blob in recompute_blobs_on_backward or ()}
    backward = {} if forward_only else _Backward(step, recompute).arguments(outputs_with_grads, recompute)
    cell_net.Proto().type = "simple"
    internal, external, offset = _columns(step.forward_links())
    source, outputs, part = _columns(step.aliases())
    results = net.RecurrentNetwork(
        step.all_inputs,
        [*outputs, step.scoped("step_workspaces")],
        alias_src=source,
        alias_dst=list(map(str, outputs)),
        alias_offset=part,
        recurrent_states=[step.all_steps(blob) for blob, _ in step.states],
        initial_recurrent_state_ids=[step.all_inputs.index(value) for value in step.initial],
        link_internal=list(map(str, internal)),
        link_external=list(map(str, external)),
        link_offset=offset,
        enable_rnn_executor=1,
        step_net=cell_net.Proto(),
        timestep=step.timestep,
        **backward,
    )
    return results[:-1]


def set_rnn_executor_config(
    rnn_op: caffe2_pb2.OperatorDef, num_threads: int | None = None, max_cuda_streams: int | None = None
) -> None:
    """Say how many threads, or streams of a GPU, run the steps of a recurrent operator."""
    demand(rnn_op.type in ("RecurrentNetwork", "RecurrentNetworkGradient"), f"{rnn_op.type} is no recurrent operator")
    for name, value in (("num_threads", num_threads), ("max_cuda_streams", max_cuda_streams)):
        if value is not None:
            rnn_op.arg.add(name=f"rnn_executor.{name}", i=value)


def retrieve_step_blobs(net: core.Net, prefix: str = "rnn") -> list[Any]:
    """The names of the blobs of all steps of a net's recurrent operators, which are copied to the workspace.

    The names begin with the prefix, and end with the number of the step.
    """
    names: list[Any] = []
    recurrent = (op for op in net.Proto().op if op.type == "RecurrentNetwork")
    for i, op in enumerate(recurrent, 1):
        fetch = core.CreateOperator("RecurrentNetworkBlobFetcher", [op.output[-1]], [f"{prefix}_{i}"], prefix=prefix)
        workspace.RunOperatorOnce(fetch)
        names += workspace.FetchBlob(f"{prefix}_{i}").tolist()
    return names
