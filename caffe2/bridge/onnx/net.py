"""Whole nets: a NetDef and the values of its parameters become a Graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from caffe2.bridge.onnx import operators  # noqa: F401  (registers every exporter)
from caffe2.bridge.onnx.call import Call, Unexportable, exporters, numpy_type
from caffe2.bridge.onnx.constants import OPEN, constant_outputs, result_shapes
from caffe2.bridge.onnx.graph import BATCH, ROWS, Graph, reads
from caffe2.bridge.onnx.refused import REFUSED
from caffe2.bridge.onnx.single import single_assignment
from caffe2.opdef import EnforceNotMet
from caffe2.opdef.dtypes import ELEMENT_TYPES
from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace

OPSET = 17
"""The version of ONNX's operators that models are written in unless another is asked for."""

OLDEST = 13
UNKNOWN = "no form of it in ONNX is known here; take it out of the net, or register one: caffe2.bridge.onnx.exports"

Value = tuple[np.dtype, tuple[int, ...]]
TORCH = {t.numpy: t.torch for t in ELEMENT_TYPES}


@dataclass(frozen=True)
class Problem:
    """An operator that cannot be written, by its index in the net."""

    index: int
    op: caffe2_pb2.OperatorDef
    what: str

    def __str__(self) -> str:
        blobs = f"{' '.join(self.op.input)} -> {' '.join(self.op.output)}"
        return f"operator {self.index}, {self.op.type}: {blobs}\n    {self.what}"


class ExportError(EnforceNotMet):
    """A net that cannot be written as ONNX; `problems` has every operator that stands in the way."""

    def __init__(self, name: str, problems: list[Problem]) -> None:
        self.problems = problems
        listed = "\n  ".join(map(str, problems))
        super().__init__(f"{len(problems)} operator(s) of net {name!r} cannot be written as ONNX:\n  {listed}")


def export(
    net: caffe2_pb2.NetDef,
    inputs: Mapping[str, Value],
    params: Mapping[str, np.ndarray] | None = None,
    *,
    opset: int = OPSET,
    dynamic_batch: bool = False,
) -> Graph:
    """The graph of a net whose external outputs are the graph's.

    inputs: element types and shapes of the blobs that are fed. params: values of those that are the same in every run.
    dynamic_batch: the first dimension of inputs, and of outputs where it is of that size, is left open.
    Raises ExportError listing every operator that cannot be written, and EnforceNotMet for a net that contradicts
    itself, or an open batch where inputs have batches of different sizes.
    """
    if opset < OLDEST:
        raise EnforceNotMet(f"opset is {opset}; models are written in {OLDEST} or a newer one")
    _demand_numbers(inputs)
    given, net = net, single_assignment(net)
    known = {name: np.asarray(array) for name, array in (params or {}).items()}
    graph = Graph(net.name or "net", opset, {n for op in net.op for n in (*op.input, *op.output)} | set(known))
    _demand_inputs(net, inputs, known)
    metas = {name: _meta(*value) for name, value in inputs.items()}
    metas |= {name: _meta(array.dtype, array.shape) for name, array in known.items()}
    graph.constants.update(known)
    found = [_export(graph, *both, metas, known) for both in zip(given.op, net.op)]
    problems = [Problem(k, op, what) for k, (op, what) in enumerate(zip(given.op, found)) if what]
    problems += _unwritten(graph, net, inputs) if not problems else []
    if problems:
        raise ExportError(net.name, problems)
    _declare(graph, net, inputs, metas, dynamic_batch)
    return graph


def filled(init_net: caffe2_pb2.NetDef | None) -> dict[str, np.ndarray]:
    """What an init net fills, by name."""
    if init_net is None or not init_net.op:
        return {}
    workspace = Workspace()
    workspace.run_net_once(init_net)
    return {name: workspace.fetch(name) for name in dict.fromkeys(o for op in init_net.op for o in op.output)}


def _meta(dtype: np.dtype, shape: tuple[int, ...]) -> torch.Tensor | None:
    kind = TORCH.get(np.dtype(dtype))
    return torch.empty(tuple(shape), dtype=kind, device="meta") if isinstance(kind, torch.dtype) else None


