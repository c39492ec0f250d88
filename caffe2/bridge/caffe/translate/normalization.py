"""Normalization: LRN, BatchNorm, MVN, Softmax; forks' InstanceNorm, BN and Normalize."""

from __future__ import annotations

import math

import numpy as np

from caffe2.bridge.caffe.layers import Layer
from caffe2.bridge.caffe.translate.builder import Builder, translates
from caffe2.bridge.caffe.translate.neuron import scaled
from caffe2.bridge.caffe.translate.pooling import add_pool


@translates("LRN")
def _(layer: Layer, b: Builder) -> None:
    """In place over channels, Caffe multiplies the power by itself: it has written it over x."""
    p, (x,), (top,) = layer.param, layer.bottoms, layer.tops
    args = {"size": p.local_size, "alpha": p.alpha, "beta": p.beta, "bias": p.k, "order": "NCHW"}
    if layer.reference.within:
        means = add_pool(b, b.op("Sqr", x), "Average", layer.reference.windows, "")
        b.op("Mul", [x, b.op("Pow", scaled(b, means, p.alpha, 1.0), "", exponent=-p.beta)], top)
    elif layer.reference.overwrites:
        scale = b.fresh(f"{top}_scale")
        b.op("LRN", x, [b.fresh(top), scale], **args)
        b.op("Pow", scale, top, exponent=-2 * p.beta)
    else:
        b.op("LRN", x, [top, ""], **args)


@translates("BatchNorm")
def _(layer: Layer, b: Builder) -> None:
    """NVIDIA's fork adds a scale and a bias behind Caffe's three parameters."""
    p, (shape,), (x,), (top,) = layer.param, layer.bottom_shapes, layer.bottoms, layer.tops
    if len(layer.params) == 5:
        affine = [b.param(layer, 3, "s"), b.param(layer, 4, "b")]
    else:
        affine = [b.constant(np.ones(shape[1], np.float32), "ones"), b.constant_zeros(shape[1])]
    stored = p.use_global_stats if p.HasField("use_global_stats") else b.is_test
    if b.trains and not stored:
        _batch_and_sums(layer, b, affine)
        return
    statistics = _quotients(layer, b) if b.trains else _statistics(layer, b)
    if stored:
        b.op("SpatialBN", [x, *affine, *statistics], top, is_test=1, epsilon=p.eps, order="NCHW")
    else:
        batch_normalized(layer, b, [*affine, *statistics], epsilon=p.eps, momentum=p.moving_average_fraction)


def batch_normalized(layer: Layer, b: Builder, blobs: list[str], **args: float) -> None:
    """Normalize by the statistics of the batch; scale, bias, and running statistics that it keeps are given."""
    saved = [b.fresh(f"{layer.name}_saved_mean"), b.fresh(f"{layer.name}_saved_var")]
    b.op("SpatialBN", [layer.bottoms[0], *blobs], [layer.tops[0], *blobs[2:], *saved], order="NCHW", **args)


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


SUMS = ("mean", "var", "factor")


def _quotients(layer: Layer, b: Builder) -> list[str]:
    """Mean and variance as a solver's nets have them: sums over their factor, and 0 as long as that is 0."""
    *sums, factor = (b.param(layer, k, name) for k, name in enumerate(SUMS))
    divisor = b.op("Clip", factor, "", min=float(np.finfo(np.float32).tiny))
    return [b.op("Div", [total, divisor], "", broadcast=1) for total in sums]


