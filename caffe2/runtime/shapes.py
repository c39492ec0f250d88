"""Shapes and element types of the blobs of whole nets, without running them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from caffe2.opdef import STRING, EnforceNotMet, UnknownOperator, element_type, infer
from caffe2.opdef.dtypes import BY_TORCH
from caffe2.proto import caffe2_pb2
from caffe2.runtime.blob import Int8Tensor, OfflineTensor, describe
from caffe2.runtime.workspace import Workspace

logger = logging.getLogger(__name__)


class Known(NamedTuple):
    """What is known of a blob: shape, number of the element type, and a meta tensor, where torch has that type."""

    shape: tuple[int, ...]
    type: int
    meta: torch.Tensor | None


Table = dict[str, "Known | None"]
"""Blobs and what is known of them; None where nothing is."""


def from_workspace(nets: Iterable[caffe2_pb2.NetDef], workspace: Workspace) -> caffe2_pb2.TensorShapes:
    """Shapes and types of the tensors in a workspace and of all that nets make of them, run in order."""
    return _inferred(nets, {name: _of_value(workspace.require(name).value) for name in workspace.names()})


def from_map(
    nets: Iterable[caffe2_pb2.NetDef], dims: Mapping[str, Sequence[int]], types: Mapping[str, int] | None = None
) -> caffe2_pb2.TensorShapes:
    """Shapes and types of blobs of given shapes and of all that nets make of them; float32 where `types` does not say.

    Raises EnforceNotMet for a negative dimension.
    """
    table: Table = {}
    for name, shape in dims.items():
        if any(d < 0 for d in shape):
            raise EnforceNotMet(f"the blob {name!r} is given the shape {list(shape)}")
        table[name] = _known(shape, element_type((types or {}).get(name, 1)).torch)
    return _inferred(nets, table)


def _known(shape: Sequence[int], kind: Any) -> Known:
    meta = None if kind is STRING else torch.empty(tuple(shape), dtype=kind, device="meta")
    return Known(tuple(shape), BY_TORCH[kind].number, meta)


def _of_value(value: Any) -> Known | None:
    if isinstance(value, Int8Tensor):
        return _known(value.data.shape, value.data.dtype)._replace(meta=None)
    if isinstance(value, np.ndarray):
        return _known(value.shape, STRING)
    if isinstance(value, OfflineTensor):
        return _known(value.shape, value.dtype)
    return _known(value.shape, value.dtype) if isinstance(value, torch.Tensor) and value.dtype in BY_TORCH else None


def _inferred(nets: Iterable[caffe2_pb2.NetDef], table: Table) -> caffe2_pb2.TensorShapes:
    """The table of blobs after the nets; empty, as the original has it, where shapes contradict an operator."""
    found = caffe2_pb2.TensorShapes()
    for net in nets:
        for op in net.op:
            try:
                _pass(op, table)
            except UnknownOperator as error:
                logger.warning("%s: its outputs stay unknown", error)
            except EnforceNotMet as error:
                shown = ", ".join(f"{n} {describe(k.meta) if (k := table.get(n)) else 'unknown'}" for n in op.input)
                logger.error("no shapes are inferred: net %r contradicts itself\n%s\n  %s", net.name, error, shown)
                return found
    for name in sorted(table):
        known = table[name]
        if known is None:
            found.shapes.add(name=name, unknown_shape=True)
        else:
            found.shapes.add(name=name, dims=known.shape, data_type=known.type)
    return found


def _pass(op: caffe2_pb2.OperatorDef, table: Table) -> None:
    """Enter the outputs of one operator; one with inputs that the table does not name is left out."""
    if "Enqueue" in op.type or "Dequeue" in op.type or any(name not in table for name in op.input):
        return
    if op.type == "Sum":
        _agree(op.input, table)
    metas = [known.meta if (known := table[name]) else None for name in op.input]
    for name, meta in zip(op.output, infer(op, metas)):
        made = _known(meta.shape, meta.dtype) if meta is not None and meta.dtype in BY_TORCH else None
        if made is None and op.is_gradient_op and name.endswith("_grad"):
            made = table.get(name.removesuffix("_grad"))
        table[name] = made
    if op.type == "Sum":
        _agree([*op.input, *op.output], table)


def _agree(names: Sequence[str], table: Table) -> None:
    """Enter what is known of one of some blobs for all: a gradient's terms may tell each other's shape."""
    known = next((k for name in names if (k := table[name])), None)
    for name in names:
        table[name] = table[name] or known
