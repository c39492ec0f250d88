"""The backward pass: operators are played forwards to number the versions of blobs, then backwards for gradients."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from caffe2.proto import caffe2_pb2
from caffe2.python._core import gradient_sums
from caffe2.python._core.blob_reference import BlobReference, GradientSlice
from caffe2.python._core.create import CreateOperator
from caffe2.python._core.gradient_rules import gradient_of
from caffe2.python._core.gradient_sums import GradGenMeta, SparseGradGenMeta, make_sum, need_sum

Operator = caffe2_pb2.OperatorDef


class OpSSA(NamedTuple):
    """An operator with the version of every blob that it reads and writes."""

    op: Operator
    in_versions: dict[str, int]
    out_versions: dict[str, int]


def GetIndexFromGradientList(g_list: Sequence[Any], name: str) -> int | None:
    """The position of the gradient that is the blob `name`, or has it for indices or values; None without one."""
    for i, g in enumerate(g_list):
        if g == name or (isinstance(g, GradientSlice) and name in (g.indices, g.values)):
            return i
    return None


class IR:
    """What the gradient computation knows of the forward operators.

    ssa: the operators with the versions of their blobs.
    input_usages[blob][version]: indices of the operators that read it.
    frontier[blob]: the version after all operators ran; an older one is overwritten and out of a gradient's reach.
    gradient_frontier[blob]: the version that the gradient at hand belongs to.
    gradient_generators[blob][version]: where the parts of its gradient come from.
    """

    AUTOGEN_GRAD_SUFFIX = "_autogen_grad"
    IS_AUTO_GEN_SUM_OPS_TAG = gradient_sums.IS_AUTO_GEN_SUM_OPS_TAG
    ONLY_KEEP_IS_AUTO_GEN_SUM_OPS_TAG = gradient_sums.ONLY_KEEP_IS_AUTO_GEN_SUM_OPS_TAG

    def __init__(self, operators: Iterable[Operator]) -> None:
        self.ssa: list[OpSSA] = []
        self.input_usages: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        self.frontier: dict[str, int] = defaultdict(int)
        self.gradient_frontier: dict[str, int] = {}
        self.gradient_generators: dict[str, dict[int, list[Any]]] = defaultdict(lambda: defaultdict(list))
        self.in_version_history: dict[str, list[tuple[Operator, int]]] = defaultdict(list)
        self.out_version_history: dict[str, list[tuple[Operator, int]]] = defaultdict(list)
        operators = list(operators)
        for op in operators:
            self.Play(op)
        self.SanityCheck(operators)

    def SanityCheck(self, operators: Iterable[Operator]) -> None:
        """Raise ValueError for a StopGradient whose output nothing reads: it stops nothing."""
        for op in operators:
            if op.type == "StopGradient" and op.output[0] not in self.input_usages:
                raise ValueError(
                    f"StopGradient's output '{op.output[0]}' is orphan: nothing reads it, so no gradient is stopped;"
                    f" usually its input and output are the same blob. Op:\n\n{op}"
                )

    def Play(self, op: Operator) -> None:
        """Note what `op` reads, and that it makes a new version of what it writes."""
        in_versions = {}
        for blob in op.input:
            version = in_versions[blob] = self.frontier[blob]
            self.input_usages[blob][version].append(len(self.ssa))
            self.in_version_history[blob].append((op, version))
        out_versions = {}
        for blob in op.output:
            if blob in self.frontier:
                self.frontier[blob] += 1
            version = out_versions[blob] = self.frontier[blob]
            self.out_version_history[blob].append((op, version))
        self.ssa.append(OpSSA(op, in_versions, out_versions))

    def CheckGradientOperatorInput(
        self, grad_op_input: str, g_output: Sequence[Any], fwd_op_idx: int, locally_generated_blobs: Collection[str]
    ) -> None:
        """Raise RuntimeError where a gradient operator would read a blob that is overwritten by then, or not there."""
        op, in_versions, out_versions = self.ssa[fwd_op_idx]
        name = grad_op_input
        index = GetIndexFromGradientList(g_output, name)
        if index is not None:
            blob = op.output[index]
            if out_versions[blob] != self.gradient_frontier[blob]:
                raise RuntimeError(
                    f"{op.type} needs the gradient {name!r} of version {out_versions[blob]} of {blob!r}, and it is of"
                    f" version {self.gradient_frontier[blob]}{_history(blob, self.out_version_history, 'written')}"
                )
        elif name in out_versions:
            self._demand_version(op, name, out_versions[name], self.out_version_history, "written")
        elif name in in_versions:
            self._demand_version(op, name, in_versions[name], self.in_version_history, "read")
        elif name not in locally_generated_blobs:
            raise RuntimeError(
                f"the gradient of {op.type} reads {name!r}, which neither the operator nor its gradient operators know:"
                f"\n{op}"
            )

    def _demand_version(self, op: Operator, blob: str, wanted: int, history: Mapping, how: str) -> None:
        if self.frontier[blob] != wanted:
            raise RuntimeError(
                f"the gradient of {op.type} needs version {wanted} of {blob!r}, which is overwritten: it is at version"
                f" {self.frontier[blob]}{_history(blob, history, how)}"
            )

    def BuildGradientGenerators(
        self, fwd_op_idx: int, gradient_ops: Sequence[Operator], g_output: Sequence[Any], g_input: Sequence[Any]
    ) -> None:
        """Note which operators, or which gradients handed through, make the gradients of an operator's inputs."""
        op, in_versions, _ = self.ssa[fwd_op_idx]
        local: set[str] = set()
        sparse: dict[str, SparseGradGenMeta] = {}
        for grad_op in gradient_ops:
            for name in grad_op.input:
                self.CheckGradientOperatorInput(name, g_output, fwd_op_idx, local)
            local.update(grad_op.output)
            for i, output in enumerate(grad_op.output):
                index = GetIndexFromGradientList(g_input, output)
                if index is None:
                    continue
                blob, g = op.input[index], g_input[index]
                if isinstance(g, GradientSlice):
                    sparse[blob] = _merged(sparse.get(blob), grad_op, i, g, output == g.indices)
                else:
                    self._generators(blob, in_versions).append(GradGenMeta(grad_op, i, g, grad_op.device_option))
        for blob, generator in sparse.items():
            self._generators(blob, in_versions).append(generator)
        for blob, g in zip(op.input, g_input):
            if g is None:
                continue
            self.gradient_frontier[blob] = in_versions[blob]
            if isinstance(g, GradientSlice):
                if local.isdisjoint((str(g.indices), str(g.values))):
                    handed = SparseGradGenMeta(None, 0, None, 0, g, op.device_option)
                    self._generators(blob, in_versions).append(handed)
            elif str(g) not in local:
                self._generators(blob, in_versions).append(GradGenMeta(None, 0, g, op.device_option))

    def _generators(self, blob: str, versions: Mapping[str, int]) -> list[Any]:
        return self.gradient_generators[blob][versions[blob]]

    def DoGradientAccumulation(self, fwd_op_idx: int) -> tuple[list[Operator], dict[str, Any]]:
        """Operators that add up gradients of inputs, and their names.

        An input is due at the first operator that uses it, the last to be come by on the way back.
        """
        op, in_versions, _ = self.ssa[fwd_op_idx]
        sums: list[Operator] = []
        totals: dict[str, Any] = {}
        for blob in dict.fromkeys(op.input):
            usage = self.input_usages[blob][in_versions[blob]]
            if len(usage) <= 1 or usage[0] != fwd_op_idx:
                continue
            generators = self._generators(blob, in_versions)
            try:
                if not need_sum(generators):
                    continue
            except RuntimeError as error:
                raise RuntimeError(f"the gradient of {blob!r} cannot be computed: {error}") from None
            ops, totals[blob] = make_sum(generators, blob)
            sums += ops
        return sums, totals

    def _initial_gradients(self, ys: Mapping[Any, Any]) -> tuple[dict[str, Any], list[Operator]]:
        gradients: dict[str, Any] = {}
        ops: list[Operator] = []
        for y, g in ys.items():
            name = str(y)
            version = self.gradient_frontier[name] = self.frontier[name]
            self.input_usages[name][version].append(len(self.ssa))
            if g is None:
                fill = CreateOperator("ConstantFill", [y], [name + self.AUTOGEN_GRAD_SUFFIX], value=1.0)
                ops.append(fill)
                g = fill.output[0]
                self.gradient_generators[name][version].append(GradGenMeta(fill, 0, g, fill.device_option))
            gradients[name] = GradientSlice(*map(str, g)) if isinstance(g, GradientSlice) else str(g)
        return gradients, ops

    def _differentiate(self, index: int, gradients: Mapping[str, Any]) -> tuple[dict[str, Any], list[Operator]]:
        """The gradient operators of one forward operator, and the gradients of its inputs, where it has any to give."""
        op = self.ssa[index].op
        g_output = [gradients.get(name) for name in op.output]
        if all(g is None for g in g_output) and op.type != "ZeroGradient":
            return {}, []
        ops, g_input = gradient_of(op, g_output)
        self.BuildGradientGenerators(index, ops, g_output, g_input)
        # No gradient takes the place of one that is there, unless the operator overwrites the blob: then it was of
        # the later version.
        new = {
            name: g for name, g in zip(op.input, g_input) if g is not None or name not in gradients or name in op.output
        }
        return new, ops

    def GetBackwardPass(self, ys: list[Any] | dict[Any, Any]) -> tuple[list[Operator], dict[BlobReference, Any]]:
        """The operators for the derivatives of `ys`, and the gradient of every blob that has one.

        ys: blobs, or a dict of blobs to their gradients, where None means filled with 1, as is meant by a list.
        """
        if not isinstance(ys, (list, dict)):
            raise TypeError(f"what to differentiate is a list or a dict of blobs, not a {type(ys).__name__}")
        gradients, all_ops = self._initial_gradients(ys if isinstance(ys, dict) else dict.fromkeys(ys))
        for index in reversed(range(len(self.ssa))):
            new, ops = self._differentiate(index, gradients)
            sums, totals = self.DoGradientAccumulation(index)
            gradients.update(new)
            gradients.update(totals)
            all_ops += ops + sums
        return all_ops, {BlobReference(name): _referred(g) for name, g in gradients.items() if g is not None}


