"""Every operator that is written, on the laws' samples, computed by others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from caffe2.bridge.onnx import ExportError, export, exporters, judge, to_model
from caffe2.opdef import lookup
from caffe2.proto import caffe2_pb2
from tests.sample import Sample, load_all, samples_of

onnx = pytest.importorskip("onnx")
load_all()

REFUSED = {
    "BatchGather": 1,
    "CaffeDetectionOutput": 1,
    "ConstantFill": 3,
    "ConvTranspose": 4,
    "Dropout": 2,
    "Gather": 1,
    "Im2Col": 1,
    "LRN": 1,
    "ReduceBackMax": 1,
    "ReduceBackMean": 1,
    "ReduceBackSum": 1,
    "ReduceFrontMax": 1,
    "ReduceFrontMean": 1,
    "ReduceFrontSum": 1,
    "SpatialBN": 6,
    "TopK": 1,
}
"""How many samples of an operator ask for what ONNX cannot say."""


def numbers(kind: str) -> Iterator[tuple[Sample, list[np.ndarray]]]:
    """The samples of an operator that hold numbers, and some: runtimes find no extreme among none."""
    for sample in samples_of(kind):
        values = [np.asarray(v() if callable(v) else v) for v in sample.inputs]
        if all(v.dtype != object for v in values) and not (kind.startswith("Arg") and not values[0].size):
            yield sample, values


def compare(sample: Sample, values: list[np.ndarray], by: str = "") -> None:
    """Run an operator here and as a model; blobs in host memory, such as shapes, are constants of the model."""
    op, d, workspace = sample.definition(), lookup(sample.op), sample.workspace()
    blobs = {f"i{k}": v for k, v in enumerate(values)}
    bound = d.header.inputs.assign(list(blobs))
    host = {bound[name] for name in d.host if isinstance(bound.get(name), str)}
    fed = {name: v for name, v in blobs.items() if name not in host}
    net = caffe2_pb2.NetDef(name="one", op=[op], external_output=op.output[:1])
    types = {name: (v.dtype, v.shape) for name, v in fed.items()}
    graph = export(net, types, {name: v for name, v in blobs.items() if name in host})
    model = to_model(graph)
    onnx.checker.check_model(model, full_check=True)
    (got,) = judge.run(model.SerializeToString(), fed, by).values()
    workspace.run_operator_once(op)
    want = workspace.fetch(op.output[0])
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", sorted(exporters))
def test_a_model_computes_what_the_operator_does(kind: str) -> None:
    refused, agreed = 0, 0
    for sample, values in numbers(kind):
        try:
            compare(sample, values)
            agreed += 1
        except ExportError:
            refused += 1
    assert refused == REFUSED.get(kind, 0) and agreed
