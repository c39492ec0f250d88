"""Single assignment: every blob of a net written once, as ONNX demands."""

from __future__ import annotations

from collections import Counter

from caffe2.proto import caffe2_pb2


def single_assignment(net: caffe2_pb2.NetDef) -> caffe2_pb2.NetDef:
    """A copy of a net in which no operator writes a blob that was there before.

    The last blob of a name keeps it, so that outputs do; the ones before are NAME_1, NAME_2 and so on. A blob of a
    name that an input has cannot: it is numbered too.
    """
    made = caffe2_pb2.NetDef()
    made.CopyFrom(net)
    last = Counter(o for op in net.op for o in op.output)
    written = set()
    read_first = set(net.external_input)
    for op in net.op:
        read_first |= {name for name in op.input if name not in written}
        written.update(op.output)
    taken = read_first | set(last)
    current, count = {}, Counter()
    for op in made.op:
        op.input[:] = [current.get(name, name) for name in op.input]
        for k, name in enumerate(op.output):
            count[name] += 1
            if count[name] < last[name] or name in read_first:
                current[name] = _free(name, count[name], taken)
            else:
                current[name] = name
            op.output[k] = current[name]
    made.external_output[:] = [current.get(name, name) for name in net.external_output]
    return made


def _free(name: str, k: int, taken: set[str]) -> str:
    while (made := f"{name}_{k}") in taken:
        k += 1
    taken.add(made)
    return made