def _referred(g: Any) -> Any:
    return GradientSlice(*map(BlobReference, g)) if isinstance(g, GradientSlice) else BlobReference(g)


def _merged(
    known: SparseGradGenMeta | None, grad_op: Operator, index: int, g: GradientSlice, indices: bool
) -> SparseGradGenMeta:
    """A sparse gradient of which one more half, the indices or the values, is known to come from `grad_op`."""
    half = (grad_op, index, None, 0) if indices else (None, 0, grad_op, index)
    made = SparseGradGenMeta(*half, g, grad_op.device_option)
    if known is None:
        return made
    twice = known.grad_op_indices if indices else known.grad_op_values
    if twice is not None or known.gradient != g or known.device_option != grad_op.device_option:
        raise RuntimeError(f"the sparse gradient {g} is made twice, or by operators on different devices:\n{grad_op}")
    at_indices = half[:2] if indices else known[:2]
    at_values = known[2:4] if indices else half[2:]
    return SparseGradGenMeta(*at_indices, *at_values, g, grad_op.device_option)


def _history(blob: str, history: Mapping[str, list[tuple[Operator, int]]], how: str) -> str:
    """Who wrote or read which version of a blob, to be put after an error."""
    lines = "\n".join(f"version {version} {how} by {op}" for op, version in history[blob])
    return f"\nthe blob may be the output of two operators, or overwritten by one; its versions were:\n{lines}"
