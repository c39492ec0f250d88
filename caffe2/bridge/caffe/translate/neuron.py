"""Layers that work on every element alone."""

from __future__ import annotations

import math

import numpy as np

from caffe2.bridge.caffe.layers import Layer
from caffe2.bridge.caffe.translate.builder import Builder, translates

PLAIN = {"AbsVal": "Abs", "Sigmoid": "Sigmoid", "TanH": "Tanh", "BNLL": "Softplus", "Split": "Copy", "Silence": None}


@translates("AbsVal", "Sigmoid", "TanH", "BNLL", "Split")
def _(layer: Layer, b: Builder) -> None:
    for top in layer.tops:
        b.op(PLAIN[layer.type], layer.bottoms[0], top)


@translates("Silence")
def _(layer: Layer, b: Builder) -> None:
    """Caffe prints nothing for it: it is there to use blobs up."""


@translates("ReLU")
def _(layer: Layer, b: Builder) -> None:
    """Forks limit it by `relu_max`."""
    fork = layer.fork.relu_param
    _rectified(layer, b, fork.relu_max if fork.HasField("relu_max") else None)


@translates("ReLU6")
def _(layer: Layer, b: Builder) -> None:
    _rectified(layer, b, 6.0)


def _rectified(layer: Layer, b: Builder, most: float | None) -> None:
    (x,), (top,), slope = layer.bottoms, layer.tops, layer.param.negative_slope
    if most is not None and not slope and most >= 0:
        b.op("Clip", x, top, min=0.0, max=most)
        return
    made = top if most is None else ""
    y = b.op("LeakyRelu", x, made, alpha=slope) if slope else b.op("Relu", x, made)
    if most is not None:
        b.op("Clip", y, top, max=most)


@translates("Clip")
def _(layer: Layer, b: Builder) -> None:
    b.op("Clip", layer.bottoms[0], layer.tops[0], min=layer.param.min, max=layer.param.max)


@translates("ELU")
def _(layer: Layer, b: Builder) -> None:
    b.op("Elu", layer.bottoms[0], layer.tops[0], alpha=layer.param.alpha)


@translates("Swish")
def _(layer: Layer, b: Builder) -> None:
    """x s(beta x), s the logistic function."""
    x, beta = layer.bottoms[0], layer.param.beta
    gate = b.op("Sigmoid", x if beta == 1 else scaled(b, x, beta))
    b.op("Mul", [x, gate], layer.tops[0])


@translates("PReLU")
def _(layer: Layer, b: Builder) -> None:
    b.op("PRelu", [layer.bottoms[0], b.param(layer, 0, "slope", np.ravel)], layer.tops[0])


@translates("Dropout")
def _(layer: Layer, b: Builder) -> None:
    """Forks drop while testing too (`sample_weights_test`), or scale then and not before (`scale_train: false`)."""
    fork, ratio, (top,) = layer.fork.dropout_param, layer.param.dropout_ratio, layer.tops
    drops = not b.is_test or fork.sample_weights_test
    if fork.scale_train or drops:
        mask = [b.fresh(f"{layer.name}_mask")] if drops else []
        made = b.op(
            "Dropout",
            layer.bottoms[0],
            ["" if drops and not fork.scale_train else top, *mask],
            ratio=ratio,
            is_test=int(not drops),
        )
    else:
        made = layer.bottoms[0]
    if not fork.scale_train:
        b.op("Scale", made, top, scale=1 - ratio)


@translates("Threshold")
def _(layer: Layer, b: Builder) -> None:
    above = b.op("GT", [layer.bottoms[0], b.constant(layer.param.threshold)], "", broadcast=1)
    b.op("Cast", above, layer.tops[0], to=1)


@translates("Mish")
def _(layer: Layer, b: Builder) -> None:
    (x,) = layer.bottoms
    b.op("Mul", [x, b.op("Tanh", b.op("Softplus", x))], layer.tops[0])


@translates("HardSwish")
def _(layer: Layer, b: Builder) -> None:
    (x,) = layer.bottoms
    gate = b.op("Clip", b.op("Add", [x, b.constant(3.0)], "", broadcast=1), "", min=0.0, max=6.0)
    b.op("Mul", [x, b.op("Scale", gate, "", scale=1 / 6)], layer.tops[0])


def scaled(b: Builder, x: str, scale: float, shift: float = 0.0, top: str = "") -> str:
    """scale * x + shift, as few operators as it takes."""
    if shift == 0:
        return b.op("Scale", x, top, scale=scale)
    y = x if scale == 1 else b.op("Scale", x, "", scale=scale)
    return b.op("Add", [y, b.constant(shift)], top, broadcast=1)


@translates("Power")
def _(layer: Layer, b: Builder) -> None:
    """(shift + scale x) ** power."""
    p, (top,) = layer.param, layer.tops
    if p.power == 1:
        scaled(b, layer.bottoms[0], p.scale, p.shift, top)
    else:
        b.op("Pow", scaled(b, layer.bottoms[0], p.scale, p.shift), top, exponent=p.power)


@translates("Exp")
def _(layer: Layer, b: Builder) -> None:
    """base ** (shift + scale x); base e where it is -1."""
    p = layer.param
    rate = 1.0 if p.base == -1 else math.log(p.base)
    b.op("Exp", scaled(b, layer.bottoms[0], rate * p.scale, rate * p.shift), layer.tops[0])


@translates("Log")
def _(layer: Layer, b: Builder) -> None:
    """log(shift + scale x) to a base; base e where it is -1."""
    p = layer.param
    found = b.op("Log", scaled(b, layer.bottoms[0], p.scale, p.shift), "" if p.base != -1 else layer.tops[0])
    if p.base != -1:
        b.op("Scale", found, layer.tops[0], scale=1 / math.log(p.base))
