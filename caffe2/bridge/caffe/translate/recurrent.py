"""RNN, LSTM and LSTMUnit."""

from __future__ import annotations

import numpy as np

from caffe2.bridge.caffe.layers import Layer
from caffe2.bridge.caffe.translate.builder import Builder, translates


@translates("LSTMUnit")
def _(layer: Layer, b: Builder) -> None:
    b.op("CaffeLSTMUnit", layer.bottoms, layer.tops)


@translates("LSTM", "RNN")
def _(layer: Layer, b: Builder) -> None:
    """A static input stands third, and the states at first behind it; its weights stand between those of x and h."""
    x, cont, *others = layer.bottoms
    static = layer.reference.static
    names = ["w", "b", *(["w_static"] if static else []), "w_hidden", "w_out", "b_out"][: len(layer.params)]
    weights = {name: b.param(layer, k, name) for k, name in enumerate(names)}
    fed = [others.pop(0), weights.pop("w_static")] if static else []
    b.op(f"Caffe{layer.type}", [x, cont, *weights.values(), *fed, *others], layer.tops, static=int(static))


@translates("Lstm")
def _(layer: Layer, b: Builder) -> None:
    """An LSTM that begins at the first step; the marks hold for the file's number of steps and streams."""
    marks = b.constant(_marks(layer.bottom_shapes[0][:2]), f"{layer.name}_cont")
    w, recur, bias = (b.param(layer, k, name) for k, name in enumerate(("w", "w_hidden", "b")))
    b.op("CaffeLSTM", [layer.bottoms[0], marks, w, bias, recur], layer.tops, static=0)


@translates("ContinuationIndicator")
def _(layer: Layer, b: Builder) -> None:
    b.op("Copy", b.constant(_marks(layer.top_shapes[0]), f"{layer.name}_cont"), layer.tops[0])


def _marks(shape: tuple[int, ...]) -> np.ndarray:
    marks = np.ones(shape, np.float32)
    marks[0] = 0
    return marks
