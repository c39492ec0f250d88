"""Every operator that Caffe can express becomes the layers that its table says, and these compute the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caffe2.bridge.caffe.export import exporters
from tests.bridge.caffe.export.nets import net, numbers, written

IMAGE = (2, 4, 6, 6)
MATRIX = (3, 5)
POSITIVE = np.abs(numbers(*IMAGE)) + 0.5
Row = tuple[str, tuple[int, ...], dict[str, Any], dict[str, np.ndarray], str]

ROWS: list[Row] = [
    ("Abs", IMAGE, {}, {}, "AbsVal"),
    ("Alias", IMAGE, {}, {}, "Split"),
    ("ArgMax", IMAGE, {"axis": 1}, {}, "ArgMax"),
    ("ArgMax", MATRIX, {"axis": -1, "keepdims": 0}, {}, "ArgMax Reshape"),
    ("Clip", IMAGE, {"min": 0.0, "max": 6.0}, {}, "Clip"),
    ("Clip", IMAGE, {"min": 0.0}, {}, "ReLU"),
    ("Copy", IMAGE, {}, {}, "Split"),
    ("Cube", IMAGE, {}, {}, "Power"),
    ("Dropout", IMAGE, {"ratio": 0.4, "is_test": 1}, {}, "Dropout"),
    ("Elu", IMAGE, {"alpha": 0.7}, {}, "ELU"),
    ("EnsureDense", IMAGE, {}, {}, "Split"),
    ("Exp", IMAGE, {}, {}, "Exp"),
    ("ExpandDims", MATRIX, {"dims": [0, 3]}, {}, "Reshape"),
    ("FlattenToVec", MATRIX, {}, {}, "Reshape"),
    ("Flatten", IMAGE, {}, {}, "Flatten"),
    ("Flatten", IMAGE, {"axis": 2}, {}, "Reshape"),
    ("HardSigmoid", IMAGE, {"alpha": 0.3, "beta": 0.4}, {}, "Power Clip"),
    ("LRN", IMAGE, {"size": 3, "alpha": 0.1, "beta": 0.75, "bias": 2.0}, {}, "LRN"),
    ("LeakyRelu", IMAGE, {"alpha": 0.2}, {}, "ReLU"),
    ("Negative", IMAGE, {}, {}, "Power"),
    ("PadImage", IMAGE, {"pad": 2}, {}, "Convolution"),
    ("Pow", IMAGE, {"exponent": 2.0}, {}, "Power"),
    ("ReduceBackMean", MATRIX, {}, {}, "Reduction"),
    ("ReduceBackSum", IMAGE, {"num_reduce_dim": 2}, {}, "Reduction"),
    ("ReduceL1", IMAGE, {"axes": [2, 3], "keepdims": 0}, {}, "Reduction"),
    ("ReduceL2", IMAGE, {"axes": [1, 2, 3], "keepdims": 1}, {}, "Reduction Power Reshape"),
    ("ReduceMean", IMAGE, {"axes": [1], "keepdims": 1}, {}, "Convolution"),
    ("ReduceMean", IMAGE, {"axes": [2, 3], "keepdims": 1}, {}, "Reduction Reshape"),
    ("ReduceSum", IMAGE, {"axes": [1], "keepdims": 0}, {}, "Convolution Reshape"),
    ("Relu", IMAGE, {}, {}, "ReLU"),
    ("Reshape", IMAGE, {"shape": [0, -1]}, {}, "Reshape"),
    ("ResizeNearest", IMAGE, {"height_scale": 2.0, "width_scale": 3.0}, {}, "Upsample"),
    ("Scale", IMAGE, {"scale": 0.3}, {}, "Power"),
    ("Selu", IMAGE, {}, {}, "ELU Power"),
    ("Sigmoid", IMAGE, {}, {}, "Sigmoid"),
    ("Slice", IMAGE, {"starts": [0, 1, 0, 0], "ends": [-1, 3, -1, -1]}, {}, "Slice Silence"),
    ("Slice", IMAGE, {"starts": [0, 0, 1, 2], "ends": [-1, -1, 4, -1]}, {}, "DummyData Crop"),
    ("Softmax", IMAGE, {"axis": 1}, {}, "Reshape Softmax Reshape"),
    ("Softmax", IMAGE, {"axis": 3}, {}, "Softmax"),
    ("Softplus", IMAGE, {}, {}, "BNLL"),
    ("Softsign", IMAGE, {}, {}, "AbsVal Power Eltwise"),
    ("Sqr", IMAGE, {}, {}, "Power"),
    ("Squeeze", (2, 1, 3, 1), {"dims": [1, 3]}, {}, "Reshape"),
    ("StopGradient", IMAGE, {}, {}, "Split"),
    ("SumElements", IMAGE, {"average": 1}, {}, "Reduction"),
    ("SumSqrElements", IMAGE, {}, {}, "Reduction"),
    ("Swish", IMAGE, {}, {}, "Swish"),
    ("Tanh", IMAGE, {}, {}, "TanH"),
    ("Tile", IMAGE, {"tiles": 3, "axis": -1}, {}, "Tile"),
    ("Transpose", IMAGE, {"axes": [0, 2, 3, 1]}, {}, "Permute"),
    ("Transpose", (2, 1, 3), {"axes": [1, 0, 2]}, {}, "Reshape"),
    ("ThresholdedRelu", IMAGE, {"alpha": 0.3}, {}, "Threshold Eltwise"),
    ("Normalize", MATRIX, {}, {}, "Reduction Power Scale"),
    ("Normalize", IMAGE, {"axis": 1}, {}, "Normalize"),
    ("NCHW2NHWC", IMAGE, {}, {}, "Permute"),
    ("NHWC2NCHW", IMAGE, {}, {}, "Permute"),
    ("UpsampleBilinear", IMAGE, {"height_scale": 2.0, "width_scale": 1.5}, {}, "Interp"),
    ("UpsampleNearest", IMAGE, {"scale": 2}, {}, "Upsample"),
    ("ChannelShuffle", IMAGE, {"group": 2, "kernel": 1}, {}, "ShuffleChannel"),
    ("Im2Col", IMAGE, {"kernel": 3, "stride": 2, "pad": 1}, {}, "Im2col"),
    ("AveragePool", IMAGE, {"global_pooling": 1}, {}, "Pooling"),
    ("MaxPool", IMAGE, {"kernel": 3, "stride": 2}, {}, "Pooling"),
    ("MaxPool", IMAGE, {"kernel": 3, "stride": 2, "legacy_pad": 3}, {}, "Pooling"),
    ("MaxPool", IMAGE, {"kernel": 3, "stride": 2, "pad": 1}, {}, "Pooling"),
    ("MaxPool", IMAGE, {"kernels": [2, 3], "strides": [2, 1], "pads": [0, 1, 0, 1]}, {}, "Pooling"),
    ("MaxPool", (2, 3, 7), {"kernels": [3], "strides": [2], "pads": [1, 1]}, {}, "Reshape Pooling Reshape"),
    ("AveragePool", (2, 3, 7), {"kernels": [3], "strides": [2], "pads": [1, 1]}, {}, "Reshape Pooling Scale Reshape"),
    ("MaxPool", (1, 2, 4, 4, 4), {"kernels": [2, 2, 2], "strides": [2, 2, 2]}, {}, "Pooling3D"),
    ("AveragePool", IMAGE, {"kernel": 2, "stride": 2}, {}, "Pooling"),
    ("AveragePool", IMAGE, {"kernel": 3, "stride": 1, "pad": 1}, {}, "Pooling Scale"),
    ("AveragePool", IMAGE, {"kernel": 3, "stride": 1, "pad": 1, "count_include_pad": 1}, {}, "Pooling"),
    ("Conv", IMAGE, {"kernel": 3, "pad": 1}, {"w": numbers(5, 4, 3, 3), "b": numbers(5)}, "Convolution"),
    ("Conv", IMAGE, {"kernel": 3, "stride": 2, "group": 2}, {"w": numbers(6, 2, 3, 3)}, "Convolution"),
    ("Conv", IMAGE, {"kernel": 3, "dilation": 2}, {"w": numbers(3, 4, 3, 3), "b": numbers(3)}, "Convolution"),
    ("Conv", IMAGE, {"kernels": [1, 3], "pads": [0, 1, 0, 1]}, {"w": numbers(3, 4, 1, 3)}, "Convolution"),
    ("Conv", IMAGE, {"kernel": 3, "stride": 1, "legacy_pad": 2}, {"w": numbers(3, 4, 3, 3)}, "Convolution"),
    ("Conv", IMAGE, {"kernel": 3, "stride": 2, "pads": [1, 1, 0, 0]}, {"w": numbers(3, 4, 3, 3)}, "Convolution"),
    ("Conv", IMAGE, {"kernel": 3, "stride": 2, "pads": [0, 0, 1, 1]}, {"w": numbers(3, 4, 3, 3)}, "Convolution"),
    ("Conv", IMAGE, {"kernel": 2, "pads": [1, 2, 0, 1], "group": 2}, {"w": numbers(4, 2, 2, 2)}, "Convolution"),
    ("Conv", IMAGE, {"kernel": 3, "stride": 2, "legacy_pad": 2}, {"w": numbers(3, 4, 3, 3)}, "Convolution"),
    ("Conv", IMAGE, {"kernel": 2, "dilation": 2, "pads": [0, 0, 2, 2]}, {"w": numbers(3, 4, 2, 2)}, "Convolution"),
    ("Conv", (2, 3, 7), {"kernels": [3], "pads": [1, 1]}, {"w": numbers(2, 3, 3), "b": numbers(2)}, "Convolution"),
    ("Conv", (1, 2, 4, 4, 4), {"kernels": [3, 3, 3], "pads": [1] * 6}, {"w": numbers(2, 2, 3, 3, 3)}, "Convolution"),
    ("ConvRelu", IMAGE, {"kernel": 3}, {"w": numbers(5, 4, 3, 3), "b": numbers(5)}, "Convolution ReLU"),
    ("ConvTranspose", IMAGE, {"kernel": 4, "stride": 2, "pad": 1}, {"w": numbers(4, 3, 4, 4)}, "Deconvolution"),
    ("FC", IMAGE, {}, {"w": numbers(7, 144), "b": numbers(7)}, "InnerProduct"),
    ("FC", IMAGE, {}, {"w": numbers(7, 4, 6, 6), "b": numbers(7)}, "InnerProduct"),
    ("FC", (2, 3, 4), {"axis": 2}, {"w": numbers(5, 4), "b": numbers(5)}, "InnerProduct"),
    ("FCTransposed", MATRIX, {}, {"w": numbers(5, 2), "b": numbers(2)}, "InnerProduct"),
    ("MatMul", MATRIX, {}, {"w": numbers(5, 2)}, "InnerProduct"),
    ("MatMul", MATRIX, {"trans_b": 1}, {"w": numbers(2, 5)}, "InnerProduct"),
    ("PRelu", IMAGE, {}, {"slope": numbers(4)}, "PReLU"),
    ("PRelu", IMAGE, {}, {"slope": numbers(1)}, "PReLU"),
    ("InstanceNorm", IMAGE, {}, {"s": numbers(4), "b": numbers(4)}, "InstanceNorm"),
    ("Mul", IMAGE, {"broadcast": 1, "axis": 1}, {"w": numbers(4)}, "Scale"),
    ("Mul", IMAGE, {}, {"w": numbers(4, 1, 6)}, "Scale"),
    ("Mul", IMAGE, {"broadcast": 1}, {"w": numbers(1)}, "Power"),
    ("Add", IMAGE, {}, {"w": numbers(4, 1, 1)}, "Bias"),
    ("Add", IMAGE, {}, {"w": numbers(6)}, "Bias"),
    ("Sub", IMAGE, {}, {"w": numbers(1, 4, 1, 1)}, "Bias"),
    ("Div", IMAGE, {"broadcast": 1, "axis": 1}, {"w": numbers(4) + 3}, "Scale"),
]


@pytest.mark.parametrize("kind, shape, args, params, layers", ROWS, ids=lambda v: v if isinstance(v, str) else "")
def test_of_one_input(
    kind: str, shape: tuple[int, ...], args: dict[str, Any], params: dict[str, np.ndarray], layers: str, tmp_path: Path
) -> None:
    predict = net((kind, " ".join(["x", *params]), "y sizes" if kind == "Reshape" else "y", args))
    predict.external_output[:] = ["y"]
    _, made = written(predict, params, tmp_path, input_shapes={"x": shape})
    assert made == layers.split()


@pytest.mark.parametrize(
    "kind, layer", [("Log", "Log"), ("Sqrt", "Power"), ("Rsqrt", "Power"), ("Reciprocal", "Power")]
)
def test_of_positive_numbers(kind: str, layer: str, tmp_path: Path) -> None:
    _, made = written(net((kind, "x", "y", {})), {}, tmp_path, inputs={"x": POSITIVE})
    assert made == [layer]


ALIKE = {"Add": "Eltwise", "Mul": "Eltwise", "Sub": "Eltwise", "Div": "Power Eltwise", "Sum": "Eltwise"}
ALIKE |= {"Max": "Eltwise", "Min": "Power Power Eltwise Power", "Concat": "Concat", "DepthConcat": "Concat"}


@pytest.mark.parametrize("kind, layers", ALIKE.items())
def test_of_blobs_of_one_shape(kind: str, layers: str, tmp_path: Path) -> None:
    outputs = "y sizes" if "Concat" in kind else "y"
    predict = net((kind, "a b", outputs, {}))
    predict.external_output[:] = ["y"]
    _, made = written(predict, {}, tmp_path, inputs={"a": POSITIVE, "b": POSITIVE[::-1] + 1})
    assert made == layers.split()


@pytest.mark.parametrize("kind", ["Add", "Mul", "Sub", "Div"])
@pytest.mark.parametrize("shape", [(2, 4, 1, 1), (1, 4, 1, 1), (2, 1, 6, 6), (1, 1, 6, 1), (6,), (1,), (2, 1, 6, 1)])
@pytest.mark.parametrize("turned", [False, True])
def test_blobs_that_are_spread(kind: str, shape: tuple[int, ...], turned: bool, tmp_path: Path) -> None:
    small = np.abs(numbers(*shape)) + 1
    predict = net((kind, "b a" if turned else "a b", "y", {}))
    _, made = written(predict, {}, tmp_path, inputs={"a": POSITIVE, "b": small})
    assert made[-1] == ("Scale" if kind in ("Mul", "Div") else "Bias")
    _, made = written(predict, {"b": small}, tmp_path, inputs={"a": POSITIVE})
    assert made[-1] in ("Scale", "Bias", "Power")


def test_sums_with_weights(tmp_path: Path) -> None:
    params = {"one": np.array([2.0], np.float32), "two": np.array([-0.5], np.float32)}
    made, _ = written(
        net(("WeightedSum", "a one b two", "y", {})), params, tmp_path, input_shapes={"a": MATRIX, "b": MATRIX}
    )
    assert list(made.proto.layer[-1].eltwise_param.coeff) == [2.0, -0.5]


def test_parts(tmp_path: Path) -> None:
    predict = net(("Split", "x", "a b", {"axis": 1, "split": [1, 3]}), ("Split", "b", "c d e", {"axis": 1}))
    predict.external_output.append("a")
    _, made = written(predict, {}, tmp_path, input_shapes={"x": IMAGE})
    assert made == ["Slice", "Slice"]


def test_axes_of_their_own(tmp_path: Path) -> None:
    predict = net(
        ("Split", "x", "a b", {"axis": 0, "add_axis": 1}), ("Concat", "b a", "y sizes", {"axis": 1, "add_axis": 1})
    )
    predict.external_output[:] = ["y"]
    written(predict, {}, tmp_path, input_shapes={"x": IMAGE})


def test_batch_normalization(tmp_path: Path) -> None:
    params = {"s": numbers(4), "b": numbers(4), "m": numbers(4), "v": np.abs(numbers(4)) + 1}
    predict = net(("SpatialBN", "x s b m v", "y", {"is_test": 1, "epsilon": 1e-3}))
    made, layers = written(predict, params, tmp_path, input_shapes={"x": IMAGE})
    assert layers == ["BatchNorm", "Scale"] and made.proto.layer[2].top == made.proto.layer[2].bottom == ["y"]
    params |= {"s": np.ones(4, np.float32), "b": np.zeros(4, np.float32)}
    assert written(predict, params, tmp_path, input_shapes={"x": IMAGE})[1] == ["BatchNorm"]


def test_tables(tmp_path: Path) -> None:
    predict = net(("Cast", "x", "i", {"to": 2}), ("Gather", "w i", "y", {}))
    _, made = written(predict, {"w": numbers(5, 3)}, tmp_path, inputs={"x": np.array([4.0, 0.0, 2.0], np.float32)})
    assert made == ["Embed"]
    predict = net(("Cast", "x", "i", {"to": 2}), ("FlattenToVec", "i", "f", {}), ("Gather", "w f", "y", {}))
    inputs = {"x": np.array([[4.0, 0.0]], np.float32), "w": numbers(5, 3)}
    assert written(predict, {}, tmp_path, inputs=inputs)[1] == ["Reshape", "BatchReindex"]


def test_sizes_of_blobs_are_those_that_they_have(tmp_path: Path) -> None:
    predict = net(
        ("Shape", "x", "s", {}),
        ("Reshape", "x", "flat old", {"shape": [2, -1]}),
        ("Relu", "flat", "r", {}),
        ("Reshape", "r old", "back older", {}),
        ("ConstantFill", "s", "c", {"input_as_shape": 1, "value": 2.0}),
        ("Sum", "back c", "y", {}),
    )
    made, layers = written(predict, {}, tmp_path, input_shapes={"x": IMAGE})
    assert layers == ["Reshape", "ReLU", "Reshape", "Parameter", "Eltwise"]
    assert made.notes == ["sizes that the net itself asks for are those that it has now"]


def test_the_best(tmp_path: Path) -> None:
    predict = net(("TopK", "x", "v i", {"k": 2}))
    assert written(predict, {}, tmp_path, input_shapes={"x": MATRIX})[1] == ["ArgMax", "ArgMax"]


LABELS = {"label": np.array([0, 2, 1], np.int32)}
PAIR = {"a": numbers(3, 4), "b": numbers(3, 4, seed=1)}
LOSSES = {
    "MultinomialLogisticLoss": ("LabelCrossEntropy", "p label", {"p": np.abs(numbers(3, 4)), **LABELS}),
    "SigmoidCrossEntropyLoss": ("SigmoidCrossEntropyWithLogits", "a b", PAIR),
    "EuclideanLoss": ("SquaredL2Distance", "a b", PAIR),
}


@pytest.mark.parametrize("layer", LOSSES)
def test_losses_of_rows_and_their_mean(layer: str, tmp_path: Path) -> None:
    kind, blobs, inputs = LOSSES[layer]
    predict = net((kind, blobs, "each", {}), ("AveragedLoss", "each", "loss", {}))
    assert written(predict, {}, tmp_path, inputs=inputs)[1] == [layer]


PAIRS = {
    "SquaredL2Distance": "Eltwise Reduction",
    "L1Distance": "Eltwise Reduction",
    "DotProduct": "Eltwise Reduction",
    "SigmoidCrossEntropyWithLogits": "Eltwise BNLL Eltwise Reduction",
}


@pytest.mark.parametrize("kind, layers", PAIRS.items())
def test_pairs_of_rows(kind: str, layers: str, tmp_path: Path) -> None:
    assert written(net((kind, "a b", "y", {})), {}, tmp_path, inputs=PAIR)[1] == layers.split()


def test_softmax_and_loss(tmp_path: Path) -> None:
    predict = net(("SoftmaxWithLoss", "x label", "p loss", {"scale": 2.0}), ("Accuracy", "p label", "right", {}))
    predict.external_output[:] = ["loss", "right"]
    _, made = written(predict, {}, tmp_path, inputs={"x": numbers(3, 4), **LABELS})
    assert made == ["SoftmaxWithLoss", "Power", "Accuracy"]


def test_constants_are_parameters_and_fills_data(tmp_path: Path) -> None:
    predict = net(
        ("ConstantFill", "", "c", {"shape": [2, 3], "value": 1.5}),
        ("Concat", "x c w", "y sizes", {"axis": 0}),
    )
    predict.external_output[:] = ["y"]
    _, made = written(predict, {"w": numbers(1, 3)}, tmp_path, input_shapes={"x": (2, 3)})
    assert made == ["DummyData", "Parameter", "Concat"]


def test_for_bvlc_numbers_are_repeated_by_a_deconvolution(tmp_path: Path) -> None:
    predict = net(("ResizeNearest", "x", "y", {"height_scale": 2.0, "width_scale": 3.0}))
    assert written(predict, {}, tmp_path, input_shapes={"x": IMAGE}, bvlc=True)[1] == ["Deconvolution"]


def test_every_operator_of_one_file_is_registered_once() -> None:
    assert {"Conv", "FC", "MaxPool", "SpatialBN", "CaffeLSTM"} <= set(exporters) and len(exporters) > 120
