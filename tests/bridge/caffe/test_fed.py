"""What whoever runs a net feeds: data layers whose files are elsewhere, unknown data layers, made-up values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from caffe2.bridge.caffe import NetError, UntranslatableError
from caffe2.bridge.caffe.noise import draw_params, noise
from caffe2.bridge.caffe.translate.model import translate
from caffe2.bridge.caffe.verify import verify
from tests.bridge.caffe.files import inputs, net

IMAGES = """layer { name: "d" type: "Data" top: "data" top: "label" include { phase: TEST }
  transform_param { crop_size: 12 mean_file: "nowhere/mean.binaryproto" }
  data_param { source: "nowhere/val_lmdb" batch_size: 4 backend: LMDB } }
"""
CLASSES = """layer { name: "c" type: "InnerProduct" bottom: "data" top: "c" inner_product_param { num_output: 5
    weight_filler { type: "xavier" } } }
layer { name: "l" type: "SoftmaxWithLoss" bottom: "c" bottom: "label" top: "l" }
layer { name: "a" type: "Accuracy" bottom: "c" bottom: "label" top: "a" accuracy_param { top_k: 2 } }
"""
CODE = 'layer { name: "d" type: "%s" top: "data" top: "label" %s }'


def test_a_data_base_that_is_elsewhere_is_fed(tmp_path: Path) -> None:
    found = net(tmp_path, IMAGES + CLASSES)
    assert found.shapes["data"] == (4, 3, 12, 12)
    assert "feed its tops, data (4x3x12x12), label (4)" in found.notes[0] and "nowhere/val_lmdb" in found.notes[0]
    draw_params(found)
    init_net, predict_net = translate(found)
    assert list(predict_net.external_input)[:2] == ["data", "label"]
    assert verify(found, init_net, predict_net).passed


@pytest.mark.parametrize("what", [("Python", 'python_param { module: "voc" layer: "Images" }'), ("MineData", "foo: 1")])
def test_layers_that_nothing_here_understands_are_fed_where_their_shapes_are_given(tmp_path: Path, what: tuple) -> None:
    text = CODE % what + CLASSES
    with pytest.raises(UntranslatableError, match="or give the shapes of data, label to feed them"):
        net(tmp_path, text).require()
    with pytest.raises(UntranslatableError, match=what[0]):
        net(tmp_path, text, input_shapes={"data": (2, 3)}).require()
    found = net(tmp_path, text, input_shapes={"data": (2, 3), "label": (2,)})
    assert found.inputs == {"data": (2, 3), "label": (2,)}
    assert found.notes == [f'layer "d" ({what[0]}) is an input here: feed data, label']
    translate(found)


def test_only_the_first_layer_of_unknown_shapes_is_told(tmp_path: Path) -> None:
    text = IMAGES.replace("crop_size: 12", "") + CLASSES
    with pytest.raises(UntranslatableError, match=r"1 part\(s\).*\n.*--input_shape data=1x3x224x224"):
        translate(net(tmp_path, text))
    with pytest.raises(NetError, match="no input is called 'image'.*there are data, label"):
        net(tmp_path, text, input_shapes={"image": (1,)})


def test_python_layers_are_refused_by_name_with_what_to_do(tmp_path: Path) -> None:
    code = 'python_param { module: "rpn.proposal_layer" layer: "%s" }'
    layer = f'layer {{ name: "p" type: "Python" bottom: "x" top: "r" {code} }}'
    for name, advice in (("ProposalLayer", "replace_python"), ("Mine", "write a translator for this layer")):
        with pytest.raises(UntranslatableError, match=f"rpn.proposal_layer.{name} is not run.*{advice}"):
            net(tmp_path, inputs(x=(1, 2)) + layer % name).require()


def test_made_up_inputs_are_what_layers_take(tmp_path: Path) -> None:
    text = inputs(data=(6, 5), label=(6,), words=(3, 2), cont=(3, 2), rois=(4, 5), x=(1, 2, 8, 8), free=(2,)) + CLASSES
    text += 'layer { type: "Embed" bottom: "words" top: "e" embed_param { num_output: 3 input_dim: 7 } }'
    text += 'layer { name: "r" type: "LSTM" bottom: "e" bottom: "cont" top: "r" recurrent_param { num_output: 2 } }'
    regions = "roi_pooling_param { pooled_h: 2 pooled_w: 2 spatial_scale: 0.5 }"
    text += f'layer {{ name: "p" type: "ROIPooling" bottom: "x" bottom: "rois" top: "p" {regions} }}'
    fed = noise(net(tmp_path, text))
    assert set(fed["label"]) <= set(range(5)) and set(fed["words"].ravel()) <= set(range(7))
    assert fed["cont"].tolist() == [[0, 0], [1, 1], [1, 1]] and abs(fed["free"]).max() > 0
    left, top, right, bottom = fed["rois"][:, 1:].T
    assert (left < right).all() and (top < bottom).all() and right.max() <= 16 and not fed["rois"][:, 0].any()


def test_parameters_without_numbers_are_drawn_once(tmp_path: Path) -> None:
    scale = 'layer { name: "s" type: "Scale" bottom: "x" top: "y" } layer { type: "BatchNorm" bottom: "x" top: "z" }'
    found = net(tmp_path, inputs(x=(2, 3, 4, 4)) + scale)
    assert draw_params(found) == 4 and draw_params(found) == 0
    (gamma,), (mean, variance, factor) = ([p.blob.array for p in layer.params] for layer in found.layers[1:])
    assert gamma.min() > 0 and variance.min() > 0 and factor == [1] and np.ptp(mean) > 0
