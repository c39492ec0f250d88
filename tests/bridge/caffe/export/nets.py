"""Small Caffe2 nets for tests, written as Caffe's and read back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from caffe2.bridge.caffe.export import CaffeNet, export, proof, write
from caffe2.proto import caffe2_pb2
from caffe2.python import core


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    """Standard normal numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def net(*ops: tuple[str, str, str, dict[str, Any]]) -> caffe2_pb2.NetDef:
    """A net of (type, inputs, outputs, arguments), blobs parted by spaces; the last outputs are the net's."""
    made = caffe2_pb2.NetDef(name="test")
    for kind, inputs, outputs, args in ops:
        made.op.append(core.CreateOperator(kind, inputs.split(), outputs.split(), **args))
    made.external_output.extend(made.op[-1].output)
    return made


def written(
    predict: caffe2_pb2.NetDef, params: Mapping[str, np.ndarray], folder: Path, **options: Any
) -> tuple[CaffeNet, list[str]]:
    """The Caffe net of a net, its files proven, and the types of its layers but for the inputs."""
    made = export(params, predict, **options)
    files = folder / "net.prototxt", folder / "net.caffemodel"
    write(made, *files)
    report = proof(made, *files)
    assert report.passed, report.table()
    return made, [layer.type for layer in made.proto.layer if layer.type != "Input"]
