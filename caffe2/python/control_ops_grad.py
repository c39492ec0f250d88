"""Gradients of the control operators Do, If and While, whose backward passes are nets within them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from caffe2.proto import caffe2_pb2
from caffe2.python._core.arguments import MakeArgument
from caffe2.python._core.blob_reference import BlobReference
from caffe2.python._core.control_nets import (
    NetGradient,
    backward,
    copy_operator,
    gradient_operator,
    like_net,
    net_argument,
    net_gradient,
)
from caffe2.python._core.gradient_registry import GradientRegistry
from caffe2.python._core.gradient_sums import disambiguate_grad_if_op_output
from caffe2.python._core.net import Net
from caffe2.python._misuse import demand

__all__ = [
    "dedupe_g_output",
    "disambiguate_grad_if_op_output",
    "gen_do_gradient",
    "gen_if_gradient",
    "gen_while_gradient",
    "getNetArgument",
]

INNER_GRAD = "/_DO_OPERATOR_INNER_GRAD_"
INNER_GRAD_COPY = "/_DO_OPERATOR_INNER_GRAD_COPY_"

Operator = caffe2_pb2.OperatorDef
Gradients = tuple[list[Operator], list[Any]]


def getNetArgument(op: Operator, net_name: str) -> caffe2_pb2.NetDef | None:
    """The net that an operator holds as an argument; None where it has no such argument."""
    return net_argument(op, net_name)


def dedupe_g_output(op: Operator, g_output: Sequence[Any]) -> Gradients:
    """Gradients of the outputs such that no two outputs share one, and the operators that copy those that did."""
    copies: list[Operator] = []
    deduped: list[Any] = []
    taken: dict[str, str] = {}
    for output, gradient in zip(op.output, g_output):
        if gradient and output not in taken:
            if gradient in taken.values():
                copies.append(copy_operator(str(gradient), f"{output}_{gradient}_DEDUP"))
                gradient = copies[-1].output[0]
            taken[output] = gradient
        deduped.append(taken[output] if gradient else gradient)
    return copies, deduped


def _initial_gradients(op: Operator, type_: str, g_output: Sequence[Any]) -> tuple[list[Operator], dict[str, str]]:
    """The gradients at hand by output, no two the same, and the operators that copy those that were."""
    demand(op.type == type_, f"the gradient of {type_} was asked for an operator of type {op.type}")
    demand(op.input, f"{type_} has no inputs")
    demand(len(op.output) == len(g_output), f"{type_} has outputs {list(op.output)} and gradients {g_output}")
    copies, deduped = dedupe_g_output(op, g_output)
    initial = {output: str(gradient) for output, gradient in zip(op.output, deduped) if gradient}
    demand(initial, f"none of the outputs of {type_} has a gradient")
    return copies, initial


class _Bindings(NamedTuple):
    """How a Do operator shows its blobs to its net."""

    net: caffe2_pb2.NetDef
    inner: dict[str, str]  # by outer name
    outer: dict[str, str]  # by inner name
    workspace: str


def _bindings(op: Operator) -> _Bindings:
    """The bindings of a Do operator. Raises Misuse where they contradict themselves."""
    demand(op.type == "Do", f"expected a Do operator, not {op.type}")
    net = net_argument(op, "net")
    demand(net is not None, "Do has no argument net")
    names = [s.decode() for arg in op.arg if arg.name == "inner_blobs" for s in arg.strings]
    indices = [i for arg in op.arg if arg.name == "outer_blobs_idx" for i in arg.ints]
    demand(names and len(names) == len(indices), f"Do binds inner_blobs {names} to outer_blobs_idx {indices}")
    demand(op.input and op.output and op.input[-1] == op.output[-1], "Do has its workspace last on both sides")
    for blobs in (names, op.input, op.output):
        demand(len(set(blobs)) == len(blobs), f"Do has a blob twice in {list(blobs)}")
    outside = [*op.input[:-1], *op.output[:-1]]
    demand(all(0 <= i < len(outside) for i in indices), f"Do has blobs {outside} and outer_blobs_idx {indices}")
    outer = {name: outside[i] for name, i in zip(names, indices)}
    inner = {bound: name for name, bound in outer.items()}
    demand(len(inner) == len(outer) and inner.keys() == set(outside), f"Do binds {outer} and has the blobs {outside}")
    return _Bindings(net, inner, outer, op.output[-1])


def gen_do_gradient(op: Operator, g_output: Sequence[Any]) -> Gradients:
    """The gradient of Do is a Do in the workspace that the forward one left, with the backward pass of its net.

    Blobs of the net that are bound outside are bound again; the rest are found in that workspace. The gradient of an
    input is copied within to a name of its own, as one blob may be bound once only and may be the gradient of several.
    """
    bound = _bindings(op)
    copies, outside = _initial_gradients(op, "Do", g_output)
    given = {bound.inner[output] + INNER_GRAD: gradient for output, gradient in outside.items()}
    ops, gradients = backward(bound.net, {bound.inner[output]: bound.inner[output] + INNER_GRAD for output in outside})
    if not ops:
        return [], []
    seen, saved = _inputs(ops, {**bound.outer, **given})
    g_input = [f"{name}_grad" if bound.inner[name] in gradients else None for name in op.input[:-1]]
    written = {}
    for name, gradient in zip(op.input, g_input):
        if gradient is not None:
            inner = bound.inner[name]
            ops.append(copy_operator(gradients[inner], inner + INNER_GRAD_COPY))
            written[inner + INNER_GRAD_COPY] = gradient
    inputs, outputs = list(dict.fromkeys(seen.values())), list(written.values())
    blobs = inputs + outputs
    bindings = {**written, **seen}
    made = gradient_operator(
        op,
        [*inputs, bound.workspace],
        [*outputs, bound.workspace],
        net=like_net(bound.net, ops, "_grad"),
        inner_blobs=list(bindings),
        outer_blobs_idx=[blobs.index(outer) for outer in bindings.values()],
        saved_fwd_blobs=saved,
    )
    _bindings(made)
    return [*copies, made], g_input


def _inputs(ops: Sequence[Operator], outer: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Of the blobs that operators read and do not make: those bound outside with their outer names, and the others."""
    made: set[str] = set()
    bound: dict[str, str] = {}
    saved: dict[str, None] = {}
    for op in ops:
        for name in op.input:
            if name in made:
                continue
            if name in outer:
                bound[name] = outer[name]
            else:
                saved[name] = None
        made.update(op.output)
    return bound, list(saved)