def _batch_and_sums(layer: Layer, b: Builder, affine: list[str]) -> None:
    """Normalize by the batch; each sum becomes its moving_average_fraction plus the batch's, the factor's being 1.

    The operator's own running statistics, with momentum 0, are those of the batch, the variance unbiased as in Caffe.
    """
    shape = layer.bottom_shapes[0]
    channels, alone = shape[1], math.prod(shape) == shape[1]
    scratch = [b.op("Copy", b.constant_zeros(channels)) for _ in range(2)]
    batch_normalized(layer, b, [*affine, *scratch], epsilon=layer.param.eps, momentum=0.0)
    kept, one = b.constant(layer.param.moving_average_fraction), b.constant(1.0)
    variance = b.constant_zeros(channels) if alone else scratch[1]  # of one number it is 0, and not without a bias
    for k, (name, term) in enumerate(zip(SUMS, (scratch[0], variance, one))):
        total = b.param(layer, k, name)
        b.op("WeightedSum", [total, kept, term, one], total)


@translates("MVN")
def _(layer: Layer, b: Builder) -> None:
    """Subtract the mean of every plane, or of every image; divide by the deviation, eps beside it.

    The top has 4 axes whatever the bottom has.
    """
    p, (shape,), (x,), (top,) = layer.param, layer.bottom_shapes, layer.bottoms, layer.tops
    if len(shape) != 4:
        x = b.op("Reshape", x, ["", ""], shape=layer.reference.top)
    axes = (1, 2, 3) if p.across_channels else (2, 3)
    mean = b.op("ReduceMean", x, "", axes=axes, keepdims=1)
    centred = b.op("Sub", [x, mean], "" if p.normalize_variance else top)
    if p.normalize_variance:
        variance = b.op("ReduceMean", b.op("Sqr", centred), "", axes=axes, keepdims=1)
        b.op("Div", [centred, scaled(b, b.op("Sqrt", variance), 1.0, p.eps)], top)


@translates("InstanceNorm")
def _(layer: Layer, b: Builder) -> None:
    channels = layer.bottom_shapes[0][1]
    affine = [b.constant(np.ones(channels, np.float32), "ones"), b.constant_zeros(channels)]
    if layer.param.affine:
        affine = [b.param(layer, 0, "s"), b.param(layer, 1, "b")]
    b.op("InstanceNorm", [layer.bottoms[0], *affine], layer.tops[0], order="NCHW", epsilon=layer.param.eps)


@translates("BN")
def _(layer: Layer, b: Builder) -> None:
    """PSPNet stores scale, shift, mean and variance; SegNet, in tests, a scale and a shift with those folded in."""
    known, p, (top,) = layer.reference, layer.param, layer.tops
    blobs = [b.param(layer, k, name, np.ravel) for k, name in enumerate(("s", "b", "mean", "var")[: len(layer.params)])]
    if known.folded and p.bn_mode == p.INFERENCE:
        found = b.op("Mul", [layer.bottoms[0], blobs[0]], "", broadcast=1, axis=1)
        b.op("Add", [found, blobs[1]], top, broadcast=1, axis=1)
        return
    eps = 1e-9 if known.folded else p.var_eps if known.older else p.eps
    if known.stored:
        b.op("SpatialBN", [layer.bottoms[0], *blobs], top, is_test=1, epsilon=eps, order="NCHW")
        return
    if known.folded:
        channels = layer.bottom_shapes[0][1]
        ones = b.constant(np.ones(channels, np.float32), "ones")
        blobs += [b.op("Copy", name) for name in (b.constant_zeros(channels), ones)]
    batch_normalized(layer, b, blobs, epsilon=eps)


@translates("Normalize", "NormalizeBBox")
def _(layer: Layer, b: Builder) -> None:
    """SSD's x / sqrt(sum x^2 + eps), over channels or over all of an image, times a scale for each channel."""
    p, (shape,), (x,) = layer.param, layer.bottom_shapes, layer.bottoms
    axes = tuple(range(1, len(shape))) if p.across_spatial else (1,)
    total = b.op("ReduceSum", b.op("Sqr", x), "", axes=axes, keepdims=1)
    unit = b.op("Div", [x, b.op("Sqrt", scaled(b, total, 1.0, p.eps))])
    along = {} if p.channel_shared else {"axis": 1}
    b.op("Mul", [unit, b.param(layer, 0, "scale", np.ravel)], layer.tops[0], broadcast=1, **along)


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
