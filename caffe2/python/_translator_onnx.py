"""The options of the translator's command that write an ONNX model."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from caffe2.bridge.caffe.net import Net
from caffe2.bridge.caffe.noise import noise
from caffe2.bridge.caffe.onnx import Arrays, Output, compare, onnx_graph
from caffe2.bridge.caffe.translate.builder import Translation
from caffe2.bridge.onnx import OPSET, Graph, judge, save
from caffe2.bridge.onnx.graph import BATCH
from caffe2.bridge.onnx.message import package
from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2

PATIENCE = 1 << 24
"""Parameters up to which onnx's reference evaluator, which is slow, judges a model."""


def add_onnx_options(p: argparse.ArgumentParser) -> None:
    """Add the options to a parser."""
    p.add_argument("--onnx", type=Path, metavar="FILE.onnx", help="also write the net as an ONNX model")
    p.add_argument("--onnx_opset", type=int, default=OPSET, help=f"version of ONNX's operators, {OPSET} by default")
    p.add_argument("--onnx_dynamic_batch", action="store_true", help="leave the batch of the ONNX model open")


def onnx_model(
    a: argparse.Namespace, net: Net, made: Translation, predict_net: caffe2_pb2.NetDef
) -> tuple[Graph, Arrays] | None:
    """The graph that the options ask for, and its parameters; None where they ask for none.

    Raises ExportError listing every operator that ONNX cannot say, before a file is written.
    """
    if a.onnx is None:
        return None
    package(a.onnx_opset)
    return onnx_graph(net, made, predict_net, opset=a.onnx_opset, dynamic_batch=a.onnx_dynamic_batch)


def write_onnx(
    a: argparse.Namespace,
    model: tuple[Graph, Arrays] | None,
    net: Net,
    predict_net: caffe2_pb2.NetDef,
    verified: bool,
) -> int:
    """Write a model; 1 where it was to be verified and computes something else than the net."""
    if model is None:
        return 0
    (graph, params), path = model, a.out / a.onnx
    written = save(graph, path)
    print(f"wrote {' and '.join(map(str, written))} ({len(graph.nodes)} nodes, opset {graph.opset})")
    if not verified:
        return 0
    judge.check(path)
    if judge.evaluator() != "onnxruntime" and sum(v.size for v in params.values()) > PATIENCE:
        print(f"{path} is valid; it was not run: pip install onnxruntime")
        return 0
    rows = compare(path, predict_net, params, noise(net))
    if a.onnx_dynamic_batch:
        rows += _open_compared(graph, written, predict_net, params, net)
    print("\n".join(map(str, rows)))
    good = all(row.passed for row in rows)
    print(
        f"{path}: {'what the translated net computes' if good else 'NOT what the net computes'} ({judge.evaluator()})"
    )
    return 0 if good else 1


def _open_compared(
    graph: Graph, written: list[Path], predict_net: caffe2_pb2.NetDef, params: Arrays, net: Net
) -> list[Output]:
    """The outputs for a batch of another size; a net that takes none leaves no file behind."""
    try:
        return compare(written[0], predict_net, params, _more(graph, net))
    except EnforceNotMet as error:
        for path in written:
            path.unlink()
        raise EnforceNotMet(f"the net takes no other batch: leave --onnx_dynamic_batch out\n{error}") from error


def _more(graph: Graph, net: Net) -> dict[str, np.ndarray]:
    """Values for a batch of twice the size, where it is open."""
    first, second = noise(net), noise(net, 1)
    for name, (_, shape) in graph.inputs.items():
        if BATCH in shape:
            first[name] = np.concatenate([first[name], second[name]])
    return first
