"""Nets in which every blob is written once, as Caffe demands of blobs that are not written in place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

from caffe2.opdef import registry
from caffe2.proto import caffe2_pb2

Value = tuple[str, int]
"""What a blob holds between two writings: the blob, and the operator that wrote it, -1 for what was there before."""


def single_assignment(net: caffe2_pb2.NetDef, given: Collection[str]) -> tuple[caffe2_pb2.NetDef, dict[str, str]]:
    """The net with a name of its own for every value of a blob, and of which blob each new name is a value.

    The last value of a blob keeps the blob's name; the first does, where it is an input or a parameter (`given`).
    """
    current: dict[str, Value] = {name: (name, -1) for name in given}
    values: dict[str, list[Value]] = defaultdict(list, {name: [value] for name, value in current.items()})
    uses = []
    for k, op in enumerate(net.op):
        read = [current.get(name, (name, -1)) for name in op.input]
        for name in set(op.output) - _forced(op):
            current[name] = (name, k)
            values[name].append((name, k))
        uses.append((read, [current.get(name, (name, -1)) for name in op.output]))
    names = _names(values, given)
    made = caffe2_pb2.NetDef()
    made.CopyFrom(net)
    for op, (read, written) in zip(made.op, uses, strict=True):
        op.input[:], op.output[:] = ([names.get(value, value[0]) for value in side] for side in (read, written))
    made.external_output[:] = [names.get(current.get(name, (name, -1)), name) for name in net.external_output]
    return made, {name: value[0] for value, name in names.items() if name != value[0]}


def rename(net: caffe2_pb2.NetDef, old: str, new: str) -> None:
    """Give a blob of a net another name."""
    sides = [side for op in net.op for side in (op.input, op.output)]
    for side in (*sides, net.external_output):
        side[:] = [new if name == old else name for name in side]


def _forced(op: caffe2_pb2.OperatorDef) -> set[str]:
    """Outputs that have to be inputs, such as running statistics."""
    d = registry.get(op.type)
    forced = d is not None and any(rule.forced for rule in d.inplace or ())
    return set(op.input) & set(op.output[1:]) if forced else set()


def _names(values: dict[str, list[Value]], given: Collection[str]) -> dict[Value, str]:
    taken, names = set(values), {}
    for name, each in values.items():
        keeps = each[0] if name in given else each[-1]
        names[keeps] = name
        others = _fresh(name, taken)
        names.update((value, next(others)) for value in each if value != keeps)
    return names


def _fresh(stem: str, taken: set[str]) -> Iterator[str]:
    k = 0
    while True:
        if (name := f"{stem}__{k}") not in taken:
            taken.add(name)
            yield name
        k += 1
