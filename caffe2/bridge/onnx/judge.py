"""Running ONNX models by others: onnxruntime where it is installed, else onnx's own reference evaluator."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np

from caffe2.bridge.onnx.message import package
from caffe2.opdef import EnforceNotMet


def evaluator() -> str:
    """The name of what runs models here."""
    try:
        import onnxruntime  # noqa: F401
    except ImportError:
        return "onnx.reference"
    return "onnxruntime"


def check(path: str | os.PathLike) -> None:
    """Raises EnforceNotMet where onnx finds a model's file invalid."""
    o = package()
    try:
        o.checker.check_model(os.fspath(path), full_check=True)
    except (o.checker.ValidationError, o.shape_inference.InferenceError) as error:
        raise EnforceNotMet(f"{path} is no valid model: {error}") from None


def run(model: str | os.PathLike | bytes, inputs: Mapping[str, np.ndarray], by: str = "") -> dict[str, np.ndarray]:
    """The outputs of a model, a path or its bytes, for inputs by name; those that it lacks are left out.

    by: onnxruntime or onnx.reference, instead of what `evaluator` says. Raises EnforceNotMet where that refuses.
    """
    path, judge = model if isinstance(model, bytes) else os.fspath(model), by or evaluator()
    try:
        return (_onnxruntime if judge == "onnxruntime" else _reference)(path, inputs)
    except Exception as error:  # the classes of these packages have no base of their own
        raise EnforceNotMet(f"{judge} does not run the model: {error}; it may know another opset") from error


def _onnxruntime(path: str | bytes, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, {i.name: inputs[i.name] for i in session.get_inputs()})))


def _reference(path: str | bytes, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    package()
    from onnx.reference import ReferenceEvaluator

    session = ReferenceEvaluator(path)
    found = session.run(None, {name: inputs[name] for name in session.input_names})
    return dict(zip(session.output_names, map(np.asarray, found)))
