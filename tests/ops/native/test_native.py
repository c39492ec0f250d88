"""Compiled kernels and the forms in torch they stand for give the same, and where no compiler is the latter serve."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch

import caffe2.ops  # noqa: F401
from caffe2.ops import native
from caffe2.proto import caffe2_pb2
from caffe2.python import core
from caffe2.runtime.workspace import Workspace

RATE = np.array([-0.1], np.float32)


def outcome(op: caffe2_pb2.OperatorDef, blobs: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The outputs of an operator on copies of blobs."""
    workspace = Workspace()
    for name, value in blobs.items():
        workspace.feed(name, value.copy())
    workspace.run_operator_once(op)
    return [workspace.fetch(name) for name in op.output]


def rows(rng: np.random.Generator, width: int, index: type, **more: np.ndarray) -> dict[str, np.ndarray]:
    """A table, its moments, and gradients of rows that come again and again."""
    table = {"p": rng.standard_normal((50, width)), "g": rng.standard_normal((3000, width))}
    moments = {"m": rng.random((50, width)), "v": rng.random((50, width)), "o": rng.random(50)}
    floats = {k: x.astype(np.float32) for k, x in (table | moments).items()}
    return floats | {"r": RATE, "i": rng.integers(0, 50, 3000).astype(index), "n": np.array([7])} | more


