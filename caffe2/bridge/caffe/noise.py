"""Values made up for a net, to compare two computations of it: inputs of the kinds that its layers take, parameters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from caffe2.bridge.caffe.blobs import Blob
from caffe2.bridge.caffe.fed import tops_fed
from caffe2.bridge.caffe.layers import Layer, Param, Shape
from caffe2.bridge.caffe.net import Net
from caffe2.bridge.caffe.reference.fillers import fill

Maker = Callable[[Layer, Shape, np.random.Generator], np.ndarray]


def noise(net: Net, seed: int = 0) -> dict[str, np.ndarray]:
    """A value for every blob that has to be fed: standard normal, or what the layer that reads it first takes.

    These are labels below the number of classes, boxes within the image, image sizes, marks of where sequences go on.
    """
    rng = np.random.default_rng(seed)
    readers: dict[str, tuple[Layer, int]] = {}
    for layer in net.layers:
        for index, name in enumerate(layer.bottoms):
            if _MAKERS.get((layer.type, index)):
                readers.setdefault(name, (layer, index))
    values = {}
    for name, shape in fed(net).items():
        layer, index = readers.get(name, (None, 0))
        make = _MAKERS[layer.type, index] if layer and layer.checked else _normal
        values[name] = np.asarray(make(layer, shape, rng), np.float32).reshape(shape)
    return values


def fed(net: Net) -> dict[str, Shape]:
    """The blobs that whoever runs a net feeds, as far as their shapes are known."""
    return {name: net.shapes[name] for name in tops_fed(net) if net.shapes[name] is not None}


def _normal(layer: Layer | None, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(shape)


def _class(layer: Layer, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """A class for each place; the scores are along `axis`, the second where the layer has none."""
    inner = getattr(layer.proto, "accuracy_param" if layer.type == "Accuracy" else "softmax_param")
    return rng.integers(0, layer.bottom_shapes[0][inner.axis], shape)


def _below(top: Callable[[Layer], int]) -> Maker:
    """Integers from 0 to below what the layer says."""
    return lambda layer, shape, rng: rng.integers(0, top(layer), shape)


def _going_on(layer: Layer, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """A sequence begins at the first step, and goes on."""
    values = np.ones(shape)
    values[:1] = 0
    return values


def _boxes(layer: Layer, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """Boxes (image 0, left, top, right, bottom) within the image that the features are of."""
    high, wide = (size / (layer.param.spatial_scale or 1) for size in layer.bottom_shapes[0][2:])
    near, far = rng.random((2, shape[0], 2)) * np.array([wide / 2, high / 2])
    far += np.array([wide / 2, high / 2])
    return np.hstack([np.zeros((shape[0], 1)), near, far])[:, -np.prod(shape[1:], dtype=int) :]


def _image(layer: Layer, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """The size of the image that the scores are of, and by how much it was enlarged."""
    high, wide = (size * layer.param.feat_stride for size in layer.bottom_shapes[0][2:])
    return np.resize([high, wide, 1, 1, 1, 1], shape)


_LABELLED = ("Accuracy", "HingeLoss", "InfogainLoss", "MultinomialLogisticLoss", "SoftmaxWithLoss")
_MAKERS: dict[tuple[str, int], Maker] = {
    **{(type_, 1): _class for type_ in _LABELLED},
    ("SigmoidCrossEntropyLoss", 1): _below(lambda layer: 2),
    ("ContrastiveLoss", 2): _below(lambda layer: 2),
    ("Embed", 0): _below(lambda layer: layer.param.input_dim),
    ("BatchReindex", 1): _below(lambda layer: layer.bottom_shapes[0][0]),
    ("LSTM", 1): _going_on,
    ("RNN", 1): _going_on,
    ("ROIPooling", 1): _boxes,
    ("PSROIPooling", 1): _boxes,
    ("Proposal", 2): _image,
}
"""What the bottom of a layer type takes that is not any number."""


def draw_params(net: Net, seed: int = 0) -> int:
    """Gives numbers to every parameter that no file has, so that a net without weights can be compared; how many.

    They are what the fillers say; where these say a constant, as nets to deploy do by leaving them out, weights are
    normal with variance 2 / fan-in, so that every layer has something to show.
    """
    rng = np.random.default_rng(seed)
    missing = [(layer, i, p) for layer in net.layers for i, p in enumerate(layer.params) if not (p.owner or p.blob)]
    for layer, index, param in missing:
        array = np.asarray(_drawn(layer, index, param, rng), np.float32).reshape(param.shape)
        param.blob = Blob(param.shape, array.size, array.dtype, lambda array=array: array)
    return len(missing)


def _drawn(layer: Layer, index: int, param: Param, rng: np.random.Generator) -> np.ndarray:
    if param.filler is not None and param.filler.type != "constant":
        return fill(param.filler, param.shape, rng)
    if layer.type == "BatchNorm":  # sums of means and of variances, and by what they are divided
        return (rng.normal(0, 0.1, param.shape), rng.uniform(0.5, 2, param.shape), np.ones(param.shape))[min(index, 2)]
    if layer.type in ("Scale", "BN", "Normalize", "PReLU", "Parameter"):
        return rng.uniform(0.5, 1.5, param.shape)
    fan = max(int(np.prod(param.shape[1:])), 1)
    return rng.standard_normal(param.shape, np.float32) * (np.sqrt(2 / fan) if len(param.shape) > 1 else 0.1)
