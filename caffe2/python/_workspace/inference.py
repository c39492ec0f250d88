"""Shapes, types and costs, asked before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from caffe2.opdef import EnforceNotMet, element_type
from caffe2.proto import caffe2_pb2
from caffe2.python._misuse import demand
from caffe2.python._workspace.names import message
from caffe2.runtime import shapes
from caffe2.runtime.cost import Cost, operator_cost
from caffe2.runtime.workspaces import workspaces


def InferShapesAndTypes(
    nets: Iterable[Any],
    blob_dimensions: Mapping[str, Sequence[int]] | None = None,
    nets_proto: bool = False,
    blob_types: Mapping[str, int] | None = None,
) -> tuple[dict[str, list[int]], dict[str, int]]:
    """Shapes and element types, by blob, that nets run in order would make; what only the data can tell is left out.

    blob_dimensions: shapes to start from, instead of the workspace's blobs; blob_types: their types, float32 without.
    Both results are empty, and an error is logged, where the shapes contradict an operator.
    """
    definitions = [message(net if nets_proto else net.Proto(), caffe2_pb2.NetDef) for net in nets]
    if blob_dimensions is None:
        demand(blob_types is None, "blob_types goes with blob_dimensions")
        found = shapes.from_workspace(definitions, workspaces.current)
    else:
        dims = {str(name): list(shape) for name, shape in blob_dimensions.items()}
        found = shapes.from_map(definitions, dims, blob_types)
    known = [shape for shape in found.shapes if not shape.unknown_shape]
    return {s.name: list(s.dims) for s in known}, {s.name: s.data_type for s in known}


def FillRandomNetworkInputs(
    net: Any, input_dims: Sequence[Sequence[Sequence[int]]], input_types: Sequence[Sequence[str]]
) -> None:
    """Feed the blobs that a net reads but does not write with reals from [0, 1), or integers 0 or 1.

    input_dims, input_types: shapes and element types of the inputs of each operator that reads such blobs, in order.
    Raises EnforceNotMet unless there are as many as such operators, and as they have inputs.
    """
    ops = message(net, caffe2_pb2.NetDef).op
    written = {name for op in ops for name in op.output}
    reading = [op for op in ops if not written.issuperset(op.input)]
    _enforce_one_each("operators", reading, input_dims, input_types)
    for op, dims, types in zip(reading, input_dims, input_types):
        _enforce_one_each(f"inputs of {op.type}", op.input, dims, types)
        for name, shape, kind in zip(op.input, dims, types):
            if name not in written:
                dtype = element_type(kind).torch
                value = torch.rand(tuple(shape)) * (1 if dtype.is_floating_point else 2)
                workspaces.current.put(name, value.to(dtype))


def _enforce_one_each(what: str, items: Sequence[Any], dims: Sequence[Any], types: Sequence[Any]) -> None:
    if not len(items) == len(dims) == len(types):
        raise EnforceNotMet(f"FillRandomNetworkInputs: {len(dims)} shapes, {len(types)} types, {len(items)} {what}")


def GetOperatorCost(operator: Any, blobs: Iterable[Any]) -> Cost:
    """(flops, bytes written) of an operator on the blobs that are its inputs."""
    values = [workspaces.current.require(str(name)).value for name in blobs]
    return operator_cost(message(operator, caffe2_pb2.OperatorDef), values)
