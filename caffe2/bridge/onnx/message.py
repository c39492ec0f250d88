"""Graphs as ONNX messages and files; the one place that makes them, with the package onnx."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from caffe2.bridge.onnx.graph import Graph, Node
from caffe2.opdef import EnforceNotMet

if TYPE_CHECKING:
    import onnx

LIMIT = 1 << 30
"""Bytes of constants beyond which they go to a file of their own: a message ends at 2 GiB."""


def package(opset: int = 0) -> Any:
    """The package onnx. Raises EnforceNotMet where it is missing, saying how to get it, or does not know an opset."""
    try:
        import onnx
    except ImportError:
        raise EnforceNotMet("ONNX models need the package onnx: pip install caffe2[onnx]") from None
    if opset > (newest := onnx.defs.onnx_opset_version()):
        raise EnforceNotMet(f"opset is {opset}, and the package onnx {onnx.__version__} knows those up to {newest}")
    return onnx


def to_model(graph: Graph, beside: str = "") -> onnx.ModelProto:
    """The model of a graph; its constants lie in the file of the name `beside`, where one is given."""
    o = package(graph.opset)
    found = o.helper.make_model(
        to_graph(graph, beside), producer_name="caffe2", opset_imports=[o.helper.make_opsetid("", graph.opset)]
    )
    if any(dtype is None for dtype, _ in graph.outputs.values()):
        found = o.shape_inference.infer_shapes(found)
    found.ir_version = o.helper.find_min_ir_version_for(list(found.opset_import))
    return found


def to_graph(graph: Graph, beside: str = "") -> onnx.GraphProto:
    """The message of a graph."""
    o = package()
    constants = [_tensor(o, name, array) for name, array in graph.constants.items()] if not beside else []
    made = o.helper.make_graph(
        [_node(o, node) for node in graph.nodes],
        graph.name,
        [_value(o, name, *value) for name, value in graph.inputs.items()],
        [_value(o, name, *value) for name, value in graph.outputs.items()],
        constants,
    )
    if beside:
        made.initializer.extend(_pointers(o, graph, beside))
    return made


def save(graph: Graph, path: str | os.PathLike, limit: int = LIMIT) -> list[Path]:
    """Write a graph as a model; the files written, a second one where the constants are more than `limit` bytes."""
    path = Path(path)
    if sum(array.nbytes for array in graph.constants.values()) <= limit:
        path.write_bytes(to_model(graph).SerializeToString())
        return [path]
    data = path.with_name(f"{path.name}.data")
    with open(data, "wb") as file:
        for array in graph.constants.values():
            file.write(_plain(array))
    path.write_bytes(to_model(graph, data.name).SerializeToString())
    return [path, data]


def _plain(array: np.ndarray) -> np.ndarray:
    """An array as its bytes are written: in order, little-endian."""
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1).view(np.uint8)


def _tensor(o: Any, name: str, array: np.ndarray) -> onnx.TensorProto:
    kind = o.helper.np_dtype_to_tensor_dtype(array.dtype)
    return o.TensorProto(name=name, data_type=kind, dims=array.shape, raw_data=_plain(array).tobytes())


def _pointers(o: Any, graph: Graph, beside: str) -> list[onnx.TensorProto]:
    found, offset = [], 0
    for name, array in graph.constants.items():
        kind = o.helper.np_dtype_to_tensor_dtype(array.dtype)
        tensor = o.TensorProto(name=name, data_type=kind, dims=array.shape)
        tensor.data_location = o.TensorProto.EXTERNAL
        for key, value in (("location", beside), ("offset", offset), ("length", array.nbytes)):
            tensor.external_data.add(key=key, value=str(value))
        offset += array.nbytes
        found.append(tensor)
    return found


def _node(o: Any, node: Node) -> onnx.NodeProto:
    made = o.helper.make_node(node.kind, node.inputs, node.outputs)
    for name, value in node.attributes.items():
        if isinstance(value, Graph):
            value = to_graph(value)
        elif isinstance(value, np.ndarray):
            value = o.numpy_helper.from_array(value)
        elif isinstance(value, np.dtype):
            value = int(o.helper.np_dtype_to_tensor_dtype(value))
        made.attribute.append(o.helper.make_attribute(name, value))
    return made


def _value(o: Any, name: str, dtype: np.dtype | None, shape: Any) -> onnx.ValueInfoProto:
    if dtype is None:
        return o.ValueInfoProto(name=name)
    return o.helper.make_tensor_value_info(name, o.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
