"""Detectors as models: every code, shared boxes and boxes of each class, limits on how many stay."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from caffe2.bridge.onnx import export, judge, to_model
from caffe2.opdef import make_argument
from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

Arrays = list[np.ndarray]


def compare(kind: str, inputs: Arrays, count: int, **args: object) -> Arrays:
    """What the operator gives, which its model must give too."""
    op = caffe2_pb2.OperatorDef(type=kind, input=[f"i{k}" for k in range(3)], output=[f"o{k}" for k in range(count)])
    op.arg.extend(make_argument(name, value) for name, value in args.items())
    fed = {f"i{k}": v for k, v in enumerate(inputs)}
    workspace = Workspace()
    for name, value in fed.items():
        workspace.feed(name, value)
    workspace.run_operator_once(op)
    net = caffe2_pb2.NetDef(name="n", op=[op], external_output=op.output)
    graph = export(net, {name: (v.dtype, v.shape) for name, v in fed.items()})
    got, want = judge.run(to_model(graph).SerializeToString(), fed), [workspace.fetch(o) for o in op.output]
    for name, value in zip(op.output, want):
        assert got[name].shape == value.shape
        np.testing.assert_allclose(got[name], value, rtol=1e-4, atol=1e-4)
    return want


def priors(rng: np.random.Generator, count: int) -> np.ndarray:
    low = rng.random((count, 2)) * 0.6
    boxes = np.concatenate([low, low + 0.1 + rng.random((count, 2)) * 0.3], 1)
    return np.stack([boxes.ravel(), np.tile([0.1, 0.1, 0.2, 0.2], count)])[None].astype(np.float32)


LIMITS = [{}, {"top_k": 7}, {"keep_top_k": 5}, {"top_k": 20, "keep_top_k": 9, "confidence_threshold": 0.4}]


@pytest.mark.parametrize(
    "code, shared, limits", itertools.product(("CORNER", "CENTER_SIZE", "CORNER_SIZE"), (0, 1), LIMITS)
)
def test_detections(code: str, shared: int, limits: dict[str, object]) -> None:
    rng, count, classes = np.random.default_rng(len(code) + shared), 40, 4
    moves = 0.1 * rng.standard_normal((2, count * 4 * (1 if shared else classes))).astype(np.float32)
    scores = rng.random((2, count * classes), dtype=np.float32)
    args = {"num_classes": classes, "share_location": shared, "code_type": code, "nms_threshold": 0.45}
    (rows,) = compare("CaffeDetectionOutput", [moves, scores, priors(rng, count)], 1, **args, **limits)
    assert rows.shape[2] > 5 and set(rows[0, 0, :, 1]) <= {1, 2, 3}


@pytest.mark.parametrize("before, after, least", [(6000, 300, 4.0), (20, 300, 4.0), (60, 8, 30.0), (0, 5, 900.0)])
def test_proposals(before: int, after: int, least: float) -> None:
    rng = np.random.default_rng(before)
    anchors = (-20.0, -20.0, 35.0, 35.0, -40.0, -12.0, 55.0, 27.0, -8.0, -8.0, 23.0, 23.0)
    scores, moves = rng.random((1, 6, 5, 6), dtype=np.float32), rng.standard_normal((1, 12, 5, 6)).astype(np.float32)
    info = np.array([[80, 96, 1.5]], np.float32)
    args = {"anchors": anchors, "pre_nms_topn": before, "post_nms_topn": after, "min_size": least}
    rois, _ = compare("CaffeProposal", [scores, 0.2 * moves, info], 2, **args)
    assert len(rois) == 0 if least == 900 else 0 < len(rois) <= after
