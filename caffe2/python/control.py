"""Control of nets and steps by plans: sequences, loops, conditions and switches as execution steps.

A condition is a boolean blob, or a net whose last external output is one; such a net runs when the condition is asked.
What is controlled is a net, a step, or a list of nets or of steps.
"""

from __future__ import annotations

from typing import Any

from caffe2.python._core.blob_reference import BlobReference
from caffe2.python._core.net import Net
from caffe2.python._core.net_names import take_name
from caffe2.python._core.operators import DataType
from caffe2.python._core.step import ExecutionStep, scoped_execution_step
from caffe2.python._misuse import demand

_used_step_names: set[str] = set()


def _step(control_name: str, base_name: str, parts: Any, **options: Any) -> ExecutionStep:
    name = take_name(f"{base_name}/{control_name}", _used_step_names)
    return scoped_execution_step(name, parts, **options)


def _MakeList(input: tuple) -> list[Any]:
    """The arguments of a function as a list; the one argument where it is a list. Raises ValueError without any."""
    if not input:
        raise ValueError("input cannot be empty.")
    return input[0] if len(input) == 1 and isinstance(input[0], list) else list(input)


def _IsNets(nets_or_steps: Any) -> bool:
    return all(isinstance(n, Net) for n in _MakeList((nets_or_steps,)))


def _PrependNets(nets_or_steps: Any, *nets: Net) -> list[Any]:
    parts, before = _MakeList((nets_or_steps,)), _MakeList(nets)
    return before + parts if _IsNets(parts) else [Do("prepend", before), *parts]


def _AppendNets(nets_or_steps: Any, *nets: Net) -> list[Any]:
    parts, after = _MakeList((nets_or_steps,)), _MakeList(nets)
    return parts + after if _IsNets(parts) else [*parts, Do("append", after)]


def _asked(condition: Any) -> tuple[list[Net], Any]:
    """The nets to run in order to know a condition, and its blob."""
    return ([condition], GetConditionBlobFromNet(condition)) if isinstance(condition, Net) else ([], condition)


def _asked_not(condition: Any) -> tuple[list[Net], BlobReference]:
    """The nets to run in order to know whether a condition does not hold, and the blob of that."""
    not_net, blob = NotNet(condition)
    return [*_asked(condition)[0], not_net], blob


# Conditions


def GetConditionBlobFromNet(condition_net: Net) -> BlobReference:
    """The blob of a net's condition: its last external output."""
    outputs = condition_net.Proto().external_output
    demand(outputs, f"Condition net {condition_net} must have at least one external output")
    return BlobReference(outputs[-1])


def BoolNet(*blobs_with_bool_value: Any) -> Net:
    """A net that gives boolean blobs values, given as pairs (blob, value) or a list of these."""
    net = Net("bool_net")
    for blob, value in _MakeList(blobs_with_bool_value):
        net.AddExternalOutput(net.ConstantFill([], [blob], shape=[], value=value, dtype=DataType.BOOL))
    return net


def NotNet(condition_blob_or_net: Any) -> tuple[Net, BlobReference]:
    """A net that negates the blob of a condition, and the blob that it makes."""
    net = Net("not_net")
    out = net.Not(_asked(condition_blob_or_net)[1])
    net.AddExternalOutput(out)
    return net, out


def _CopyConditionBlobNet(condition_blob: Any) -> tuple[Net, BlobReference]:
    net = Net("copy_condition_blob_net")
    out = net.Copy(condition_blob)
    net.AddExternalOutput(out)
    return net, out


def MergeConditionNets(name: str, condition_nets: Any, relation: str) -> Net | None:
    """One net with the operators of several, whose condition is And or Or, the `relation`, of theirs."""
    if not isinstance(condition_nets, list):
        return condition_nets
    if len(condition_nets) <= 1:
        return condition_nets[0] if condition_nets else None
    merged = Net(name)
    for net in condition_nets:
        proto = net.Proto()
        same = proto.device_option == merged.Proto().device_option and proto.type == merged.Proto().type
        demand(same, f"net {net} has a device or type of its own, which would be lost")
        merged.Proto().op.extend(proto.op)
        merged.Proto().external_input.extend(proto.external_input)
        for attribute, objects in net._attr_dict.items():
            merged._attr_dict[attribute] += objects
    merged.AddExternalOutput(_related(merged, condition_nets, relation))
    return merged


def CombineConditions(name: str, condition_nets: list[Net] | None, relation: str) -> Net | None:
    """A net whose condition is And or Or, the `relation`, of those of nets that were run before; None without any."""
    if not condition_nets:
        return None
    if not isinstance(condition_nets, list):
        raise ValueError("condition_nets must be a list of nets.")
    if len(condition_nets) == 1:
        return _CopyConditionBlobNet(GetConditionBlobFromNet(condition_nets[0]))[0]
    combined = Net(name)
    combined.AddExternalOutput(_related(combined, condition_nets, relation))
    return combined


def _related(net: Net, condition_nets: list[Net], relation: str) -> BlobReference:
    first, *others = map(GetConditionBlobFromNet, condition_nets)
    for other in others:
        first = getattr(net, relation)([first, other])
    return first


# Sequences


def Do(name: str, *nets_or_steps: Any) -> ExecutionStep:
    """Run nets or steps, given one by one or as a list, in order."""
    parts = _MakeList(nets_or_steps)
    return parts[0] if len(parts) == 1 and isinstance(parts[0], ExecutionStep) else _step("Do", name, parts)


def DoParallel(name: str, *nets_or_steps: Any) -> ExecutionStep:
    """Run steps, given one by one or as a list, at once, and wait for all of them."""
    parts = _MakeList(nets_or_steps)
    if len(parts) == 1 and isinstance(parts[0], ExecutionStep):
        return parts[0]
    return _step("DoParallel", name, parts, concurrent_substeps=True)


