"""Less memory for nets: blobs that are not needed at the same time share a name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from caffe2.proto import caffe2_pb2
from caffe2.python import _import_c_extension as C
from caffe2.python._core.net import Net
from caffe2.python._memonger.graph import (
    Graph,
    compute_interference_graph,
    topological_sort_traversal,
    topological_sort_traversal_longest_path,
)
from caffe2.python._memonger.memory import (
    Statistics,
    blob_nbytes,
    collect_blob_sizes,
    compute_statistics,
    estimate_memory_usage,
    release_blobs_when_used,
)
from caffe2.python._memonger.ranges import (
    Assignment,
    AssignmentAlgorithm,
    LiveRange,
    compute_assignments,
    compute_assignments_dp,
    compute_assignments_greedy,
    compute_blob_assignments,
    compute_ranges,
    get_memory_usage,
    get_updated_ranges,
    is_compatible,
    verify_assignments,
)
from caffe2.python._memonger.verify import verify_graph_equality, verify_inplace_blobs
from caffe2.python._misuse import demand
from caffe2.rewrite.recycle import rename_blobs

__all__ = [
    "AssignmentAlgorithm",
    "LiveRange",
    "Optimization",
    "Statistics",
    "apply_assignments",
    "blob_nbytes",
    "collect_blob_sizes",
    "compute_assignments",
    "compute_assignments_dp",
    "compute_assignments_greedy",
    "compute_blob_assignments",
    "compute_interference_graph",
    "compute_ranges",
    "compute_statistics",
    "estimate_memory_usage",
    "get_memory_usage",
    "get_updated_ranges",
    "is_compatible",
    "optimize_inference_fast",
    "optimize_inference_for_dag",
    "optimize_interference",
    "release_blobs_when_used",
    "share_grad_blobs",
    "topological_sort_traversal",
    "topological_sort_traversal_longest_path",
    "verify_assignments",
    "verify_graph_equality",
    "verify_inplace_blobs",
]

log = logging.getLogger("memonger")


def share_grad_blobs(
    net: Net,
    losses: Iterable[Any],
    param_grads: Collection[Any],
    namescope: str,
    dont_share_blobs: Collection[str] | None = None,
    share_activations: bool = False,
    blob_shapes: Mapping[str, Sequence[int]] | None = None,
) -> caffe2_pb2.NetDef:
    """The definition of a net in which gradients within `namescope` share names; assign it to net._net.

    Shared are blobs *_grad that are not in `param_grads`, and with `share_activations` outputs of layers too, but for
    the last two. dont_share_blobs keep their names. blob_shapes: blobs nearest in size share first.
    """
    prefix = namescope if not namescope or namescope.endswith("/") else f"{namescope}/"
    parameters = set(map(str, param_grads))

    def is_gradient(name: str) -> bool:
        ours = name.startswith((prefix, f"_{prefix}"))  # the second are parts of a sum of gradients
        return name.endswith("_grad") and ours and name not in parameters

    proto = net.Proto()
    positions = [k for k, op in enumerate(proto.op) if any(map(is_gradient, (*op.input, *op.output)))]
    blobs = {name for op in proto.op for name in (*op.input, *op.output)}
    activations = set(_activations(proto)[:-2]) if share_activations else set()
    shared = {name for name in blobs if is_gradient(name) or name in activations}
    return _recycled(proto, losses, positions, shared, prefix, dont_share_blobs or (), blob_shapes or {})


def _activations(proto: caffe2_pb2.NetDef) -> list[str]:
    """Outputs of layers: blobs x of operators that read a parameter x_w; not those of the net."""
    outputs = [name for op in proto.op for name in op.output if f"{name}_w" in op.input]
    return [name for name in outputs if name not in proto.external_output]


def optimize_inference_for_dag(net: Net, input_blobs: Iterable[Any], namescope: str = "") -> caffe2_pb2.NetDef:
    """The definition of a net without gradients in which blobs share names, whatever executor runs it.

    Raises Misuse where the net has gradient operators, or reads what it neither makes nor takes in.
    """
    proto = net.Proto()
    outside = {*proto.external_input, *proto.external_output}
    made: set[str] = set()
    for op in proto.op:
        demand(not op.is_gradient_op, "You can only pass inference-only nets to optimize_inference_for_dag")
        for name in op.input:
            demand(name in outside or name in made, f"{name} not in external input")
        made.update(op.output)
    shared = made - outside
    return _recycled(proto, input_blobs, range(len(proto.op)), shared, namescope, (), {})


def _recycled(
    proto: caffe2_pb2.NetDef,
    heads: Iterable[Any],
    positions: Iterable[int],
    shared: Collection[str],
    namescope: str,
    dont_share: Collection[str],
    shapes: Mapping[str, Sequence[int]],
) -> caffe2_pb2.NetDef:
    made = caffe2_pb2.NetDef.FromString(
        C.memonger_compute_blob_recycling_for_dag(
            proto.SerializeToString(), [str(h) for h in heads], list(positions), shared, namescope, dont_share, shapes
        )
    )
    demand(verify_graph_equality(proto, made), "Memonger graph is not equal to original.")
    demand(verify_inplace_blobs(proto, made), "Inplace assignments differ in memonger net.")
    return made


def optimize_inference_fast(net: caffe2_pb2.NetDef, static_blobs: Iterable[Any]) -> caffe2_pb2.NetDef:
    """A net of type "simple" in which blobs that are not static share names; any other as it is."""
    made = C.memonger_optimize_inference_net(net.SerializeToString(), [str(b) for b in static_blobs])
    return caffe2_pb2.NetDef.FromString(made)


class Optimization(NamedTuple):
    """A net whose blobs share names, which do, and the name each has got."""

    net: caffe2_pb2.NetDef
    assignments: list[Assignment]
    blob_assignments: dict[str, str]


def optimize_interference(
    net: caffe2_pb2.NetDef,
    static_blobs: Collection[Any],
    ordering_function: Callable[[Graph], Iterable[int]] = topological_sort_traversal,
    blob_sizes: Mapping[str, int] | None = None,
    algo: AssignmentAlgorithm = AssignmentAlgorithm.GREEDY,
) -> Optimization:
    """A net in another order of operators in which blobs that are not static share names; to be run in that order.

    ordering_function: topological_sort_traversal, or ..._longest_path, which takes longer and saves more.
    blob_sizes: without them, all blobs count alike.
    """
    made = caffe2_pb2.NetDef()
    made.CopyFrom(net)
    del made.op[:]
    made.op.extend(net.op[k] for k in ordering_function(compute_interference_graph(net.op)))
    static = set(map(str, static_blobs))
    assignments = compute_assignments(compute_ranges(made.op, blob_sizes), static, algo)
    names = compute_blob_assignments(assignments)
    apply_assignments(made, names)
    return Optimization(net=made, assignments=assignments, blob_assignments=names)


def apply_assignments(net: caffe2_pb2.NetDef, blob_assignments: Mapping[str, str]) -> None:
    """Rename the blobs of a net, in place, within the step nets of its recurrent networks too."""
    rename_blobs(net, blob_assignments)
