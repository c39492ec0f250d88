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
    """The operator and the AveragedLoss behind it are one layer; without it the losses of rows are summed up."""
    if s.type == "SigmoidCrossEntropyWithLogits" and (s.args["log_D_trick"] or s.args["unjoined_lr_loss"]):
        raise Refusal("Caffe has the plain loss only", argument="log_D_trick")
    after = e.sole(s.y)
    if after is not None and after.type == "AveragedLoss":
        kind, params = AVERAGED[s.type]
        e.done.add(after.index)
        e.layer(kind, _pair(s, e), after.y, **params)
    elif s.type == "SquaredL2Distance":
        _summed(s, e, [1.0, -1.0], {"operation": "SUMSQ", "coeff": 0.5})
    elif s.type == "SigmoidCrossEntropyWithLogits":
        rest = e.layer("Eltwise", s.inputs, "", eltwise_param={"operation": "PROD"})
        terms = [e.layer("BNLL", s.x), rest]
        each = e.layer("Eltwise", terms, "", eltwise_param={"coeff": [1.0, -1.0]})
        e.layer("Reduction", each, s.y, reduction_param={"operation": "MEAN", "axis": len(s.out_shape)})
    else:
        raise Refusal("Caffe has the mean of these losses only", advice="put an AveragedLoss behind it, alone")


@exports("L1Distance", "DotProduct")
def _(s: Site, e: Draft) -> None:
    if s.type == "L1Distance":
        _summed(s, e, [1.0, -1.0], {"operation": "ASUM"})
    else:
        _summed(s, e, [], {})


def _summed(s: Site, e: Draft, coeff: list[float], param: dict[str, Any]) -> None:
    """Differences, or products, of two blobs of rows, summed up row by row."""
    if len(s.in_shape) < 2 or s.shape(s.inputs[0]) != s.shape(s.inputs[1]):
        raise Refusal(f"the inputs are no rows of equal shapes: {list(s.in_shape)}", advice="reshape them")
    each = e.layer("Eltwise", s.inputs, "", eltwise_param={"coeff": coeff} if coeff else {"operation": "PROD"})
    e.layer("Reduction", each, s.y, reduction_param={**param, "axis": 1})


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


TIES = "ArgMax of equal numbers: Caffe gives the last, Caffe2 the first"


@exports("ArgMax")
def _(s: Site, e: Draft) -> None:
    """The place of the largest number."""
    e.note(TIES)
    rank = len(s.in_shape)
    axis = s.args["axis"] % rank
    kept = (*s.in_shape[:axis], 1, *s.in_shape[axis + 1 :])
    top = e.layer("ArgMax", s.x, s.y if s.args["keepdims"] else "", argmax_param={"axis": axis})
    if not s.args["keepdims"]:
        reshape(e, top, s.y, kept, s.out_shape)


@exports("TopK")
def _(s: Site, e: Draft) -> None:
    """Values and indices are two layers."""
    e.note(TIES)
    if len(s.inputs) > 1 or e.read(s, 2):
        raise Refusal("k is a blob, or the flattened indices are read", argument="k")
    param = {"axis": s.args["axis"] % len(s.in_shape), "top_k": s.args["k"]}
    if e.read(s, 0):
        e.layer("ArgMax", s.x, s.y, argmax_param={**param, "out_max_val": True})
    if e.read(s, 1):
        e.layer("ArgMax", s.x, s.outputs[1], argmax_param=param)