# Loops


def For(name: str, nets_or_steps: Any, iter_num: int) -> ExecutionStep:
    """Run something `iter_num` times."""
    init_net = Net("init-net")
    counter = init_net.CreateCounter([], init_count=iter_num)
    iter_net = Net("For-iter")
    done = iter_net.CountDown([counter])
    loop = _step("For-inner", name, _PrependNets(nets_or_steps, iter_net), should_stop_blob=done)
    return Do(f"{name}/For", Do(f"{name}/For-init-net", init_net), loop)


def While(name: str, condition_blob_or_net: Any, nets_or_steps: Any) -> ExecutionStep:
    """Run something as long as a condition holds, which is asked before each run."""
    nets, stop = _asked_not(condition_blob_or_net)
    parts = _PrependNets(nets_or_steps, *nets)
    if not _IsNets(parts):
        return _step("While", name, parts, should_stop_blob=stop)
    # The blob is looked at after every net: what an earlier loop left there would end this one at its first net.
    return Do(f"{name}/While", BoolNet((stop, False)), _step("While-inner", name, parts, should_stop_blob=stop))


def Until(name: str, condition_blob_or_net: Any, nets_or_steps: Any) -> ExecutionStep:
    """Run something until a condition holds, which is asked before each run."""
    nets, blob = _asked(condition_blob_or_net)
    parts = _PrependNets(nets_or_steps, *nets) if nets else nets_or_steps
    return _step("Until", name, parts, should_stop_blob=BlobReference(str(blob)))


def DoWhile(name: str, condition_blob_or_net: Any, nets_or_steps: Any) -> ExecutionStep:
    """Run something once, and again as long as a condition holds, which is asked after each run."""
    nets, stop = _asked_not(condition_blob_or_net)
    loop = _step("DoWhile-inner", name, _AppendNets(nets_or_steps, *nets), should_stop_blob=stop)
    return Do(f"{name}/DoWhile", BoolNet((stop, False)), loop)


def DoUntil(name: str, condition_blob_or_net: Any, nets_or_steps: Any) -> ExecutionStep:
    """Run something once, and again until a condition holds, which is asked after each run.

    A condition that is a blob is looked at after every net or step: true beforehand, it ends the loop after the first.
    """
    nets, blob = _asked(condition_blob_or_net)
    if not nets:
        return _step("DoUntil", name, nets_or_steps, should_stop_blob=BlobReference(blob))
    loop = _step("DoUntil-inner", name, _AppendNets(nets_or_steps, *nets), should_stop_blob=blob)
    return Do(f"{name}/DoUntil", BoolNet((blob, False)), loop)


# Conditions that run something once


def _RunOnceIf(name: str, condition_blob_or_net: Any, nets_or_steps: Any) -> ExecutionStep:
    nets, stop = _asked_not(condition_blob_or_net)
    parts = _PrependNets(nets_or_steps, *nets)
    options = {"should_stop_blob": stop, "only_once": True}
    if not _IsNets(parts):
        return _step("_RunOnceIf", name, parts, **options)
    return Do(f"{name}/_RunOnceIf", BoolNet((stop, False)), _step("_RunOnceIf-inner", name, parts, **options))


def _RunOnceIfNot(name: str, condition_blob_or_net: Any, nets_or_steps: Any) -> ExecutionStep:
    nets, blob = _asked(condition_blob_or_net)
    if not nets:
        copy, blob = _CopyConditionBlobNet(blob)
        nets = [copy]
    parts = _PrependNets(nets_or_steps, *nets)
    return _step("_RunOnceIfNot", name, parts, should_stop_blob=blob, only_once=True)


def Switch(name: str, *conditions: Any) -> ExecutionStep:
    """Of pairs (condition, what to run), given one by one or as a list, run all whose condition holds, in order."""
    return _step("Switch", name, [_RunOnceIf(f"{name}/Switch", *pair) for pair in _MakeList(conditions)])


def SwitchNot(name: str, *conditions: Any) -> ExecutionStep:
    """Of pairs (condition, what to run), run all whose condition does not hold, in order."""
    return _step("SwitchNot", name, [_RunOnceIfNot(f"{name}/SwitchNot", *pair) for pair in _MakeList(conditions)])


def If(
    name: str, condition_blob_or_net: Any, true_nets_or_steps: Any, false_nets_or_steps: Any = None
) -> ExecutionStep:
    """Run one thing where a condition holds, and another, if given, where it does not."""
    if not false_nets_or_steps:
        return _RunOnceIf(f"{name}/If", condition_blob_or_net, true_nets_or_steps)
    return Do(
        f"{name}/If",
        _RunOnceIf(f"{name}/If-true", condition_blob_or_net, true_nets_or_steps),
        _RunOnceIfNot(f"{name}/If-false", _asked(condition_blob_or_net)[1], false_nets_or_steps),
    )


def IfNot(
    name: str, condition_blob_or_net: Any, true_nets_or_steps: Any, false_nets_or_steps: Any = None
) -> ExecutionStep:
    """Run one thing where a condition does not hold, and another, if given, where it does."""
    if not false_nets_or_steps:
        return _RunOnceIfNot(f"{name}/IfNot", condition_blob_or_net, true_nets_or_steps)
    return Do(
        f"{name}/IfNot",
        _RunOnceIfNot(f"{name}/IfNot-true", condition_blob_or_net, true_nets_or_steps),
        _RunOnceIf(f"{name}/IfNot-false", _asked(condition_blob_or_net)[1], false_nets_or_steps),
    )
