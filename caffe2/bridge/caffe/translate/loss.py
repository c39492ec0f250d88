"""Losses, with Caffe's normalization; Accuracy, ArgMax and Filter."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.bridge.caffe.layers import Layer
from caffe2.bridge.caffe.translate.builder import Builder, translates
from caffe2.proto import caffe_pb2


def _counting(layer: Layer, default: str) -> dict[str, Any]:
    """The arguments that say what counts, and what the sum is divided by: `normalize` is the older of two fields."""
    p = layer.proto.loss_param
    mode = default
    if p.HasField("normalization"):
        mode = caffe_pb2.LossParameter.NormalizationMode.Name(p.normalization)
    elif p.HasField("normalize"):
        mode = "VALID" if p.normalize else "BATCH_SIZE"
    return {"normalization": mode, "ignore_label": p.ignore_label if p.HasField("ignore_label") else None}


@translates("SoftmaxWithLoss")
def _(layer: Layer, b: Builder) -> None:
    b.op("CaffeSoftmaxWithLoss", layer.bottoms, layer.tops, axis=layer.param.axis, **_counting(layer, "VALID"))


@translates("InfogainLoss")
def _(layer: Layer, b: Builder) -> None:
    """The matrix is the third bottom, or of a file: then it becomes a parameter."""
    bottoms = list(layer.bottoms)
    if len(bottoms) == 2:
        classes = layer.bottom_shapes[0][layer.reference.at]
        matrix = np.asarray(layer.reference.stored().load(), np.float32).reshape(classes, classes)
        bottoms.append(b.constant(matrix, f"{layer.name}_matrix"))
    b.op("CaffeInfogainLoss", bottoms, layer.tops, axis=layer.param.axis, **_counting(layer, "VALID"))


@translates("SigmoidCrossEntropyLoss")
def _(layer: Layer, b: Builder) -> None:
    b.op("CaffeSigmoidCrossEntropyLoss", layer.bottoms, layer.tops, **_counting(layer, "BATCH_SIZE"))


@translates("EuclideanLoss", "MultinomialLogisticLoss")
def _(layer: Layer, b: Builder) -> None:
    b.op(f"Caffe{layer.type}", layer.bottoms, layer.tops)


@translates("HingeLoss")
def _(layer: Layer, b: Builder) -> None:
    squared = layer.param.norm == caffe_pb2.HingeLossParameter.L2
    b.op("CaffeHingeLoss", layer.bottoms, layer.tops, norm="L2" if squared else "L1")


@translates("ContrastiveLoss")
def _(layer: Layer, b: Builder) -> None:
    p = layer.param
    legacy = p.legacy_version or None
    b.op("CaffeContrastiveLoss", layer.bottoms, layer.tops, margin=p.margin, legacy_version=legacy)


@translates("SmoothL1Loss")
def _(layer: Layer, b: Builder) -> None:
    b.op("CaffeSmoothL1Loss", layer.bottoms, layer.tops, sigma=layer.param.sigma)


@translates("Accuracy")
def _(layer: Layer, b: Builder) -> None:
    p = layer.param
    ignored = p.ignore_label if p.HasField("ignore_label") else None
    b.op("CaffeAccuracy", layer.bottoms, layer.tops, axis=p.axis, top_k=p.top_k, ignore_label=ignored)


@translates("ArgMax")
def _(layer: Layer, b: Builder) -> None:
    p = layer.param
    axis = p.axis % len(layer.bottom_shapes[0]) if p.HasField("axis") else None
    b.op("CaffeArgMax", layer.bottoms, layer.tops, top_k=p.top_k, axis=axis, out_max_val=p.out_max_val or None)


@translates("Filter")
def _(layer: Layer, b: Builder) -> None:
    *items, selector = layer.bottoms
    b.op("CaffeFilter", [selector, *items], layer.tops)
