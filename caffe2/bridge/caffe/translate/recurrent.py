"""RNN, LSTM and LSTMUnit."""

from __future__ import annotations

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
