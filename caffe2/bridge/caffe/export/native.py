"""Operators that compute what a layer of Caffe does: each maps straight back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from caffe2.bridge.caffe.export.draft import Draft, exports
from caffe2.bridge.caffe.export.neuron import first_channels
from caffe2.bridge.caffe.export.site import Refusal, Site
from caffe2.bridge.caffe.layers import AUTOMATIC
from caffe2.ops.caffe.boxes import CODES

Args = dict[str, Any]
Fields = Callable[[Args], Args]


def given(a: Args, *names: str, **renamed: str) -> Args:
    """The arguments that hold something, some under other names."""
    pairs = {**{name: name for name in names}, **renamed}
    return {new: a[old] for new, old in pairs.items() if a[old] not in (None, (), "")}


def _counting(a: Args) -> Args:
    return {"loss_param": given(a, "normalization", "ignore_label")}


LAYERS: dict[str, tuple[str, Fields]] = {
    "CaffeSoftmaxWithLoss": (
        "SoftmaxWithLoss",
        lambda a: {**_counting(a), "softmax_param": {"axis": a["axis"]} if a["axis"] != 1 else {}},
    ),
    "CaffeInfogainLoss": (
        "InfogainLoss",
        lambda a: {**_counting(a), "infogain_loss_param": {"axis": a["axis"]} if a["axis"] != 1 else {}},
    ),
    "CaffeSigmoidCrossEntropyLoss": ("SigmoidCrossEntropyLoss", _counting),
    "CaffeEuclideanLoss": ("EuclideanLoss", lambda a: {}),
    "CaffeMultinomialLogisticLoss": ("MultinomialLogisticLoss", lambda a: {}),
    "CaffeHingeLoss": ("HingeLoss", lambda a: {"hinge_loss_param": {"norm": a["norm"]}}),
    "CaffeContrastiveLoss": (
        "ContrastiveLoss",
        lambda a: {"contrastive_loss_param": given(a, "margin", "legacy_version")},
    ),
    "CaffeAccuracy": ("Accuracy", lambda a: {"accuracy_param": given(a, "axis", "top_k", "ignore_label")}),
    "CaffeArgMax": ("ArgMax", lambda a: {"argmax_param": given(a, "top_k", "axis", "out_max_val")}),
    "CaffeLSTMUnit": ("LSTMUnit", lambda a: {}),
}
"""An operator, the layer of BVLC's Caffe that is the same, and its parameters from the operator's arguments."""

FORKED: dict[str, tuple[str, Fields]] = {
    "CaffeSmoothL1Loss": ("SmoothL1Loss", lambda a: {"smooth_l1_loss_param": given(a, "sigma")}),
    "CaffePSROIPool": (
        "PSROIPooling",
        lambda a: {"psroi_pooling_param": given(a, "output_dim", "group_size", "spatial_scale")},
    ),
    "RoIPool": ("ROIPooling", lambda a: {"roi_pooling_param": given(a, "pooled_h", "pooled_w", "spatial_scale")}),
    "CaffeDetectionOutput": ("DetectionOutput", lambda a: {"detection_output_param": _detections(a)}),
}
"""The same of layers that forks have."""


@exports(*LAYERS)
def _(s: Site, e: Draft) -> None:
    kind, fields = LAYERS[s.type]
    tops = [] if s.outputs == [AUTOMATIC] else s.outputs
    weights = {"loss_weight": [1.0, 0.0]} if kind.endswith("Loss") and len(tops) > 1 else {}
    bottoms, name = [e.index(name) for name in s.inputs], "" if tops else kind.lower()
    e.layer(kind, bottoms, tops, name=name, **weights, **fields(s.args))


@exports(*FORKED)
def _(s: Site, e: Draft) -> None:
    if s.type == "RoIPool":
        first_channels(s)
        if e.read(s, 1):
            raise Refusal("the places of the maxima are read, and Caffe does not give them")
    kind, fields = FORKED[s.type]
    e.layer(kind, s.inputs, s.y, fork=fields(s.args))


def _detections(a: Args) -> Args:
    names = ("num_classes", "share_location", "background_label_id", "variance_encoded_in_target", "keep_top_k")
    nms = given(a, "nms_threshold", "eta") | ({"top_k": a["top_k"]} if a["top_k"] >= 0 else {})
    code = CODES.index(a["code_type"]) + 1
    return {**given(a, *names, "confidence_threshold"), "nms_param": nms, "code_type": code}


@exports("CaffeFilter")
def _(s: Site, e: Draft) -> None:
    """The selector comes last."""
    e.layer("Filter", [*s.inputs[1:], s.x], s.outputs)


@exports("CaffeLSTM", "CaffeRNN")
def _(s: Site, e: Draft) -> None:
    """Weights stand between the sequence and what else is fed; a static input's behind those of the sequence."""
    count = 3 if s.type == "CaffeLSTM" else 5
    x, cont, *rest = s.inputs
    weights, rest = rest[:count], rest[count:]
    fed = []
    if s.args["static"]:
        fed, weights = [rest[0]], [*weights[:2], rest[1], *weights[2:]]
        rest = rest[2:]
    tops = [name for k, name in enumerate(s.outputs) if k == 0 or e.read(s, k)]
    hidden = e.weight(weights[3 if s.args["static"] else 2]).array.shape[1]
    param = {"num_output": hidden, **({"expose_hidden": True} if rest else {})}
    if len(tops) > 1 and not rest:
        raise Refusal("last states are given without first ones, and Caffe gives and takes both", advice="feed them")
    tops = [*s.outputs, *(e.fresh(s.y) for _ in range(1 + len(rest) - len(s.outputs)))] if rest else tops
    held = [e.weight(name) for name in weights]
    e.layer(s.type.removeprefix("Caffe"), [x, cont, *fed, *rest], tops, weights=held, recurrent_param=param)
