"""Whether two nets do the same, blob names aside."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from caffe2.proto import caffe2_pb2

log = logging.getLogger("memonger")


def verify_inplace_blobs(net_a: caffe2_pb2.NetDef, net_b: caffe2_pb2.NetDef) -> bool:
    """Whether the operators of two nets overwrite the same inputs."""
    pairs = zip(net_a.op, net_b.op)
    return all(a.type == b.type and _overwritten(a) == _overwritten(b) for a, b in pairs)


def _overwritten(op: caffe2_pb2.OperatorDef) -> list[tuple[int, int]]:
    outputs = list(op.output)
    return [(position, outputs.index(name)) for position, name in enumerate(op.input) if name in outputs]


def verify_graph_equality(net_a: caffe2_pb2.NetDef, net_b: caffe2_pb2.NetDef) -> bool:
    """Whether two nets have the same operators, each reading what the same operators made. O(edges)."""
    if len(net_a.op) != len(net_b.op):
        return False
    for a, b in zip(net_a.op, net_b.op):
        if (a.type, a.device_option, a.engine) != (b.type, b.device_option, b.engine):
            return False
    parents = zip(_parents(net_a.op), _parents(net_b.op))
    differing = [(position, a, b) for position, (a, b) in enumerate(parents) if a != b]
    for position, a, b in differing:
        log.info("operator %d (%s) reads from operators %s and %s", position, net_a.op[position].type, a, b)
    return not differing


def _parents(ops: Iterable[caffe2_pb2.OperatorDef]) -> list[list[int]]:
    """For each operator, the last to have written each of its inputs."""
    parents: list[list[int]] = []
    writer: dict[str, int] = {}
    for position, op in enumerate(ops):
        parents.append([writer[blob] for blob in op.input if blob in writer])
        writer.update(dict.fromkeys(op.output, position))
    return parents
