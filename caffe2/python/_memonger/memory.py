"""How much memory the blobs of nets take, and operators that give it back."""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from caffe2.opdef import EnforceNotMet, element_type
from caffe2.proto import caffe2_pb2
from caffe2.python import workspace
from caffe2.python._core.blob_reference import BlobReference
from caffe2.python._core.create import CreateOperator
from caffe2.python._memonger.ranges import Assignment

log = logging.getLogger("memonger")


def estimate_memory_usage(
    protos: Iterable[caffe2_pb2.NetDef],
    shapes: Mapping[str, Sequence[int]],
    types: Mapping[str, int],
    devicescope: caffe2_pb2.DeviceOption,
) -> tuple[int, int, dict[str, int]]:
    """Bytes that nets, run in order by one thread, allocate on a device: in all, at most at once, and by operator type.

    shapes, types: of blobs, as workspace.InferShapesAndTypes gives them. What operators need within is not known.
    """

    def size(blob: str) -> int:
        if blob not in shapes or blob not in types:
            log.warning("the shape of blob %s is not known, it counts as empty", blob)
            return 0
        return element_type(types[blob]).numpy.itemsize * math.prod(shapes[blob])

    held: set[str] = set()
    by_type: defaultdict[str, int] = defaultdict(int)
    now = most = 0
    for op in (op for proto in protos for op in proto.op):
        if op.type in ("Free", "Alias"):
            freed = held.intersection(op.output)
            held -= freed
            now -= sum(map(size, freed))
        elif op.device_option == devicescope:
            new = {blob: size(blob) for blob in op.output if blob not in held}
            held.update(new)
            now += sum(new.values())
            by_type[op.type] += sum(new.values())
            most = max(most, now)
    return sum(by_type.values()), most, by_type


def release_blobs_when_used(
    netproto: caffe2_pb2.NetDef,
    dont_free_blobs: Collection[str],
    selector_fun: Callable[[str], bool] | None = None,
) -> caffe2_pb2.NetDef:
    """A net with a Free operator after the last use of each blob that it makes and reads.

    Blobs stay that are external outputs, in `dont_free_blobs`, not chosen by `selector_fun`, or have an Alias.
    """
    aliased = {op.input[0] for op in netproto.op if op.type == "Alias"}
    kept = aliased.union(netproto.external_output, dont_free_blobs)
    read: set[str] = set()
    made: set[str] = set()
    last_use: dict[str, int] = {}
    for position, op in enumerate(netproto.op):
        if op.type == "Alias":
            continue
        read.update(op.input)
        made.update(blob for blob in op.output if blob not in read)
        last_use.update(dict.fromkeys(op.input, position))
    freed: defaultdict[int, list[str]] = defaultdict(list)
    for blob, position in last_use.items():
        if blob in made and blob not in kept and (selector_fun is None or selector_fun(blob)):
            freed[position].append(blob)
    with_frees = caffe2_pb2.NetDef()
    with_frees.CopyFrom(netproto)
    del with_frees.op[:]
    for position, op in enumerate(netproto.op):
        with_frees.op.append(op)
        references = map(BlobReference, freed[position])
        with_frees.op.extend(CreateOperator("Free", [blob], [blob]) for blob in references)
    return with_frees


class Statistics(NamedTuple):
    """Bytes of blobs one by one, and where those that share a name count as the largest of them."""

    baseline_nbytes: int
    optimized_nbytes: int


def blob_nbytes(blob: str) -> int:
    """Bytes of the tensor in a blob of the current workspace; 0 where it holds none."""
    try:
        return workspace.FetchBlob(blob).nbytes
    except (EnforceNotMet, AttributeError, TypeError):
        log.warning("blob %s holds no tensor, it counts as empty", blob)
        return 0


def compute_statistics(assignments: Iterable[Assignment]) -> Statistics:
    """What assignments save, by the blobs in the current workspace."""
    sizes = [[blob_nbytes(name) for name, _ in assignment] for assignment in assignments]
    return Statistics(sum(map(sum, sizes)), sum(map(max, sizes)))


def collect_blob_sizes(net: caffe2_pb2.NetDef) -> dict[str, int]:
    """Bytes of each blob of a net in the current workspace."""
    return {blob: blob_nbytes(blob) for op in net.op for blob in (*op.input, *op.output)}
