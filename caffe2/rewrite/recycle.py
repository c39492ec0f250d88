"""Blobs that hold one value after another: fewer names for the same net, so less memory at once."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from caffe2.opdef import EnforceNotMet, registry, verify
from caffe2.proto import caffe2_pb2
from caffe2.runtime.dag import dependencies

Device = tuple[int, int]


@dataclass
class Slot:
    """Storage that blobs share: their names, who uses it so far as a set of bits, where it is, how large."""

    names: list[str]
    users: int
    device: Device
    size: int = field(default=0)


def recycle(
    net: caffe2_pb2.NetDef,
    shareable: Collection[str],
    *,
    positions: Iterable[int] | None = None,
    in_order: bool = False,
    scope: str = "",
    shapes: Mapping[str, Sequence[int]] | None = None,
) -> caffe2_pb2.NetDef:
    """A net in which blobs of `shareable` that are not needed at the same time have the same name.

    Two blobs share where every operator that uses the one must have run before the other is first written: by the
    dependencies of the net, which holds for every executor, or with `in_order` by the order of its operators. Results
    that nothing reads, inputs and outputs of the net, and blobs of nets within If, While and the like keep their names.

    positions: the operators to look at, all by default. scope: comes before the new names, __m0_shared and so on.
    shapes: of blobs; those nearest in size share first.
    Raises SchemaError where an operator of the net is not well-formed.
    """
    for op in net.op:
        if op.type in registry:
            verify(op)
    users, first_writer = _users(net.op)
    before = _before(net.op, in_order)
    chosen = set(range(len(net.op)) if positions is None else positions)
    names = set(shareable).difference(net.external_input, net.external_output, *map(_held, net.op))
    slots: list[Slot] = []
    for name, position in first_writer.items():
        if name not in names or not _enclosed(users[name], before, chosen):
            continue
        bits = sum(1 << k for k in users[name])
        _place(name, bits, before[position], _device(net.op[position]), _size(name, shapes), slots)
    return _renamed(net, _new_names(slots, scope, users))


def _users(ops: Sequence[caffe2_pb2.OperatorDef]) -> tuple[dict[str, list[int]], dict[str, int]]:
    """The operators that read or write each blob; and for those that begin with a write the first, in that order."""
    users: defaultdict[str, list[int]] = defaultdict(list)
    first_writer: dict[str, int] = {}
    for position, op in enumerate(ops):
        for name in dict.fromkeys(op.output):
            if name not in users and name not in op.input:
                first_writer[name] = position
        for name in {*op.input, *op.output}:
            users[name].append(position)
    return users, first_writer


def _held(op: caffe2_pb2.OperatorDef) -> set[str]:
    """The blobs named in the nets that an operator holds; a recurrent network's are renamed with the others."""
    if op.type.startswith("RecurrentNetwork"):
        return set()
    inner = [each for arg in op.arg for net in (arg.n, *arg.nets) for each in net.op]
    return {name for each in inner for name in {*each.input, *each.output} | _held(each)}


def _before(ops: Sequence[caffe2_pb2.OperatorDef], in_order: bool) -> list[int]:
    """For each operator, those that have run when it begins, as a set of bits."""
    if in_order:
        return [(1 << position) - 1 for position in range(len(ops))]
    before: list[int] = []
    for parents in dependencies(ops):
        reached = 0
        for parent in parents:
            reached |= before[parent] | 1 << parent
        before.append(reached)
    return before


def _enclosed(users: Sequence[int], before: Sequence[int], chosen: set[int]) -> bool:
    """Whether a blob, once made, is used again, and by none but chosen operators that come after its maker."""
    maker, *others = users
    return bool(others) and chosen.issuperset(users) and all(before[k] >> maker & 1 for k in others)


def _place(name: str, bits: int, before: int, device: Device, size: int, slots: list[Slot]) -> None:
    """Put a blob into the slot that fits best of those that are free, or into one of its own."""
    free = [slot for slot in slots if slot.device == device and not slot.users & ~before]
    if free:
        slot = min(free, key=lambda s: (abs(s.size - size), -len(s.names)))
        slot.names.append(name)
        slot.users |= bits
        slot.size = max(slot.size, size)
    else:
        slots.append(Slot([name], bits, device, size))


def _device(op: caffe2_pb2.OperatorDef) -> Device:
    on_host = op.type == "CopyGPUToCPU"
    return (0, 0) if on_host else (op.device_option.device_type, op.device_option.device_id)


def _size(name: str, shapes: Mapping[str, Sequence[int]] | None) -> int:
    return math.prod((shapes or {}).get(name, ()))


def _new_names(slots: Iterable[Slot], scope: str, taken: Collection[str]) -> dict[str, str]:
    shared = [slot for slot in slots if len(slot.names) > 1]
    made = {name: f"{scope}__m{number}_shared" for number, slot in enumerate(shared) for name in slot.names}
    twice = set(made.values()) & set(taken)
    if twice:
        raise EnforceNotMet(f"the net shares blobs already: it has {' '.join(sorted(twice))}")
    return made


def _renamed(net: caffe2_pb2.NetDef, names: Mapping[str, str]) -> caffe2_pb2.NetDef:
    made = caffe2_pb2.NetDef()
    made.CopyFrom(net)
    rename_blobs(made, names)
    return made


def rename_blobs(net: caffe2_pb2.NetDef, names: Mapping[str, str]) -> None:
    """Rename blobs in the operators of a net, in place, and within the step nets of its recurrent networks.

    Those operators name blobs in their arguments too, and are told of new names by arguments `<blob>.rename`.
    """
    for op in net.op:
        if op.type.startswith("RecurrentNetwork"):
            for arg in op.arg:
                if arg.name.endswith("step_net"):
                    rename_blobs(arg.n, names)
                    arg.n.external_input[:] = [names.get(name, name) for name in arg.n.external_input]
            told = [name for name in dict.fromkeys((*op.input, *op.output)) if names.get(name, name) != name]
            op.arg.extend(caffe2_pb2.Argument(name=f"{name}.rename", s=names[name].encode()) for name in told)
        op.input[:] = [names.get(name, name) for name in op.input]
        op.output[:] = [names.get(name, name) for name in op.output]
