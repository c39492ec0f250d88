"""Running ONNX models by others: onnxruntime where it is installed, else onnx's own reference evaluator."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from caffe2.bridge.onnx.message import package


def evaluator() -> str:
    """The name of what runs models here."""
    try:
        import onnxruntime  # noqa: F401
    except ImportError:
        return "onnx.reference"
    return "onnxruntime"


def run(model: str | os.PathLike | bytes, inputs: Mapping[str, np.ndarray], by: str = "") -> dict[str, np.ndarray]:
    """The outputs of a model, a path or its bytes, for inputs by name; those that it lacks are left out.

    by: onnxruntime or onnx.reference, instead of what `evaluator` says.
    """
    path = model if isinstance(model, bytes) else os.fspath(model)
    if (by or evaluator()) == "onnxruntime":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        names = [o.name for o in session.get_outputs()]
        found = session.run(names, {i.name: inputs[i.name] for i in session.get_inputs()})
    else:
        package()
        from onnx.reference import ReferenceEvaluator

        session = ReferenceEvaluator(path)
        names = session.output_names
        found = session.run(names, {name: inputs[name] for name in session.input_names})
    return dict(zip(names, map(np.asarray, found)))
