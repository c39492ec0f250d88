"""A translated Caffe net as an ONNX model, and the proof that the model computes what the net does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from caffe2.bridge.caffe.net import Net
from caffe2.bridge.caffe.translate.builder import Translation
from caffe2.bridge.caffe.translate.model import as_filled, without_params
from caffe2.bridge.caffe.verify import TOLERANCE
from caffe2.bridge.onnx import OPSET, Graph, export, filled, judge
from caffe2.bridge.onnx.single import single_assignment
from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace

Arrays = dict[str, np.ndarray]
FLOAT = np.dtype(np.float32)


@dataclass(frozen=True)
class Output:
    """One output of a model beside that of the net: how far they are apart at most; infinite for another shape."""

    name: str
    shape: tuple[int, ...]
    difference: float
    passed: bool

    def __str__(self) -> str:
        shape = "x".join(map(str, self.shape)) or "one number"
        return f"{self.name}  {shape}  max |diff| {self.difference:.3g}  {'ok' if self.passed else 'DIFFERS'}"


def onnx_graph(
    net: Net,
    made: Translation,
    predict_net: caffe2_pb2.NetDef,
    *,
    opset: int = OPSET,
    dynamic_batch: bool = False,
) -> tuple[Graph, Arrays]:
    """The graph of a translated net, and the parameters that are in it; those without weights filled as Caffe would.

    Raises ExportError listing every operator that ONNX cannot say, and EnforceNotMet for an input of unknown shape.
    """
    shapes = {**net.inputs, **made.inputs}
    unknown = [name for name, shape in shapes.items() if shape is None]
    if unknown:
        raise EnforceNotMet(f"the shape of {', '.join(unknown)} is not known: a model needs it; give input shapes")
    params = {name: as_filled(array) for name, array in made.params.items()}
    params |= {name: value for name, value in filled(without_params(net, made)).items() if name not in shapes}
    inputs = {name: (FLOAT, tuple(shape)) for name, shape in shapes.items()}
    return export(predict_net, inputs, params, opset=opset, dynamic_batch=dynamic_batch), params


def compare(
    path: str | os.PathLike,
    predict_net: caffe2_pb2.NetDef,
    params: Mapping[str, np.ndarray],
    inputs: Mapping[str, np.ndarray],
) -> list[Output]:
    """The outputs of a model's file beside those of the net, on the same inputs."""
    workspace = Workspace()
    for name, value in {**params, **inputs}.items():
        workspace.feed(name, value)
    workspace.run_net_once(predict_net)
    found = judge.run(path, inputs)
    names = dict(zip(single_assignment(predict_net).external_output, predict_net.external_output))
    return [_output(name, workspace.fetch(names[name]), value) for name, value in found.items()]


def _output(name: str, want: np.ndarray, got: np.ndarray) -> Output:
    if got.shape != want.shape:
        return Output(name, got.shape, float("inf"), False)
    a, b = got.astype(np.float64), want.astype(np.float64)
    with np.errstate(invalid="ignore"):
        apart = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    apart = np.where(np.isnan(apart), np.inf, apart)
    top = np.abs(b[np.isfinite(b)]).max(initial=0.0)
    good = bool((apart <= TOLERANCE * (top + np.abs(np.nan_to_num(b))) + 1e-7).all())
    return Output(name, got.shape, float(apart.max(initial=0.0)), good)
