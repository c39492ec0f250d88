"""Losses of Caffe2 where Caffe has the same, and what counts and chooses: Accuracy, ArgMax, TopK."""

from __future__ import annotations

from typing import Any

from caffe2.bridge.caffe.export.draft import Draft, exports
from caffe2.bridge.caffe.export.neuron import power
from caffe2.bridge.caffe.export.shape import reshape
from caffe2.bridge.caffe.export.site import Refusal, Site

AVERAGED: dict[str, tuple[str, dict[str, Any]]] = {
    "LabelCrossEntropy": ("MultinomialLogisticLoss", {}),
    "SigmoidCrossEntropyWithLogits": ("SigmoidCrossEntropyLoss", {"loss_param": {"normalization": "FULL"}}),
    "SquaredL2Distance": ("EuclideanLoss", {}),
}
"""Losses of every row, and the layer that gives their mean."""


@exports(*AVERAGED)
def _(s: Site, e: Draft) -> None:
    """Caffe's losses are means: the operator and the AveragedLoss behind it are one layer."""
    after = e.sole(s.y)
    if after is None or after.type != "AveragedLoss":
        raise Refusal("Caffe has the mean of these losses only", advice="put an AveragedLoss behind it, alone")
    if s.type == "SigmoidCrossEntropyWithLogits" and (s.args["log_D_trick"] or s.args["unjoined_lr_loss"]):
        raise Refusal("Caffe has the plain loss only", argument="log_D_trick")
    kind, params = AVERAGED[s.type]
    e.done.add(after.index)
    e.layer(kind, _pair(s, e), after.y, **params)


def _pair(s: Site, e: Draft) -> list[str]:
    return [e.index(name) for name in s.inputs]


@exports("SoftmaxWithLoss")
def _(s: Site, e: Draft) -> None:
    """With one label a row, and no weights, it is Caffe's; a factor is a Power layer behind."""
    a = s.args
    if len(s.inputs) > 2 or a["label_prob"]:
        raise Refusal("Caffe weighs no rows and takes one label a row", argument="label_prob")
    if a["axis"] != 1 or len(s.in_shape) != 2:
        raise Refusal(f"it makes rows of {list(s.in_shape)}, and Caffe's runs along one axis", argument="axis")
    loss = s.outputs[1]
    logits, label = _pair(s, e)
    weights = {"loss_weight": [1.0, 0.0]} if e.read(s, 0) else {}
    named = [loss if a["scale"] == 1 else e.fresh(loss)] + ([s.y] if e.read(s, 0) else [])
    top = e.layer("SoftmaxWithLoss", [logits, label], named, **weights)
    if a["scale"] != 1:
        e.layer("Power", top, loss, **power(scale=a["scale"]))


@exports("Accuracy")
def _(s: Site, e: Draft) -> None:
    param = {"top_k": s.args["top_k"]} if s.args["top_k"] != 1 else {}
    e.note("Accuracy of equal scores: Caffe counts a tie against the true class, Caffe2 for the lower class")
    e.layer("Accuracy", _pair(s, e), s.y, accuracy_param=param)


@exports("ArgMax")
def _(s: Site, e: Draft) -> None:
    """Of equal numbers Caffe gives the last, Caffe2 the first."""
    rank = len(s.in_shape)
    axis = s.args["axis"] % rank
    kept = (*s.in_shape[:axis], 1, *s.in_shape[axis + 1 :])
    top = e.layer("ArgMax", s.x, s.y if s.args["keepdims"] else "", argmax_param={"axis": axis})
    if not s.args["keepdims"]:
        reshape(e, top, s.y, kept, s.out_shape)


@exports("TopK")
def _(s: Site, e: Draft) -> None:
    """Values and indices are two layers."""
    if len(s.inputs) > 1 or e.read(s, 2):
        raise Refusal("k is a blob, or the flattened indices are read", argument="k")
    param = {"axis": s.args["axis"] % len(s.in_shape), "top_k": s.args["k"]}
    if e.read(s, 0):
        e.layer("ArgMax", s.x, s.y, argmax_param={**param, "out_max_val": True})
    if e.read(s, 1):
        e.layer("ArgMax", s.x, s.outputs[1], argmax_param=param)
