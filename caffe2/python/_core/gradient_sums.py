"""Sums of gradients: where several operators use a blob, the parts of its gradient are renamed and added up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from caffe2.proto import caffe2_pb2
from caffe2.python._core.blob_reference import BlobReference, GradientSlice
from caffe2.python._core.create import CreateOperator
from caffe2.python._core.devices import device_option_equal

IS_AUTO_GEN_SUM_OPS_TAG = "is_auto_gen_sum_ops"
ONLY_KEEP_IS_AUTO_GEN_SUM_OPS_TAG = "only_keep_is_auto_gen_sum_ops_tag"


class GradGenMeta(NamedTuple):
    """Where a dense gradient comes from: output `idx` of `grad_op`; without one, it is handed through."""

    grad_op: caffe2_pb2.OperatorDef | None
    idx: int | None
    gradient: Any
    device_option: caffe2_pb2.DeviceOption


class SparseGradGenMeta(NamedTuple):
    """Where the indices and the values of a sparse gradient come from; an operator that is None hands them through."""

    grad_op_indices: caffe2_pb2.OperatorDef | None
    idx_indices: int
    grad_op_values: caffe2_pb2.OperatorDef | None
    idx_values: int
    gradient: GradientSlice
    device_option: caffe2_pb2.DeviceOption


Generators = Sequence["GradGenMeta | SparseGradGenMeta"]


def need_sum(generators: Generators) -> bool:
    """Whether these parts of one gradient have to be added up.

    Raises RuntimeError where some are sparse and some dense, or where they live on different devices.
    """
    if len({type(g) for g in generators}) > 1:
        raise RuntimeError("some of its uses give a sparse gradient and others a dense one; these cannot be added up")
    options = [g.device_option for g in generators]
    if any(not device_option_equal(option, options[0]) for option in options[1:]):
        raise RuntimeError("the gradient operators of its uses run on different devices")
    return len(generators) > 1


def make_sum(generators: Generators, input_name: str) -> tuple[list[caffe2_pb2.OperatorDef], str | GradientSlice]:
    """The operators that add up the parts of the gradient of `input_name`, and the name of what they make.

    The operators that made the parts write to `_<name>_autosplit_<k>` afterwards.
    """
    total = _total_name(generators, input_name)
    make = _sum_dense if isinstance(generators[0], GradGenMeta) else _concatenate_sparse
    ops, gradient = make(generators, total)
    for op in ops:
        _set_device(op, [g.device_option for g in generators])
    return ops, gradient


def _total_name(generators: Generators, input_name: str) -> str:
    for g in generators:
        if isinstance(g, GradGenMeta):
            if g.grad_op:
                return g.grad_op.output[g.idx]
        elif g.grad_op_indices:
            return g.grad_op_indices.output[g.idx_indices].removesuffix("_indices")
        elif g.grad_op_values:
            return g.grad_op_values.output[g.idx_values].removesuffix("_values")
    return f"{input_name}_grad"


def _set_device(op: caffe2_pb2.OperatorDef, options: Sequence[caffe2_pb2.DeviceOption]) -> None:
    """Put a sum where its parts are, and mark it as made here; parts may ask that nothing but the mark is kept."""
    if not any(f"{ONLY_KEEP_IS_AUTO_GEN_SUM_OPS_TAG}:1" in option.extra_info for option in options):
        op.device_option.CopyFrom(options[0])
    op.device_option.extra_info.append(f"{IS_AUTO_GEN_SUM_OPS_TAG}:1")


def _sum_dense(generators: Generators, total: str) -> tuple[list[caffe2_pb2.OperatorDef], str]:
    parts: list[str] = []
    renamed = 0
    made = False
    for g in generators:
        if g.grad_op is None:
            parts.append(_passed_through(g.gradient, total))
        elif not made:
            made = True
            parts.append(g.grad_op.output[g.idx])
        else:
            parts.append(_rename(g.grad_op, g.idx, renamed))
            renamed += 1
    if total in parts:  # Sum may overwrite its first input only
        at = parts.index(total)
        parts[0], parts[at] = parts[at], parts[0]
    return [CreateOperator("Sum", list(map(BlobReference, parts)), BlobReference(total))], total


def _concatenate_sparse(generators: Generators, total: str) -> tuple[list[caffe2_pb2.OperatorDef], GradientSlice]:
    """Sparse gradients are added up by concatenation; equal indices are left to whoever applies the gradient."""
    makers = {
        "indices": [(g.grad_op_indices, g.idx_indices, g.gradient.indices) for g in generators],
        "values": [(g.grad_op_values, g.idx_values, g.gradient.values) for g in generators],
    }
    ops = []
    for part, made_by in makers.items():
        names, renamed = [], 0
        for op, index, given in made_by:
            if op is None:
                names.append(_passed_through(given, total))
            else:
                names.append(_rename(op, index, renamed))
                renamed += 1
        outputs = [BlobReference(f"{total}_{part}_concat"), BlobReference(f"{total}_{part}_concat_split")]
        ops.append(CreateOperator("Concat", list(map(BlobReference, names)), outputs, axis=0))
    return ops, GradientSlice(f"{total}_indices_concat", f"{total}_values_concat")


def _rename(op: caffe2_pb2.OperatorDef, index: int, count: int) -> str:
    name = f"_{op.output[index]}_autosplit_{count}"
    if op.type == "If":
        disambiguate_grad_if_op_output(op, index, name)
    op.output[index] = name
    return name


def _passed_through(gradient: Any, total: str) -> str:
    if str(gradient) == total:
        raise RuntimeError(
            f"the gradient {total!r} is handed through by one operator and is to hold the sum of several; rename it"
        )
    return str(gradient)


def disambiguate_grad_if_op_output(grad_op: caffe2_pb2.OperatorDef, idx: int, new_grad_output: str) -> None:
    """Rename output `idx` of an If operator, in the nets that it holds too."""
    old = grad_op.output[idx]
    for arg in grad_op.arg:
        for op in arg.n.op if arg.name in ("then_net", "else_net") else ():
            op.output[:] = [new_grad_output if name == old else name for name in op.output]
    grad_op.output[idx] = new_grad_output