def images(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Whole numbers of which many are equal."""
    return rng.integers(-3, 4, shape).astype(np.float32)


def pooling(rng: np.random.Generator, shape: tuple[int, ...], **arguments: object) -> tuple:
    x = images(rng, *shape)
    forward = core.CreateOperator("MaxPool", ["x"], ["y"], **arguments)
    (y,) = outcome(forward, {"x": x})
    dy = rng.standard_normal(y.shape).astype(np.float32)
    return "MaxPoolGradient", "x y dy", "dx", arguments, {"x": x, "y": y, "dy": dy}


def boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    """Boxes x1 y1 x2 y2 of which many overlap."""
    corner, size = rng.uniform(0, 40, (count, 2)), rng.uniform(1, 30, (count, 2))
    return np.concatenate([corner, corner + size], 1).astype(np.float32)


def scattered(rng: np.random.Generator, width: int) -> dict[str, np.ndarray]:
    """Places and rows for them; each place comes once."""
    return {"j": rng.permutation(50)[:30].astype(np.int32), "h": rng.standard_normal((30, width)).astype(np.float32)}


def limited(rng: np.random.Generator, **arguments: object) -> tuple:
    blobs = {"s": rng.random((60, 4), np.float32), "b": np.tile(boxes(rng, 60), (1, 4))}
    return "BoxWithNMSLimit", "s b", "s1 b1 c n k z", {"score_thresh": 0.3, "detections_per_im": 30} | arguments, blobs


def aligned(rng: np.random.Generator, kind: str = "RoIAlign", order: str = "NCHW", **arguments: object) -> tuple:
    x = rng.standard_normal((2, 7, 20, 25) if order == "NCHW" else (2, 20, 25, 7)).astype(np.float32)
    rois = np.insert(boxes(rng, 30), 0, rng.integers(0, 2, 30), axis=1)
    if kind == "RoIAlignRotated":
        rois = np.insert(rois, 5, rng.uniform(-90, 90, 30), axis=1)
    settings = {"pooled_h": 3, "pooled_w": 4, "spatial_scale": 0.5, "order": order}
    return kind, "x r", "y", settings | arguments, {"x": x, "r": rois}


def proposed(rng: np.random.Generator) -> tuple:
    blobs = {"s": rng.random((2, 3, 9, 8)), "d": rng.standard_normal((2, 12, 9, 8)) * 0.2, "a": boxes(rng, 3) - 20}
    blobs["m"] = np.array([[140, 120, 1], [150, 130, 1]])
    arguments = {"pre_nms_topN": 150, "post_nms_topN": 40, "nms_thresh": 0.5, "min_size": 2.0}
    floats = {k: v.astype(np.float32) for k, v in blobs.items()}
    return "GenerateProposals", "s d m a", "rois probs", arguments, floats


def with_nan(x: np.ndarray) -> np.ndarray:
    x.flat[5] = np.nan
    return x


CASES: dict[str, Callable[[np.random.Generator], tuple]] = {
    "SparseAdagrad": lambda r: ("SparseAdagrad", "p m i g r", "p m", {"weight_decay": 0.1}, rows(r, 20, np.int64)),
    "RowWise": lambda r: ("RowWiseSparseAdagrad", "p o i g r", "p o", {"weight_decay": 0.1}, rows(r, 17, np.int32)),
    "Fused": lambda r: (
        "RowWiseSparseAdagradFusedWithSparseLengthsMeanGradient", "p o i s r l", "p o", {},
        rows(r, 9, np.int64, l=np.full(300, 10, np.int32), s=r.standard_normal((300, 9)).astype(np.float32)),
    ),
    "SparseAdam": lambda r: ("SparseAdam", "p m v i g r n", "p m v d", {}, rows(r, 20, np.int64)),
    "RAdam": lambda r: ("SparseAdam", "p m v i g r n", "p m v", {"enableRAdam": 1, "beta2": 0.9}, rows(r, 8, np.int64)),
    "RAdam-early": lambda r: ("SparseAdam", "p m v i g r n", "p m v", {"enableRAdam": 1}, rows(r, 8, np.int32)),
    "RowWiseSparseAdam": lambda r: ("RowWiseSparseAdam", "p m o i g r n", "p m o d", {}, rows(r, 20, np.int64)),
    "TopK": lambda r: ("TopK", "x", "v i", {"k": 7}, {"x": with_nan(images(r, 20, 1000))}),
    "LengthsTopK": lambda r: (
        "LengthsTopK", "x l", "v i", {"k": 5}, {"x": images(r, 60), "l": np.array([0, 3, 20, 5, 0, 32], np.int32)},
    ),
    "LRN": lambda r: (
        "LRN", "x", "y s", {"size": 5, "alpha": 0.3, "beta": 0.75},
        {"x": r.standard_normal((2, 9, 13, 11)).astype(np.float32)},
    ),
    "LRN-even": lambda r: (
        "LRN", "x", "y s", {"size": 4, "alpha": 0.3, "beta": 0.6, "bias": 2.0},
        {"x": r.standard_normal((2, 3, 300)).astype(np.float32)},
    ),
    "LRNGradient": lambda r: (
        "LRNGradient", "x y dy", "dx", {"size": 4, "alpha": 0.3, "beta": 0.75},
        {k: r.standard_normal((2, 9, 13, 11)).astype(np.float32) for k in ("x", "y", "dy")},
    ),
    "ScatterAssign": lambda r: ("ScatterAssign", "p j h", "p", {}, rows(r, 7, np.int32) | scattered(r, 7)),
    "ScatterWeightedSum": lambda r: (
        "ScatterWeightedSum", "p w i g r g w", "p", {}, rows(r, 7, np.int32, w=np.array([0.99], np.float32)),
    ),
    "SparseMomentum": lambda r: (
        "SparseMomentumSGDUpdate", "g m r p i", "g m p", {"momentum": 0.9, "nesterov": 1}, rows(r, 7, np.int64),
    ),
    "SegmentOneHot": lambda r: (
        "SegmentOneHot", "l i n", "y", {},
        {"l": np.array([0, 3, 1, 0, 4], np.int32), "i": r.integers(0, 6, 8), "n": np.array([6])},
    ),
    "Accuracy": lambda r: (
        "Accuracy", "x l", "y", {"top_k": 3}, {"x": images(r, 200, 9), "l": r.integers(0, 9, 200).astype(np.int32)},
    ),
    "PRelu": lambda r: ("PRelu", "x s", "y", {}, {"x": images(r, 3, 4, 5, 6), "s": r.random(4).astype(np.float32)}),
    "SpatialBN": lambda r: (
        "SpatialBN", "x s b m v", "y m v sm sv", {"is_test": 0, "momentum": 0.8},
        {"x": r.standard_normal((3, 4, 5, 6)).astype(np.float32) + 5}
        | {k: r.random(4).astype(np.float32) for k in ("s", "b", "m", "v")},
    ),
    "MaxPool-NHWC-forward": lambda r: (
        "MaxPool", "x", "y", {"kernel": 3, "stride": 2, "order": "NHWC"}, {"x": with_nan(images(r, 2, 8, 9, 5))},
    ),
    "RoIPool": lambda r: (
        "RoIPool", "x r", "y a", {"pooled_h": 3, "pooled_w": 4, "spatial_scale": 0.5},
        {"x": images(r, 2, 7, 20, 25), "r": np.insert(boxes(r, 30), 0, r.integers(0, 2, 30), axis=1)},
    ),
    "GenerateProposals": proposed,
    "BoxWithNMSLimit": limited,
    "BoxWithNMSLimit-soft": lambda r: limited(r, soft_nms_enabled=1),
    "BoxWithNMSLimit-gaussian": lambda r: limited(r, soft_nms_enabled=1, soft_nms_method="gaussian"),
    "RoIAlign": lambda r: aligned(r, sampling_ratio=2),
    "RoIAlign-adaptive": lambda r: aligned(r, aligned=1),
    "RoIAlign-NHWC": lambda r: aligned(r, order="NHWC"),
    "RoIAlignRotated": lambda r: aligned(r, "RoIAlignRotated", aligned=1),
    "MaxPool2": lambda r: pooling(r, (2, 3, 8, 9), kernel=2, stride=2),
    "MaxPool3": lambda r: pooling(r, (2, 3, 11, 14), kernel=3, stride=2, pad=1),
    "MaxPool3s1": lambda r: pooling(r, (2, 3, 5, 1), kernel=3, stride=1, pad=1),
    "MaxPool-odd": lambda r: pooling(r, (2, 3, 9, 12), kernel_h=4, kernel_w=2, stride_h=1, stride_w=3, pad=1),
    "MaxPool-caffe": lambda r: pooling(r, (2, 3, 10, 10), kernel=3, stride=2, legacy_pad=3),
    "MaxPool-NHWC": lambda r: pooling(r, (2, 11, 14, 5), kernel=3, stride=2, pad=1, order="NHWC"),
    "MaxPool-1d": lambda r: pooling(r, (2, 3, 20), kernels=[3], strides=[2], pads=[1, 1]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_both_forms_agree(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, inputs, outputs, arguments, blobs = CASES[case](np.random.default_rng(3))
    op = core.CreateOperator(kind, inputs.split(), outputs.split(), **arguments)
    compiled = outcome(op, blobs)
    monkeypatch.setattr(native.Kernel, "serves", lambda self, *tensors: False)
    for a, b in zip(compiled, outcome(op, blobs)):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-5)


def test_an_index_out_of_range_is_refused_before_anything_is_written() -> None:
    blobs = rows(np.random.default_rng(0), 4, np.int64)
    blobs["i"][7] = 50
    with pytest.raises(RuntimeError, match="50"):
        outcome(core.CreateOperator("SparseAdagrad", "p m i g r".split(), ["p", "m"]), blobs)


@pytest.mark.skipif(not native.library("select"), reason="no compiler")
def test_a_kernel_takes_the_element_types_that_it_was_compiled_for() -> None:
    kernel = native.Kernel("select", "top_k", "pqqqpp")
    x, values, places = torch.zeros(1, 4), torch.zeros(1, 2), torch.zeros(1, 2, dtype=torch.int64)
    assert kernel.serves(x)
    for wrong in ((x.half(), values, places), (x, values, places.int())):
        with pytest.raises(RuntimeError, match="top_k was compiled for"):
            kernel(wrong[0], 1, 4, 2, *wrong[1:])


SPOILED = {
    "gates of no batch": ("GRUUnit", [(1, 2, 4), (0, 2, 12)], {}, "gates"),
    "maxima of fewer images": ("MaxPoolGradient", [(2, 1, 4, 4), (0, 1, 2, 2), (2, 1, 2, 2)], {"kernel": 2}, "pooling"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_shapes_that_a_kernel_would_read_beyond_are_refused(case: str) -> None:
    kind, shapes, arguments, word = SPOILED[case]
    blobs = {f"i{k}": np.zeros(shape, np.float32) for k, shape in enumerate(shapes)}
    if kind == "GRUUnit":
        blobs |= {"lengths": np.array([3, 3], np.int32), "step": np.array([0], np.int32)}
    with pytest.raises(RuntimeError, match=word):
        outcome(core.CreateOperator(kind, list(blobs), ["y"], **arguments), blobs)


@pytest.mark.skipif(not native.library("select"), reason="no compiler")
def test_kernels_serve_contiguous_tensors_in_host_memory() -> None:
    kernel = native.Kernel("select", "top_k", "pqqqpp")
    assert kernel.serves(torch.zeros(3, 4), None)
    assert not kernel.serves(torch.zeros(3, 4).t())
    assert not kernel.serves(torch.zeros(3, device="meta"))
    assert not kernel.serves(torch.zeros(3, requires_grad=True))


def test_without_a_compiler_the_torch_forms_serve() -> None:
    program = (
        "import torch, caffe2.ops; from caffe2.ops import native; from caffe2.ops.index.top_k import largest;"
        "print(native.library('select'), largest(torch.tensor([1., 3., 2.]), 1)[1].tolist())"
    )
    env = dict(os.environ, CAFFE2_NATIVE="0")
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "None [1]"


def test_a_folder_that_others_can_write_is_not_run_from(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o777)
    monkeypatch.setenv("CAFFE2_NATIVE_CACHE", str(tmp_path))
    assert native._built(native.SOURCES / "select.cpp") is None
