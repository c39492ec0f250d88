"""Normalization: LRN, BatchNorm, MVN, InstanceNorm, SSD's Normalize, Softmax."""

from __future__ import annotations

import numpy as np

from caffe2.bridge.caffe.layers import Layer
from caffe2.bridge.caffe.translate.builder import Builder, translates
from caffe2.bridge.caffe.translate.neuron import scaled
from caffe2.bridge.caffe.translate.pooling import Pool, add_pool


@translates("LRN")
def _(layer: Layer, b: Builder) -> None:
    p, (shape,), (x,), (top,) = layer.param, layer.bottom_shapes, layer.bottoms, layer.tops
    if p.norm_region == p.ACROSS_CHANNELS:
        b.op("LRN", x, [top, ""], size=p.local_size, alpha=p.alpha, beta=p.beta, bias=p.k, order="NCHW")
        return
    squares, mean = b.op("Sqr", x), b.fresh(top)
    half = ((p.local_size - 1) // 2,) * 2
    add_pool(b, squares, shape, Pool("Average", (p.local_size,) * 2, (1, 1), half), mean)
    factor = b.op("Pow", scaled(b, mean, p.alpha, 1.0), "", exponent=-p.beta)
    b.op("Mul", [x, factor], top)


@translates("BatchNorm")
def _(layer: Layer, b: Builder) -> None:
    p, (shape,), (x,), (top,) = layer.param, layer.bottom_shapes, layer.bottoms, layer.tops
    channels = shape[1] if len(shape) > 1 else 1
    ones, zeros = b.constant(np.ones(channels, np.float32)), b.constant(np.zeros(channels, np.float32))
    use_global = p.use_global_stats if p.HasField("use_global_stats") else b.is_test
    if use_global:
        mean, variance = _statistics(layer, b)
        b.op("SpatialBN", [x, ones, zeros, mean, variance], top, is_test=1, epsilon=p.eps, order="NCHW")
        return
    running = [b.param(layer, 0, "mean", _plain), b.param(layer, 1, "var", _plain)]
    saved = [b.fresh(f"{layer.name}_saved_mean"), b.fresh(f"{layer.name}_saved_var")]
    momentum = p.moving_average_fraction
    b.op(
        "SpatialBN", [x, ones, zeros, *running], [top, *running, *saved], epsilon=p.eps, momentum=momentum, order="NCHW"
    )


def _plain(a: np.ndarray) -> np.ndarray:
    return a


def _statistics(layer: Layer, b: Builder) -> tuple[str, str]:
    """The blobs of mean and variance: Caffe stores sums and the factor to divide them by."""
    roots = [param.root.blob for param in layer.params]
    if any(root is None for root in roots):
        return b.param(layer, 0, "mean"), b.param(layer, 1, "var")
    factor = float(roots[2].array.ravel()[0])
    scale = 0.0 if factor == 0 else 1 / factor

    def divided(a: np.ndarray) -> np.ndarray:
        return (a * np.asarray(scale, a.dtype)).astype(np.float32)

    return b.param(layer, 0, "mean", divided), b.param(layer, 1, "var", divided)


@translates("MVN")
def _(layer: Layer, b: Builder) -> None:
    """Subtract the mean of every plane, or of every image; divide by the deviation, eps beside it."""
    p, (shape,), (x,), (top,) = layer.param, layer.bottom_shapes, layer.bottoms, layer.tops
    axes = tuple(range(1 if p.across_channels else 2, len(shape)))
    centred = b.op("Sub", [x, b.op("ReduceMean", x, "", axes=axes, keepdims=1)], "" if p.normalize_variance else top)
    if p.normalize_variance:
        variance = b.op("ReduceMean", b.op("Sqr", centred), "", axes=axes, keepdims=1)
        deviation = b.op("Add", [b.op("Sqrt", variance), b.constant(p.eps)])
        b.op("Div", [centred, deviation], top)


@translates("InstanceNorm")
def _(layer: Layer, b: Builder) -> None:
    weights = [b.param(layer, 0, "s"), b.param(layer, 1, "b")]
    b.op("InstanceNorm", [layer.bottoms[0], *weights], layer.tops[0], order="NCHW", epsilon=1e-5)


@translates("Softmax")
def _(layer: Layer, b: Builder) -> None:
    (shape,), (top,) = layer.bottom_shapes, layer.tops
    softmax(b, layer.bottoms[0], len(shape), layer.param.axis % len(shape), top)


def softmax(b: Builder, x: str, rank: int, axis: int, top: str) -> None:
    """Softmax along one axis: the operator works along all from one on, so that one is moved last."""
    if axis == rank - 1:
        b.op("Softmax", x, top, axis=axis)
        return
    order = (*(k for k in range(rank) if k != axis), axis)
    back = tuple(int(k) for k in np.argsort(order))
    moved = b.op("Softmax", b.op("Transpose", x, "", axes=order), "", axis=rank - 1)
    b.op("Transpose", moved, top, axes=back)
