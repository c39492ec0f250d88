"""Translated Caffe nets as ONNX models: recorded ones, and layers that are made of several operators."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from caffe2.bridge.caffe import read_net
from caffe2.bridge.caffe.noise import noise
from caffe2.bridge.caffe.onnx import Output, compare, onnx_graph
from caffe2.bridge.caffe.translate import model
from caffe2.bridge.onnx import ExportError, judge, save, to_model
from caffe2.opdef import EnforceNotMet
from tests.bridge.caffe.files import RECORDED, inputs, net

onnx = pytest.importorskip("onnx")
REFUSED = {
    "Accuracy__ignore",
    "HDF5Data__wrap",
    "hand_shared_param",
    "InfogainLoss__three_bottoms",
    "leveldb_single_mean",
    "lmdb_crop_center",
}
FORWARD = sorted({p.parent.name for p in RECORDED.glob("*/blobs.npz")})


@pytest.mark.parametrize("name", FORWARD)
def test_recorded_nets(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RECORDED / name
    monkeypatch.chdir(folder)
    state = {"level": 1, "stages": ("deploy",)} if "level1" in name else {}
    found = read_net("deploy.prototxt", "weights.caffemodel", **state)
    made = model.translation(found)
    predict_net = model.predict_net(found, made)
    if name in REFUSED:
        with pytest.raises(ExportError, match="take it out of the net|take it out, and|it reads files"):
            onnx_graph(found, made, predict_net)
        return
    graph, _ = onnx_graph(found, made, predict_net)
    whole = to_model(graph)
    onnx.checker.check_model(whole, full_check=True)
    got, want = judge.run(whole.SerializeToString(), dict(np.load("input.npz"))), dict(np.load("blobs.npz"))
    assert got and (set(got) <= set(want) or name == "LRN__inplace")
    for n, value in got.items():
        n = n if n in want else n.removesuffix("_1")  # written over an input
        np.testing.assert_allclose(value, want[n], rtol=1e-4, atol=1e-4 * np.abs(want[n]).max())


SSD = (
    inputs(image=(2, 3, 24, 24))
    + "".join(
        f'layer {{ name: "{n}" type: "Convolution" bottom: "{b}" top: "{n}" convolution_param {{ num_output: {k} '
        f'kernel_size: 3 pad: 1 stride: {s} weight_filler {{ type: "xavier" }} }} }}'
        f'layer {{ name: "{n}p" type: "Permute" bottom: "{n}" top: "{n}p" permute_param {{ order: 0 order: 2 order: 3 '
        f'order: 1 }} }} layer {{ name: "{n}f" type: "Flatten" bottom: "{n}p" top: "{n}f" }}'
        for n, b, k, s in (("map", "image", 4, 4), ("loc", "map", 8, 1), ("conf", "map", 6, 1))
    )
    + """
layer { name: "rows" type: "Reshape" bottom: "conff" top: "rows" reshape_param { shape { dim: 0 dim: -1 dim: 3 } } }
layer { name: "soft" type: "Softmax" bottom: "rows" top: "soft" softmax_param { axis: 2 } }
layer { name: "flat" type: "Flatten" bottom: "soft" top: "flat" }
layer { name: "prior" type: "PriorBox" bottom: "map" bottom: "image" top: "prior"
  prior_box_param { min_size: 4 max_size: 8 variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2 } }
layer { name: "found" type: "DetectionOutput" bottom: "locf" bottom: "flat" bottom: "prior" top: "found"
  detection_output_param { num_classes: 3 code_type: CENTER_SIZE keep_top_k: 20 confidence_threshold: 0.1
    nms_param { nms_threshold: 0.45 top_k: 40 } } }
