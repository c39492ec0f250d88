"""Who reads what an operator of a net writes."""

from __future__ import annotations

from caffe2.proto import caffe2_pb2


def readers(net: caffe2_pb2.NetDef, position: int, name: str) -> list[int]:
    """The operators that read blob `name` as operator `position` writes it: up to the next one to write it."""
    found = []
    for later in range(position + 1, len(net.op)):
        if name in net.op[later].input:
            found.append(later)
        if name in net.op[later].output:
            break
    return found


def sole_reader(net: caffe2_pb2.NetDef, position: int, type_: str) -> int | None:
    """The one operator, of a type, that reads the first output of operator `position`; None where there are others.

    What is an output of the net is read by the outside too, unless that operator overwrites it.
    """
    name = net.op[position].output[0]
    found = readers(net, position, name)
    if len(found) != 1 or net.op[found[0]].type != type_:
        return None
    return None if name in net.external_output and name not in net.op[found[0]].output else found[0]


def rename_from(net: caffe2_pb2.NetDef, position: int, old: str, new: str) -> None:
    """Rename what operator `position` writes to `old`, there and where it is read."""
    for later in readers(net, position, old):
        net.op[later].input[:] = [new if name == old else name for name in net.op[later].input]
    net.op[position].output[:] = [new if name == old else name for name in net.op[position].output]


def fresh(net: caffe2_pb2.NetDef, stem: str) -> str:
    """`stem`, or stem_0, stem_1 ..., that is no blob of the net."""
    taken = {name for op in net.op for name in (*op.input, *op.output)}.union(net.external_input, net.external_output)
    name, number = stem, 0
    while name in taken:
        name, number = f"{stem}_{number}", number + 1
    return name
