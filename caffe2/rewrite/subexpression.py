"""Common subexpressions: what two operators compute alike is computed once."""

from __future__ import annotations

from caffe2.opdef import registry
from caffe2.proto import caffe2_pb2
from caffe2.rewrite.registry import named


@named("CommonSubexpressionElimination")
def eliminate_common_subexpressions(net: caffe2_pb2.NetDef) -> None:
    """Drop an operator that repeats an earlier one on the same values; readers of its outputs read the earlier one's.

    Kept are operators that draw random numbers, hold state, work on the workspace, or whose outputs are the net's, are
    written more than once, or are read by an operator that may overwrite them.
    """
    writes = [o for op in net.op for o in op.output]
    fixed = set(net.external_output) | {o for o in writes if writes.count(o) > 1} | _overwritten(net)
    first: dict[bytes, caffe2_pb2.OperatorDef] = {}
    renamed: dict[str, str] = {}
    kept = []
    for op in net.op:
        op.input[:] = [renamed.get(name, name) for name in op.input]
        twin = first.get(_key(op)) if _pure(op) else None
        if twin is not None and not fixed & {*op.output, *twin.output, *op.input}:
            renamed.update(zip(op.output, twin.output))
            continue
        if _pure(op):
            first.setdefault(_key(op), op)
        kept.append(op)
    made = [caffe2_pb2.OperatorDef.FromString(op.SerializeToString()) for op in kept]
    del net.op[:]
    net.op.extend(made)


def _overwritten(net: caffe2_pb2.NetDef) -> set[str]:
    return {name for op in net.op for name in op.input if name in op.output}


def _pure(op: caffe2_pb2.OperatorDef) -> bool:
    d = registry.get(op.type)
    return d is not None and d.stores and not (d.random or d.mutates or d.blocking or d.foreign) and bool(op.output)


def _key(op: caffe2_pb2.OperatorDef) -> bytes:
    """What two operators that compute the same have in common: everything but the names of operator and outputs."""
    copy = caffe2_pb2.OperatorDef()
    copy.CopyFrom(op)
    copy.ClearField("name")
    count = len(copy.output)
    del copy.output[:]
    arguments = sorted(copy.arg, key=lambda a: a.name)
    parts = [a.SerializeToString(deterministic=True) for a in arguments]
    del copy.arg[:]
    return b"\0".join([copy.SerializeToString(deterministic=True), *parts, str(count).encode()])
