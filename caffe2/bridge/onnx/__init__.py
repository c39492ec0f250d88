"""Caffe2 nets as ONNX models.

`export(net, inputs, params)` gives a `Graph` of a predict net, `save(graph, path)` writes it as a model, and
`judge.run(path, inputs)` computes it by onnxruntime, or by onnx's reference evaluator. Graphs are made without the
package onnx; only `message` and `judge` need it.

An operator is written by its exporter, a function of a `Call` registered by `@exports("Type")` in `operators/`, which
knows the shapes of the operator's blobs, its arguments with their defaults, and the values of those that are constant.
"""

from caffe2.bridge.onnx.call import Call, Unexportable, exporters, exports
from caffe2.bridge.onnx.graph import Graph, Node
from caffe2.bridge.onnx.message import save, to_graph, to_model
from caffe2.bridge.onnx.net import OPSET, ExportError, Problem, export, filled

__all__ = [
    "OPSET",
    "Call",
    "ExportError",
    "Graph",
    "Node",
    "Problem",
    "Unexportable",
    "export",
    "exporters",
    "exports",
    "filled",
    "save",
    "to_graph",
    "to_model",
]
