"""How many predictions are right."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, op
from caffe2.ops import demand
from caffe2.ops.loss.labels import picked


def _demand_rows(x: Tensor, labels: Tensor) -> None:
    if x.dim() != 2 or labels.shape != x.shape[:1]:
        raise EnforceNotMet(f"predictions are [N, D] and labels [N], got {[*x.shape]} and {[*labels.shape]}")


@op("Accuracy: predictions labels -> accuracy", types="predictions: floating, labels: index")
def accuracy(x: Tensor, labels: Tensor, *, top_k: int = 1) -> Tensor:
    """The share of rows whose label is among the top_k classes: a scalar.

    predictions: [N, D]; of equal ones the lower class counts first. labels: [N].
    """
    _demand_rows(x, labels)
    score, classes = picked(x, labels).unsqueeze(1), torch.arange(x.shape[1], device=x.device)
    ahead = (x > score) | ((x == score) & (classes < labels.unsqueeze(1)))
    return (ahead.sum(1) < top_k).to(x.dtype).sum() / x.shape[0]


@op("MultiClassAccuracy: prediction labels -> accuracies amounts", types="prediction: floating, labels: index")
def multi_class_accuracy(x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """For every class the share of its rows that are right, 0 where it has none, and their number.

    prediction: [N, D]. labels: [N]. accuracies: float[D]. amounts: int32[D].
    """
    _demand_rows(x, labels)
    demand.in_range(labels, x.shape[1], "labels")
    at = labels.long()
    right = (x.argmax(1) == at).to(x.dtype) if x.numel() else x.new_zeros(len(x))
    sums = x.new_zeros(x.shape[1]).index_add_(0, at, right)
    amounts = x.new_zeros(x.shape[1]).index_add_(0, at, torch.ones_like(right))
    return sums / amounts.clamp_min(1), amounts.to(torch.int32)