def _demand_inputs(net: caffe2_pb2.NetDef, inputs: Mapping[str, Value], known: Mapping[str, np.ndarray]) -> None:
    written, missing = {*inputs, *known}, []
    for op in net.op:
        missing += [name for name in op.input if name not in written]
        written.update(op.output)
    if missing:
        names = ", ".join(map(repr, dict.fromkeys(missing)))
        raise EnforceNotMet(f"type and shape of {names} are not known: nothing writes them, and no value is given")


def _demand_numbers(inputs: Mapping[str, Value]) -> None:
    for name, (dtype, _) in inputs.items():
        if not isinstance(TORCH.get(np.dtype(dtype)), torch.dtype):
            raise EnforceNotMet(f"input {name} is of type {dtype}; models are written for numbers and truth values")


def _export(graph: Graph, given: caffe2_pb2.OperatorDef, op: caffe2_pb2.OperatorDef, metas: dict, known: dict) -> str:
    """Write an operator, `op` being `given` with blobs that are written once; what is wrong where it cannot be."""
    blobs, values = [metas.get(name) for name in op.input], [known.get(name) for name in op.input]
    constant = constant_outputs(given, blobs, values)
    for name, array in zip(op.output, constant or ()):
        graph.constants[name] = known[name] = array
        metas[name] = _meta(array.dtype, array.shape)
    if constant is not None:
        return ""
    try:
        metas.update(zip(op.output, result_shapes(given, blobs, values)))
    except EnforceNotMet as error:
        if not graph.open_rows:
            raise
        return f"for a number of rows that only running tells it is no operator: {error}"
    graph.open_rows |= op.type in OPEN
    write = exporters.get(op.type)
    if write is None:
        return REFUSED.get(op.type, UNKNOWN)
    try:
        write(Call(graph, op, metas, known))
    except Unexportable as error:
        return str(error)
    return ""


def _unwritten(graph: Graph, net: caffe2_pb2.NetDef, inputs: Mapping[str, Value]) -> list[Problem]:
    """Operators with an output that is read and that their exporters do not write."""
    have = {*inputs, *graph.constants, *(o for node in graph.nodes for o in node.outputs)}
    read = set(net.external_output).union(*map(reads, graph.nodes))
    found = []
    for k, op in enumerate(net.op):
        lacking = [o for o in op.output if o in read and o not in have]
        what = f"its output {' '.join(lacking)} is not written; let nothing read it"
        found += [Problem(k, op, what)] if lacking else []
    return found


def _declare(graph: Graph, net: caffe2_pb2.NetDef, inputs: Mapping[str, Value], metas: dict, dynamic: bool) -> None:
    """Inputs and outputs; an output that no node writes is a copy."""
    produced = {o for node in graph.nodes for o in node.outputs}
    for name in net.external_output:
        if name not in produced and name in graph.constants:
            graph.add("Identity", [_moved(graph, name)], [name])
    outputs = [name for name in net.external_output if name not in inputs]
    graph.prune(outputs)
    used = set().union(*map(reads, graph.nodes))
    batches = {shape[0] for name, (_, shape) in inputs.items() if shape and name in used}
    if dynamic and len(batches) > 1:
        sizes = ", ".join(map(str, sorted(batches)))
        raise EnforceNotMet(f"inputs have batches of {sizes}: one that is left open is the same for all")
    batch = batches.pop() if dynamic and batches else None

    def opened(shape: tuple[int, ...]) -> tuple[int | str, ...]:
        if graph.open_rows and any(n and n % ROWS == 0 for n in shape):
            return tuple("rows" if n == ROWS else f"{n // ROWS} rows" if n and n % ROWS == 0 else n for n in shape)
        return (BATCH, *shape[1:]) if shape and shape[0] == batch else tuple(shape)

    graph.inputs = {name: (dtype, opened(tuple(shape))) for name, (dtype, shape) in inputs.items() if name in used}
    for name in outputs:
        meta = metas.get(name)
        graph.outputs[name] = (None, None) if meta is None else (numpy_type(meta), opened(tuple(meta.shape)))


def _moved(graph: Graph, name: str) -> str:
    """A constant under another name, so that an output may have its own."""
    other = graph.fresh(name)
    graph.constants[other] = graph.constants.pop(name)
    for k, node in enumerate(graph.nodes):
        if name in node.inputs:
            inputs = tuple(other if i == name else i for i in node.inputs)
            graph.nodes[k] = replace(node, inputs=inputs)
    return other
