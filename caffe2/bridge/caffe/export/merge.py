"""Layers that are one: lines before powers, biases behind scales, factors behind sums."""

from __future__ import annotations

from collections import Counter

from caffe2.bridge.caffe.export.draft import Draft, Drafted
from caffe2.proto import caffe_pb2

FIELDS = {"Power": "power_param", "Exp": "exp_param", "Log": "log_param"}


def merged(draft: Draft) -> list[Drafted]:
    """The layers of a draft, straight lines that only the next layer reads being part of it.

    Power, Exp and Log layers apply (shift + scale x) first.
    """
    reads = Counter(bottom for layer in draft.layers for bottom in layer.proto.bottom)
    kept: list[Drafted] = []
    last: dict[str, Drafted] = {}
    for layer in draft.layers:
        below = last.get(next(iter(layer.proto.bottom), ""))
        inner = below is not None and reads[below.proto.top[0]] == 1 and below.proto.top[0] not in draft.program.outputs
        if inner and _line(below) and layer.proto.type in FIELDS:
            _prepend(below, layer)
            kept.remove(below)
        elif inner and (one := _one(below, layer, draft)):
            layer = one
            kept.remove(below)
        kept.append(layer)
        last.update(dict.fromkeys(layer.proto.top, layer))
    return kept


def _line(layer: Drafted) -> bool:
    return layer.proto.type == "Power" and layer.proto.power_param.power == 1 and layer.proto.bottom != layer.proto.top


def _prepend(below: Drafted, layer: Drafted) -> None:
    """f(shift + scale y) of y = d + c x is f((shift + scale d) + scale c x)."""
    line, own = below.proto.power_param, getattr(layer.proto, FIELDS[layer.proto.type])
    scale, shift = own.scale, own.shift
    for name, value, usual in (("scale", scale * line.scale, 1), ("shift", shift + scale * line.shift, 0)):
        own.ClearField(name)
        if value != usual:
            setattr(own, name, value)
    layer.proto.bottom[:] = below.proto.bottom


def _one(below: Drafted, layer: Drafted, draft: Draft) -> Drafted | None:
    """Two layers as one: a Scale and its bias, an Embed and its bias, a Reduction and its factor; None for others."""
    kinds = below.proto.type, layer.proto.type
    if kinds == ("Scale", "Bias") and _affine(below, layer):
        below.proto.scale_param.bias_term = True
    elif kinds == ("Embed", "Bias") and _last(layer, draft):
        below.proto.embed_param.bias_term = True
    elif kinds == ("Reduction", "Power") and _factor(layer):
        below.proto.reduction_param.coeff *= layer.proto.power_param.scale
    elif kinds in SUMMED and layer.proto.reduction_param.operation == layer.proto.reduction_param.SUM:
        if kinds[0] == "Power" and not _square(below):
            return None
        layer.proto.reduction_param.operation = SUMMED[kinds]
        layer.proto.bottom[:] = below.proto.bottom
        return layer
    else:
        return None
    below.proto.top[:] = layer.proto.top
    return Drafted(below.proto, None, [*below.weights, *layer.weights], below.name, layer.site)


SUMMED = {
    ("AbsVal", "Reduction"): caffe_pb2.ReductionParameter.ASUM,
    ("Power", "Reduction"): caffe_pb2.ReductionParameter.SUMSQ,
}


def _affine(below: Drafted, layer: Drafted) -> bool:
    """Whether a layer adds a parameter, of the same axes, to what a Scale layer without a bias gives."""
    one, two = below.proto.scale_param, layer.proto.bias_param
    alike = (one.axis, one.num_axes) == (two.axis, two.num_axes) and len(layer.proto.bottom) == 1
    return alike and len(below.proto.bottom) == 1 and not one.bias_term and below.proto.bottom != below.proto.top


def _last(layer: Drafted, draft: Draft) -> bool:
    """Whether a layer adds a parameter along the last axis."""
    site = draft.program.writers.get(layer.proto.top[0])
    param, learned = layer.proto.bias_param, len(layer.proto.bottom) == 1
    return learned and site is not None and param.num_axes == 1 and param.axis == len(site.out_shape) - 1


def _factor(layer: Drafted) -> bool:
    return layer.proto.power_param.power == 1 and layer.proto.power_param.shift == 0


def _square(layer: Drafted) -> bool:
    p = layer.proto.power_param
    return (p.power, p.scale, p.shift) == (2, 1, 0)
