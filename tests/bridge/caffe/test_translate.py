"""Whole nets translated: recorded ones, names, shared weights, folding, refusals, and that a wrong net is noticed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from caffe2.bridge.caffe import LayerError, UntranslatableError, read_net
from caffe2.bridge.caffe.page import page
from caffe2.bridge.caffe.translate import model, translate, translators
from caffe2.bridge.caffe.verify import verify
from caffe2.proto import caffe2_pb2, caffe_pb2
from caffe2.runtime.workspace import Workspace
from tests.bridge.caffe.files import RECORDED, blob, inputs, net

FORWARD = sorted(p.parent.name for p in RECORDED.glob("*/blobs.npz"))
BLOCK = inputs(x=(2, 3, 6, 6)) + (
    'layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param { num_output: 4 kernel_size: 3 } }'
    'layer { name: "n" type: "BatchNorm" bottom: "c" top: "c" }'
    'layer { name: "s" type: "Scale" bottom: "c" top: "c" scale_param { bias_term: true } }'
    'layer { name: "d" type: "Deconvolution" bottom: "c" top: "d"'
    " convolution_param { num_output: 4 kernel_size: 2 group: 2 bias_term: false } }"
    'layer { name: "t" type: "Scale" bottom: "d" top: "t" }'
)


def weights(found) -> caffe_pb2.NetParameter:
    """Random weights, all positive, for every layer of a net."""
    rng, made = np.random.default_rng(3), caffe_pb2.NetParameter()
    for layer in found.layers:
        blobs = [blob(p.shape, rng.uniform(0.5, 1.5, int(np.prod(p.shape)))) for p in layer.params]
        made.layer.add(name=layer.name, blobs=blobs)
    return made


@pytest.mark.parametrize("name", FORWARD)
def test_recorded_nets(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RECORDED / name
    monkeypatch.chdir(folder)
    state = {"level": 1, "stages": ("deploy",)} if "level1" in name else {}
    init_net, predict_net = translate(read_net("deploy.prototxt", "weights.caffemodel", **state))
    workspace = Workspace()
    workspace.run_net_once(init_net)
    for blob_name, value in np.load("input.npz").items():
        workspace.feed(blob_name, value)
    workspace.run_net_once(predict_net)
    want = dict(np.load("blobs.npz"))
    compared = [n for n in predict_net.external_output if n in want]
    assert compared
    for n in compared:
        np.testing.assert_allclose(workspace.fetch(n), want[n], rtol=1e-4, atol=1e-4 * np.abs(want[n]).max())


def test_names_of_parameters_and_outputs(tmp_path: Path) -> None:
    init_net, predict_net = translate(net(tmp_path, BLOCK))
    assert {"c_w", "c_b", "n_mean", "n_var", "s_w", "s_b"} <= set(predict_net.external_input)
    assert list(predict_net.external_output) == ["t"] and predict_net.external_input[0] == "x"
    assert set(init_net.external_output) == set(predict_net.external_input)


def test_the_written_init_net_is_the_one_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "init_net.pb"
    for found in (net(tmp_path, BLOCK), net(tmp_path, BLOCK, weights(net(tmp_path, BLOCK)))):
        made = model.translation(found)
        made.params["whole"] = np.arange(3)
        made.params["one"] = np.float64(0.5) * np.ones(())
        model.write_init_net(path, found, made)
        assert caffe2_pb2.NetDef.FromString(path.read_bytes()) == model.init_net(found, made)
    workspace = Workspace()
    workspace.run_net_once(model.init_net(found, made))
    for name, array in made.params.items():
        np.testing.assert_array_equal(workspace.fetch(name), array)


def test_shared_weights_are_one_blob(tmp_path: Path) -> None:
    layer = (
        'layer {{ name: "{0}" type: "InnerProduct" bottom: "x" top: "{0}" param {{ name: "w" }} param {{ name: "b" }}'
    )
    text = inputs(x=(2, 3)) + "".join(layer.format(n) + " inner_product_param { num_output: 4 } }" for n in "ab")
    _, predict_net = translate(net(tmp_path, text))
    first, second = predict_net.op
    assert list(first.input) == list(second.input) == ["x", "a_w", "a_b"]


def test_folding_leaves_what_is_computed(tmp_path: Path) -> None:
    stored = weights(net(tmp_path, BLOCK))
    whole = net(tmp_path, BLOCK, stored)
    init_net, predict_net = translate(whole, fold_batch_norm=True)
    assert [op.type for op in predict_net.op] == ["Conv", "ConvTranspose"]
    report = verify(whole, init_net, predict_net)
    assert report.passed and {row.blob for row in report.rows} == {"c", "t"}, report.table()


def test_weights_that_two_layers_share_are_not_folded(tmp_path: Path) -> None:
    conv = 'layer {{ name: "{0}" type: "Convolution" bottom: "x" top: "{0}" param {{ name: "w" }} param {{ name: "b" }}'
    text = inputs(x=(2, 3, 6, 6))
    text += "".join(conv.format(n) + " convolution_param { num_output: 4 kernel_size: 3 } }" for n in "ab")
    text += 'layer { name: "n" type: "BatchNorm" bottom: "a" top: "y" }'
    stored = weights(net(tmp_path, text))
    whole = net(tmp_path, text, stored)
    init_net, predict_net = translate(whole, fold_batch_norm=True)
    assert [op.type for op in predict_net.op] == ["Conv", "Conv", "SpatialBN"]
    assert verify(whole, init_net, predict_net).passed


def test_a_wrong_translation_is_noticed(tmp_path: Path) -> None:
    whole = net(tmp_path, BLOCK, weights(net(tmp_path, BLOCK)))
    init_net, predict_net = translate(whole)
    bad = next(op for op in predict_net.op if op.type == "SpatialBN")
    next(a for a in bad.arg if a.name == "epsilon").f = 0.5
    report = verify(whole, init_net, predict_net)
    assert not report.passed and report.first_divergence.blob == "c"
    assert "DIFFERS" in report.table() and 'class="bad"' in page(whole, report)


def test_a_report_names_every_layer_and_blob(tmp_path: Path) -> None:
    whole = net(tmp_path, BLOCK.replace('"s"', '"s&lt"'), None)
    text = page(whole, verify(whole, *translate(whole)))
    assert text.count("<rect") == len(whole.layers) and "s&amp;lt (Scale)" in text


def test_all_that_cannot_be_translated_is_listed_at_once(tmp_path: Path) -> None:
    text = inputs(x=(2, 3, 4, 4)) + (
        'layer { name: "one" type: "Unheard" bottom: "x" top: "y" }'
        'layer { name: "two" type: "Python" bottom: "x" top: "z" python_param { module: "m" layer: "L" } }'
    )
    with pytest.raises(UntranslatableError, match=r"(?s)one.*two") as caught:
        translate(net(tmp_path, text))
    assert len(caught.value.problems) == 2


def test_what_translators_refuse_is_listed_too(tmp_path: Path) -> None:
    text = inputs(x=(2, 3, 4, 4, 4)) + "".join(
        f'layer {{ name: "{n}" type: "Im2col" bottom: "x" top: "{n}" convolution_param {{ kernel_size: 2 }} }}'
        for n in ("one", "two")
    )
    with pytest.raises(UntranslatableError, match=r"(?s)one.*two"):
        translate(net(tmp_path, text))


def test_unknown_shapes_are_refused_with_advice(tmp_path: Path) -> None:
    text = (
        'layer { name: "d" type: "Data" top: "data" data_param { source: "elsewhere" batch_size: 2 } }'
        'layer { name: "p" type: "Softmax" bottom: "data" top: "y" }'
    )
    with pytest.raises(UntranslatableError, match="shapes of its bottoms"):
        translate(net(tmp_path, text))
    found = net(tmp_path, text, input_shapes={"data": (2, 3, 4, 4)})
    _, predict_net = translate(found)
    assert predict_net.external_input[0] == "data" and predict_net.op[0].input == ["data"]
    assert 'the files of layer "d" (Data) are not here (elsewhere): feed its tops, data (2x3x4x4)' in found.notes


def test_a_translator_of_ones_own_comes_first(tmp_path: Path) -> None:
    def mine(layer, b) -> None:
        b.op("Negative", layer.bottoms[0], layer.tops[0])

    text = inputs(x=(2, 3)) + 'layer { name: "r" type: "ReLU" bottom: "x" top: "y" }'
    assert translate(net(tmp_path, text), {"ReLU": mine})[1].op[0].type == "Negative"
    assert "ReLU" in translators


def test_layers_behind_one_of_ones_own_need_no_shapes(tmp_path: Path) -> None:
    text = inputs(x=(2, 3)) + 'layer { name: "m" type: "Mine" bottom: "x" top: "y" }'
    text += 'layer { name: "r" type: "ReLU" bottom: "y" top: "z" }'
    own = {"Mine": lambda layer, b: b.op("Negative", layer.bottoms[0], layer.tops[0])}
    assert [op.type for op in translate(net(tmp_path, text), own)[1].op] == ["Negative", "Relu"]
    text += 'layer { name: "s" type: "Softmax" bottom: "z" top: "p" }'
    with pytest.raises(UntranslatableError, match='"s".*shapes of its bottoms'):
        translate(net(tmp_path, text), own)


def test_the_training_loss_of_ssd_is_refused(tmp_path: Path) -> None:
    text = inputs(a=(1, 8), b=(1, 4), c=(1, 2, 8), d=(1, 1, 1, 8)) + (
        'layer { name: "m" type: "MultiBoxLoss" bottom: "a" bottom: "b" bottom: "c" bottom: "d" top: "y"'
        " multibox_loss_param { num_classes: 2 } }"
    )
    with pytest.raises((UntranslatableError, LayerError), match="SSD"):
        translate(net(tmp_path, text))
