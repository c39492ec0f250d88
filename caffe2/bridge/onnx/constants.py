"""What is known before a net runs: results that are the same in every run, and the shapes of the others."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import torch

from caffe2.bridge.onnx.graph import ROWS
from caffe2.opdef import UNKNOWN, infer, lookup
from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace

OF_SHAPES = frozenset(["CaffePriorBox"])
"""Operators that look at the shapes of their inputs alone."""

OPEN = {"CaffeProposal": ((ROWS, 5), (ROWS,))}
"""Shapes of the outputs of operators that only running tells how many rows there are of."""

FILLS = re.compile(r"\w*Fill|Range")
LARGEST = 1 << 24
"""Results of more elements are left to the model's runtime."""

Metas = Sequence[torch.Tensor | None]
Values = Sequence[np.ndarray | None]


def constant_outputs(op: caffe2_pb2.OperatorDef, metas: Metas, values: Values) -> list[np.ndarray] | None:
    """The outputs of an operator whose inputs are known, or whose inputs' shapes are all that matters; else None."""
    d = lookup(op.type)
    settled = all(v is not None for v in values) and (op.input or FILLS.fullmatch(op.type))
    by_shape = op.type in OF_SHAPES and all(meta is not None for meta in metas)
    if not (settled or by_shape) or d.random or d.blocking or d.empty or not d.stores:
        return None
    if any(meta is not None and meta.numel() > LARGEST for meta in infer(op, list(metas))):
        return None
    found = _run(op, metas, values)
    return found if all(isinstance(v, np.ndarray) and v.dtype != object for v in found) else None


def result_shapes(op: caffe2_pb2.OperatorDef, metas: Metas, values: Values) -> list[torch.Tensor | None]:
    """The outputs as tensors without values; where they depend on blobs in host memory, these must be known."""
    found, d = infer(op, list(metas)), lookup(op.type)
    if op.type in OPEN:
        return [torch.empty(shape, device="meta") for shape in OPEN[op.type]][: len(op.output)]
    if all(m is not None for m in found) or any(m is None for m in metas) or d.shape is UNKNOWN or d.random:
        return found
    host = [v for name, v in _bound(op, values).items() if name in d.host]
    if not host or any(v is None for v in host):
        return found
    made = _run(op, metas, values)
    return [torch.from_numpy(v).to("meta") if isinstance(v, np.ndarray) and v.dtype != object else None for v in made]


def _bound(op: caffe2_pb2.OperatorDef, values: Values) -> dict[str, np.ndarray | None]:
    """The values of the inputs that an operator has, by the header's names."""
    by_place = lookup(op.type).header.inputs.assign(list(range(len(op.input))))
    return {name: values[k] for name, k in by_place.items() if isinstance(k, int)}


def _run(op: caffe2_pb2.OperatorDef, metas: Metas, values: Values) -> list:
    """Run an operator on what is known, and on zeros for the rest."""
    workspace = Workspace()
    for name, meta, value in zip(op.input, metas, values):
        workspace.feed(name, value if value is not None else torch.zeros_like(meta, device="cpu"))
    workspace.run_operator_once(op)
    return [workspace.fetch(name) for name in op.output]
