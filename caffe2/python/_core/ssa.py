"""Static single assignment: which version of a blob each operator of a net reads and writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from caffe2.proto import caffe2_pb2
from caffe2.python._misuse import demand

Versioned = tuple[str, int]
SSA = list[tuple[list[Versioned], list[Versioned]]]


def get_ssa(net: Any, blob_versions: dict[str, int] | None = None) -> tuple[SSA, dict[str, int]]:
    """For each operator the (blob, version) pairs that it reads and that it writes, and the last version of each blob.

    net: a Net, a NetDef, or a list of these, whose operators count through.
    blob_versions: versions to begin with, updated; a blob that is not there begins at 0, and every write adds 1.
    """
    versions = {} if blob_versions is None else blob_versions
    if isinstance(net, list):
        return [get_ssa(one, versions)[0] for one in net], versions
    proto = net if isinstance(net, caffe2_pb2.NetDef) else net.Proto()
    demand(isinstance(proto, caffe2_pb2.NetDef), f"get_ssa takes nets, not a {type(net).__name__}")
    for blob in proto.external_input:
        versions.setdefault(blob, 0)
    ssa: SSA = []
    for op in proto.op:
        if not proto.external_input:
            for blob in op.input:
                versions.setdefault(blob, 0)
        read = [(blob, versions.get(blob, 0)) for blob in op.input]
        for blob in op.output:
            versions[blob] = versions.get(blob, 0) + 1
        ssa.append((read, [(blob, versions[blob]) for blob in op.output]))
    return ssa, versions


def get_undefined_blobs(ssa: SSA) -> set[str]:
    """The blobs that are read before any operator writes them."""
    return {name for read, _ in ssa for name, version in read if version == 0}


def get_output_producers(ssa: SSA) -> dict[Versioned, int]:
    """The index of the operator that writes each version of each blob."""
    return {written: index for index, (_, outputs) in enumerate(ssa) for written in outputs}


def get_op_ids_in_path(
    ssa: SSA, blob_versions: Mapping[str, int], inputs: Iterable[Any], outputs: Iterable[Any]
) -> list[int]:
    """Indices, in order, of the operators needed for the last version of `outputs`, given the last one of `inputs`."""
    given = {(str(i), blob_versions[str(i)]) for i in inputs}
    producers = get_output_producers(ssa)
    wanted = [(str(o), blob_versions[str(o)]) for o in outputs]
    used: set[int] = set()
    while wanted:
        blob = wanted.pop()
        index = None if blob in given else producers.get(blob)
        if index is not None and index not in used:
            used.add(index)
            wanted.extend(ssa[index][0])
    return sorted(used)