layer { name: "unread" type: "Silence" bottom: "mapf" }
"""
)


def test_a_detector_whose_priors_are_constants(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    found = net(tmp_path, SSD)
    made = model.translation(found)
    predict_net = model.predict_net(found, made)
    graph, params = onnx_graph(found, made, predict_net)
    assert list(graph.inputs) == ["image"] and list(graph.outputs) == ["found"]
    path = tmp_path / "ssd.onnx"
    save(graph, path)
    image = np.random.default_rng(0).standard_normal((2, 3, 24, 24)).astype(np.float32)
    (row,) = compare(path, predict_net, params, {"image": image})
    assert row.passed and row.shape[3] == 7 and row.shape[2] > 2, row


def test_a_difference_is_noticed(tmp_path: Path) -> None:
    found = net(
        tmp_path, inputs(x=(2, 3)) + 'layer { name: "a" type: "Power" bottom: "x" top: "y" power_param { scale: 2 } }'
    )
    made = model.translation(found)
    predict_net = model.predict_net(found, made)
    graph, params = onnx_graph(found, made, predict_net)
    save(graph, tmp_path / "m.onnx")
    x = {"x": np.ones((2, 3), np.float32)}
    assert compare(tmp_path / "m.onnx", predict_net, params, x) == [Output("y", (2, 3), 0.0, True)]
    predict_net.op[0].arg[0].f = 2.5
    (row,) = compare(tmp_path / "m.onnx", predict_net, params, x)
    assert (row.difference, row.passed) == (0.5, False) and str(row) == "y  2x3  max |diff| 0.5  DIFFERS"


def test_inputs_of_unknown_shape_are_named(tmp_path: Path) -> None:
    found = net(tmp_path, inputs(x=(2, 3)))
    made = model.translation(found)
    made.inputs["label"] = None
    with pytest.raises(EnforceNotMet, match="the shape of label is not known"):
        onnx_graph(found, made, model.predict_net(found, made))


def test_an_output_that_is_written_over_an_input_is_compared(tmp_path: Path) -> None:
    found = net(tmp_path, inputs(x=(2, 3)) + 'layer { name: "a" type: "ReLU" bottom: "x" top: "x" }')
    made = model.translation(found)
    predict_net = model.predict_net(found, made)
    graph, params = onnx_graph(found, made, predict_net)
    save(graph, tmp_path / "m.onnx")
    x = {"x": np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)}
    assert compare(tmp_path / "m.onnx", predict_net, params, x) == [Output("x_1", (2, 3), 0.0, True)]


def test_windows_wholly_in_the_padding(tmp_path: Path) -> None:
    inner = "pool: AVE kernel_size: 2 stride: 3"
    text = (
        inputs(x=(2, 4, 4, 3))
        + f'layer {{ name: "p" type: "Pooling" bottom: "x" top: "y" pooling_param {{ {inner} }} }}'
    )
    found = net(tmp_path, text)
    made = model.translation(found)
    predict_net = model.predict_net(found, made)
    graph, params = onnx_graph(found, made, predict_net)
    assert "Div" in [node.kind for node in graph.nodes]
    save(graph, tmp_path / "m.onnx")
    x = np.random.default_rng(0).standard_normal((2, 4, 4, 3)).astype(np.float32)
    assert all(row.passed for row in compare(tmp_path / "m.onnx", predict_net, params, {"x": x}))


REGIONS = (
    inputs(s=(1, 18, 3, 3), m=(1, 36, 3, 3), info=(1, 3), x=(1, 2, 3, 3))
    + """
layer { name: "p" type: "Proposal" bottom: "s" bottom: "m" bottom: "info" top: "rois" }
layer { name: "r" type: "ROIPooling" bottom: "x" bottom: "rois" top: "r"
  roi_pooling_param { pooled_h: 2 pooled_w: 2 spatial_scale: 0.0625 } }
layer { name: "f" type: "InnerProduct" bottom: "r" top: "f"
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "prob" type: "Softmax" bottom: "f" top: "prob" }
"""
)


def test_what_follows_proposed_regions_has_as_many_rows(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    found = net(tmp_path, REGIONS)
    made = model.translation(found)
    predict_net = model.predict_net(found, made)
    graph, params = onnx_graph(found, made, predict_net)
    assert graph.outputs["prob"][1] == ("rows", 4)
    save(graph, tmp_path / "m.onnx")
    (row,) = compare(tmp_path / "m.onnx", predict_net, params, noise(found))
    assert row.passed and 0 < row.shape[0] < 300


def test_a_shape_that_would_fix_the_number_of_regions_is_refused(tmp_path: Path) -> None:
    found = net(tmp_path, REGIONS)
    made = model.translation(found)
    predict_net = model.predict_net(found, made)
    predict_net.op.add(type="MergeDim", input=["r"], output=["merged"])
    predict_net.external_output.append("merged")
    with pytest.raises(ExportError, match="MergeDim: r -> merged\n.*follow how many rows"):
        onnx_graph(found, made, predict_net)