def gen_while_gradient(op: Operator, g_output: Sequence[Any]) -> Gradients:
    """The gradient of While is a While that runs the gradient of the loop's Do as long as that has workspaces left."""
    copies, initial = _initial_gradients(op, "While", g_output)
    loop = net_argument(op, "loop_net")
    demand(loop is not None, "While has no argument loop_net")
    demand(len(loop.op) == 1 and loop.op[0].type == "Do", "the gradient of While needs a loop_net of one Do operator")
    body = loop.op[0]
    reuses = any(arg.name == "reuse_workspace" and arg.i for arg in body.arg)
    demand(not reuses, "the gradient of While needs a workspace for each run of its loop, and reuse_workspace is set")
    gradient = net_gradient(loop, initial)
    before, condition, test = _loop_condition(body.output[-1], initial, gradient.gradients)
    made = gradient_operator(
        op, [condition, *gradient.reads], gradient.writes, loop_net=gradient.net, cond_net=test.Proto()
    )
    return [*copies, *before.Proto().op, made], [gradient.gradients.get(name) for name in op.input]


def _loop_condition(workspace: str, initial: Mapping[str, str], gradients: Mapping[str, str]) -> tuple[Net, str, Net]:
    """A net to run before the backward loop, the blob of its condition, and the net that computes it for each run.

    Where the loop gives the gradient of a blob another name than it had, it is copied there before and back after.
    """
    test = Net("gradient_loop_cond_net")
    before = Net("gradient_loop_cond_net_init")
    condition = test.NextScopedBlob(test.Name() + "/cond")
    for net in (before, test):
        net.HasScope(BlobReference(workspace), condition)
    for blob, first in initial.items():
        later = gradients.get(blob, first)
        if later != first:
            test.Copy(BlobReference(later), BlobReference(first))
            before.Copy(BlobReference(first), BlobReference(later))
    return before, str(condition), test


def gen_if_gradient(op: Operator, g_output: Sequence[Any]) -> Gradients:
    """The gradient of If is an If of its nets' backward passes; what one does not compute is zero, or handed on."""
    copies, initial = _initial_gradients(op, "If", g_output)
    nets = {name: net_argument(op, name) for name in ("then_net", "else_net")}
    demand(nets["then_net"] is not None, "If has no argument then_net")
    then = net_gradient(nets["then_net"], initial)
    if nets["else_net"] is None:
        otherwise = NetGradient(like_net(then.net, (), "_auto_else_zero_blobs_"), {}, [], [])
    else:
        otherwise = net_gradient(nets["else_net"], initial)
    zeros = _fill_in(initial, then, otherwise.writes), _fill_in(initial, otherwise, then.writes)
    otherwise.net.op.extend(zeros[0])
    then.net.op.extend(zeros[1])
    condition = op.input[0]
    reads = dict.fromkeys(name for name in then.reads + otherwise.reads if name != condition)
    has_else = nets["else_net"] is not None or zeros[0]
    made = gradient_operator(
        op,
        [condition, *reads],
        dict.fromkeys(then.writes + otherwise.writes),
        then_net=then.net,
        else_net=otherwise.net if has_else else None,
    )
    gradients = _agreed(initial, then.gradients, otherwise.gradients)
    return [*copies, made], [gradients.get(name) for name in op.input]


def _agreed(initial: Mapping[str, str], then: Mapping[str, str], otherwise: Mapping[str, str]) -> dict[str, str]:
    """The gradient of each blob after either branch; one that does not use a blob leaves it the gradient it had."""
    agreed = {**otherwise, **then}
    for blob, gradient in otherwise.items():
        if then.get(blob, gradient) == gradient:
            continue
        demand(
            initial.get(blob) in (gradient, then[blob]),
            f"the branches of If name the gradient of {blob!r} differently: {then[blob]!r} and {gradient!r}",
        )
        if initial[blob] == then[blob]:
            agreed[blob] = gradient
    return agreed


def _fill_in(initial: Mapping[str, str], branch: NetGradient, other_writes: Collection[str]) -> list[Operator]:
    """Operators by which the other branch makes the gradients that `branch` writes: as they were, or zero."""
    ops = []
    blob_of = {gradient: blob for blob, gradient in reversed(branch.gradients.items())}
    for gradient in branch.writes:
        if gradient in other_writes or gradient not in blob_of:
            continue
        blob = blob_of[gradient]
        if blob not in initial:
            zero = MakeArgument("value", 0.0)
            ops.append(Operator(type="ConstantFill", input=[blob], output=[gradient], arg=[zero]))
        elif initial[blob] != gradient:
            ops.append(copy_operator(initial[blob], gradient))
    return ops


GradientRegistry.RegisterGradient("Do")(gen_do_gradient)
GradientRegistry.RegisterGradient("If")(gen_if_gradient)
GradientRegistry.RegisterGradient("While")(gen_while_gradient)
