"""What Caffe's set-up of a layer refuses, the reference refuses, naming layer, field and place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from caffe2.bridge.caffe import LayerError, NetError, reference
from tests.bridge.caffe.files import inputs, net

X = inputs(x=(2, 3, 6, 6))
Z = inputs(z=(2, 3, 5, 6))
ONE = 'bottom: "x" top: "y"'
TWO = 'bottom: "x" bottom: "z" top: "y"'

REFUSED = [
    (X, f'type: "AbsVal" {ONE.replace("y", "x")}', "top: AbsVal cannot work in place"),
    (X, f'type: "BatchNorm" {ONE} param {{ lr_mult: 1 }}', "lr_mult of each param to 0"),
    (X + Z, f'type: "Concat" {TWO} concat_param {{ axis: 1 concat_dim: 1 }}', "concat_param.concat_dim: .* not both"),
    (X + Z, f'type: "Concat" {TWO}', "may differ only along axis 1"),
    (
        X,
        f'type: "Convolution" {ONE} convolution_param {{ num_output: 4 kernel_size: 3 group: 2 }}',
        "convolution_param.group",
    ),
    (
        X,
        f'type: "Convolution" {ONE} convolution_param {{ num_output: 4 }}',
        "convolution_param.kernel_size: given 0 times",
    ),
    (X, f'type: "Convolution" {ONE} convolution_param {{ num_output: 4 kernel_size: 9 }}', "not possible"),
    (X, f'type: "Convolution" {ONE} convolution_param {{ num_output: 4 kernel_size: [1, 1, 1] }}', "given 3 times"),
    (X, f'type: "Convolution" {ONE} convolution_param {{ num_output: 4 kernel_size: 1 stride_h: 2 }}', "must not be 0"),
    (X, f'type: "Convolution" {ONE} convolution_param {{ kernel_size: 1 }}', "num_output: must be positive"),
    (X, f'type: "Dropout" {ONE} dropout_param {{ dropout_ratio: 1 }}', "between 0 and 1"),
    (X, f'type: "Eltwise" {ONE}', "takes at least 2 bottom"),
    (X + Z, f'type: "Eltwise" {TWO}', "they must be equal"),
    (X + Z, f'type: "Eltwise" {TWO} eltwise_param {{ coeff: 1 }}', "one for each of the 2 bottoms, not 1"),
    (X, f'type: "Exp" {ONE} exp_param {{ base: 0 }}', "exp_param.base: must be positive"),
    (X, f'type: "Log" {ONE} log_param {{ base: 1 }}', "no base of logarithms"),
    ("", 'type: "Input" top: "y"', "input_param.shape: give a shape"),
    (X, f'type: "LRN" {ONE} lrn_param {{ local_size: 4 }}', "must be odd, not 4"),
    (X, f'type: "ReLU" {ONE} loss_weight: 1 loss_weight: 2', "loss_weight: .* 1 top"),
    (
        X,
        f'type: "Pooling" {ONE} pooling_param {{ global_pooling: true kernel_size: 2 }}',
        "pooling_param.global_pooling",
    ),
    (X, f'type: "Pooling" {ONE}', "give kernel_size, or kernel_h and kernel_w"),
    (X, f'type: "Pooling" {ONE} pooling_param {{ kernel_size: 2 pad: 2 }}', "smaller than the kernel"),
    (X, f'type: "Pooling" {ONE} pooling_param {{ kernel_size: 2 stride_h: 2 }}', "pooling_param.stride"),
    (X, f'type: "Pooling" {ONE} top: "m" pooling_param {{ pool: AVE kernel_size: 2 }}', "takes 1 top"),
    (X, f'type: "Reshape" {ONE} reshape_param {{ shape {{ dim: 5 dim: -1 }} }}', "no multiple of 5"),
    (X, f'type: "Reshape" {ONE} reshape_param {{ shape {{ dim: -1 dim: -1 }} }}', "at most one dim may be -1"),
    (X, f'type: "Reshape" {ONE} reshape_param {{ shape {{ dim: 0 dim: 7 }} }}', "another count"),
    (X + inputs(z=(4,)), f'type: "Scale" {TWO}', "scale_param.axis: 4 \\(4\\) does not match"),
    (X, f'type: "Scale" {ONE} scale_param {{ num_axes: 4 }}', "scale_param.num_axes: 4 axes from axis 1"),
    (X, f'type: "Slice" {ONE} top: "w"', "do not divide axis 1"),
    (X, f'type: "Slice" {ONE} top: "w" slice_param {{ slice_point: [1, 2] }}', "need 1 points, not 2"),
    (X + inputs(z=(2,)), f'type: "SoftmaxWithLoss" {TWO}', "needs 72 labels, one for each place along axis 1, not 2"),
    (X, f'type: "SPP" {ONE} spp_param {{ pyramid_height: 6 }}', "cannot be divided into"),
    (X, f'type: "Tile" {ONE}', "tile_param.tiles: must be given"),
    (X, f'type: "InnerProduct" {ONE} inner_product_param {{ num_output: 2 axis: 4 }}', "axis 4 is out of range"),
    (
        X,
        f'type: "InnerProduct" {ONE} inner_product_param {{ num_output: 2 weight_filler {{ type: "x" }} }}',
        'filler type "x"',
    ),
    (X, f'type: "Permute" {ONE} permute_param {{ order: [1, 1] }}', "names an axis twice"),
    (X + inputs(z=(3, 4)), f'type: "ROIPooling" {TWO} roi_pooling_param {{ pooled_h: 1 pooled_w: 1 }}', "5 numbers"),
]


@pytest.mark.parametrize(("before", "layer", "what"), REFUSED, ids=[layer[7:60] for _, layer, _ in REFUSED])
def test_refused(tmp_path: Path, before: str, layer: str, what: str) -> None:
    with pytest.raises(LayerError, match=what) as caught:
        net(tmp_path, f'{before}layer {{ name: "l" {layer} }}')
    error = caught.value
    assert error.layer == "l" and error.position.line == before.count("\n") + 1 and "net.prototxt:" in str(error)


def test_labels_outside_of_the_classes(tmp_path: Path) -> None:
    text = inputs(x=(2, 3), z=(2,)) + f'layer {{ name: "l" type: "%s" {TWO} }}'
    for kind in ("Accuracy", "SoftmaxWithLoss", "HingeLoss", "MultinomialLogisticLoss"):
        found = net(tmp_path, text % kind)
        with pytest.raises(LayerError, match=r'layer "l".* outside \[0, 3\)'):
            reference.run(found, {"x": np.zeros((2, 3)), "z": np.array([0, 3])})


def test_inputs_have_to_fit(tmp_path: Path) -> None:
    found = net(tmp_path, X)
    with pytest.raises(NetError, match="no value is given for input x"):
        reference.run(found)
    with pytest.raises(NetError, match="has the shape"):
        reference.run(found, {"x": np.zeros((1, 3, 6, 6))})


def test_what_would_not_fit_is_refused_before_it_runs(tmp_path: Path) -> None:
    text = (
        inputs(x=(1, 64, 999, 999))
        + f'layer {{ type: "Convolution" {ONE} convolution_param {{ num_output: 64 kernel_size: 9 }} }}'
    )
    found = net(tmp_path, text)
    with pytest.raises(NetError, match="GiB"):
        reference.run(found, {}, most_bytes=1 << 30)
    with pytest.raises(NetError, match="multiplications"):
        reference.run(found, {}, most_bytes=1 << 40, most_work=10**9)
