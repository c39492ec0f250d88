"""Layers that forks for text, detection and small devices added, and what stands for Python layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from caffe2.bridge.caffe import LayerError, reference
from caffe2.bridge.caffe.noise import draw_params
from caffe2.bridge.caffe.translate.model import translate
from caffe2.bridge.caffe.verify import verify
from caffe2.runtime.workspace import Workspace
from tests.bridge.caffe.files import inputs, net
from tests.bridge.caffe.test_translate_layers import check

X = np.arange(2 * 4 * 2 * 6, dtype=np.float32).reshape(2, 4, 2, 6)
LAYERS = [
    ("Dropout", (2, 3), "dropout_param { dropout_ratio: 0.3 scale_train: false }"),
    ("HardSwish", (2, 3, 9), ""),
    ("Lstm", (5, 2, 3), "lstm_param { num_output: 4 clipping_threshold: 1 }"),
    ("Lstm", (1, 3, 2, 2), "lstm_param { num_output: 2 }"),
    ("Mish", (2, 3, 9), ""),
    ("ReLU", (2, 3, 9), "relu_param { relu_max: 0.5 }"),
    ("ReLU", (2, 3, 9), "relu_param { relu_max: 0.5 negative_slope: 0.1 }"),
    ("ReLU6", (2, 3, 9), "relu6_param { negative_slope: 0.1 }"),
    ("Reorg", (2, 4, 2, 6), "reorg_param { stride: 2 }"),
    ("Reorg", (2, 18, 2, 1), "reorg_param { stride: 3 reverse: true }"),
    ("Reverse", (3, 2, 4), ""),
    ("Reverse", (3, 2, 4), "reverse_param { axis: 2 }"),
    ("Transpose", (2, 3, 4, 5), "transpose_param { dim: 3 dim: 2 dim: 0 dim: 1 }"),
]


@pytest.mark.parametrize("kind, shape, text", LAYERS)
def test_a_layer(tmp_path: Path, kind: str, shape: tuple[int, ...], text: str) -> None:
    check(tmp_path, kind, {"x": shape}, text)


@pytest.mark.parametrize(
    "kind, text, field",
    [
        ("Lstm", "", "lstm_param.num_output"),
        ("Reorg", "", "reorg_param.stride"),
        ("Reorg", "reorg_param { stride: 3 reverse: true }", "reorg_param.stride"),
        ("Reverse", "reverse_param { axis: 4 }", "reverse_param.axis"),
        ("Transpose", "transpose_param { dim: 0 dim: 1 dim: 2 dim: 2 }", "transpose_param.dim"),
    ],
)
def test_a_refusal(tmp_path: Path, kind: str, text: str, field: str) -> None:
    with pytest.raises(LayerError) as caught:
        net(tmp_path, inputs(x=X.shape) + f'layer {{ name: "l" type: "{kind}" bottom: "x" top: "y" {text} }}')
    assert (caught.value.layer, caught.value.field) == ("l", field)


@pytest.mark.parametrize("scaled", [True, False])
def test_a_net_may_drop_while_testing(tmp_path: Path, scaled: bool) -> None:
    """Bayesian SegNet samples its weights; what is kept is scaled up where `scale_train` asks for it, as by default."""
    fork = f"dropout_ratio: 0.5 sample_weights_test: true scale_train: {str(scaled).lower()}"
    layer = f'layer {{ name: "l" type: "Dropout" bottom: "x" top: "y" dropout_param {{ {fork} }} }}'
    _, predict_net = translate(net(tmp_path, inputs(x=(100,)) + layer))
    workspace = Workspace()
    workspace.feed("x", np.ones(100, np.float32))
    workspace.run_net_once(predict_net)
    assert set(workspace.fetch("y")) == {0, 2 if scaled else 1}


def test_darknets_exchange_takes_channels_as_places(tmp_path: Path) -> None:
    layer = 'layer { name: "l" type: "Reorg" bottom: "x" top: "y" reorg_param { stride: 2 } }'
    y = reference.run(net(tmp_path, inputs(x=X.shape) + layer), {"x": X})["y"]
    assert y.shape == (2, 16, 1, 3)
    want = np.empty_like(X)
    for c, h, w in np.ndindex(4, 2, 6):
        want[:, c, h, w] = X.reshape(2, 1, 4, 12)[:, c % 1, h * 2 + c // 2, w * 2 + c % 2]
    assert np.array_equal(y.reshape(want.shape), want)


def test_marks_make_an_lstm_begin_at_the_first_step(tmp_path: Path) -> None:
    marks = 'layer { name: "c" type: "ContinuationIndicator" top: "cont" continuation_indicator_param { %s } }'
    lstm = """layer { name: "l" type: "LSTM" bottom: "x" bottom: "cont" top: "y" recurrent_param { num_output: 2
        weight_filler { type: "xavier" } } }"""
    with pytest.raises(LayerError, match="batch_size"):
        net(tmp_path, marks % "time_step: 3")
    fed = inputs(x=(3, 2, 4)) + marks % "time_step: 3 batch_size: 2"
    found = net(tmp_path, fed)
    assert reference.run(found, {"x": np.zeros((3, 2, 4))})["cont"].tolist() == [[0, 0], [1, 1], [1, 1]]
    found = net(
        tmp_path, inputs(x=(3, 2, 4)) + marks % "time_step: 3 batch_size: 2" + lstm.replace("xavier", "constant")
    )
    assert verify(found, *translate(found)).passed


def test_python_proposals_can_be_replaced(tmp_path: Path) -> None:
    code = """python_param { module: 'rpn.proposal_layer' layer: 'ProposalLayer' param_str: "%s" }"""
    layer = f'layer {{ name: "p" type: "Python" bottom: "s" bottom: "m" bottom: "info" top: "rois" {code} }}'
    text = inputs(s=(1, 6, 4, 4), m=(1, 12, 4, 4), info=(1, 3)) + layer
    for given in ("'feat_stride': 8 \\n'scales': !!python/tuple [2]", "{'feat_stride': 8, 'scales': [2]}"):
        found = net(tmp_path, text % given, replace_python=True)
        assert found.layers[-1].type == "Proposal" and not found.problems
        assert (found.layers[-1].param.feat_stride, list(found.layers[-1].param.scale)) == (8, [2])
        assert "Proposal stands for rpn.proposal_layer.ProposalLayer" in found.notes[-1]
        assert verify(found, *translate(found)).passed
    refused = net(tmp_path, text % "{'feat_stride': 8, 'mine': 2}", replace_python=True)
    assert refused.problems and refused.layers[-1].type == "Python"
    assert net(tmp_path, text % "'feat_stride': 8").problems


def test_layers_follow_the_number_of_regions_found(tmp_path: Path) -> None:
    """A detector asks for 300 regions and is given fewer; what stands behind takes as many as there are."""
    text = inputs(s=(1, 18, 3, 3), m=(1, 36, 3, 3), info=(1, 3), x=(1, 2, 3, 3))
    text += """layer { name: "p" type: "Proposal" bottom: "s" bottom: "m" bottom: "info" top: "rois" }
        layer { name: "r" type: "ROIPooling" bottom: "x" bottom: "rois" top: "r"
            roi_pooling_param { pooled_h: 2 pooled_w: 2 spatial_scale: 0.0625 } }
        layer { name: "f" type: "InnerProduct" bottom: "r" top: "f" inner_product_param { num_output: 4 } }
        layer { name: "g" type: "Reshape" bottom: "f" top: "g" reshape_param { shape { dim: -1 dim: 2 } } }"""
    found = net(tmp_path, text)
    draw_params(found)
    report = verify(found, *translate(found))
    rows = {row.blob: row.shape for row in report.rows}
    count = rows["rois"][0]
    assert report.passed and count < 300 == found.shapes["rois"][0]
    assert rows["f"] == (count, 4) and rows["g"] == (2 * count, 2)
