"""How good predictions are: accuracy, average precision, perplexity."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Op, Site, op
from caffe2.ops import demand
from caffe2.ops.loss.labels import picked
from caffe2.ops.native import Kernel

COMPILED = Kernel("select", "ahead", "ppqqqqp")


def _demand_rows(x: Tensor, labels: Tensor) -> None:
    if x.dim() != 2 or labels.shape != x.shape[:1]:
        raise EnforceNotMet(f"predictions are [N, D] and labels [N], got {[*x.shape]} and {[*labels.shape]}")


@op("Accuracy: predictions labels -> accuracy", types="predictions: floating, labels: index")
def accuracy(x: Tensor, labels: Tensor, *, top_k: int = 1) -> Tensor:
    """The fraction of rows whose label is among the top_k classes.

    predictions: (N, D); of equal ones the lower class counts first.
    labels: (N).
    accuracy: one number, of no dimensions.
    top_k: how many classes may be guessed.
    """
    _demand_rows(x, labels)
    if x.dtype == torch.float32 and COMPILED.serves(x, labels):
        demand.in_range(labels, x.shape[1], "labels")
        right = x.new_empty(len(x))
        COMPILED(x, labels, labels.itemsize == 8, *x.shape, top_k, right)
        return right.sum() / len(x)
    score, classes = picked(x, labels).unsqueeze(1), torch.arange(x.shape[1], device=x.device, dtype=labels.dtype)
    ahead = torch.where(classes < labels.unsqueeze(1), x >= score, x > score)
    return (ahead.count_nonzero(1) < top_k).to(x.dtype).sum() / x.shape[0]


@op("MultiClassAccuracy: prediction labels -> accuracies amounts", types="prediction: floating, labels: index")
def multi_class_accuracy(x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """For every class the fraction of its rows that are right, 0 where it has none, and their number.

    prediction: (N, D).
    labels: (N).
    accuracies: (D), float32.
    amounts: (D), int32.
    """
    _demand_rows(x, labels)
    demand.in_range(labels, x.shape[1], "labels")
    at = labels.long()
    right = (x.argmax(1) == at).to(x.dtype) if x.numel() else x.new_zeros(len(x))
    sums = x.new_zeros(x.shape[1]).index_add_(0, at, right)
    amounts = x.new_zeros(x.shape[1]).index_add_(0, at, torch.ones_like(right))
    return sums / amounts.clamp_min(1), amounts.to(torch.int32)


@op("APMeter: predictions labels -> AP", types="predictions: float, labels: int32", shape=lambda x, y, **_: x[0])
class APMeter(Op):
    """The average precision of every class over the last buffer_size rows, of this run and the runs before.

    AP = the mean, over the rows with label 1 in order of falling scores, of the fraction of such rows so far; 0 where
    there is none. As in the original, the rows that a full buffer gives up are those of the highest scores.

    predictions: (N, D): scores.
    labels: (N, D): 1 or 0.
    AP: (D), float32.
    buffer_size: how many rows are kept.
    """

    buffer_size: int = 1000

    def bind(self, site: Site) -> None:
        if self.buffer_size < 1:
            raise EnforceNotMet(f"buffer_size is at least 1, not {self.buffer_size}")
        self.held: tuple[Tensor, Tensor] | None = None

    def __call__(self, x: Tensor, labels: Tensor) -> Tensor:
        if x.dim() != 2 or x.shape != labels.shape:
            raise EnforceNotMet(f"predictions and labels are both [N, D], not {[*x.shape]} and {[*labels.shape]}")
        if self.held is not None and self.held[0].shape[1] != x.shape[1]:
            raise EnforceNotMet(f"the runs before had {self.held[0].shape[1]} classes, this one {x.shape[1]}")
        known, marked = self.held or (x[:0], labels[:0])
        scores, truth = (torch.cat(pair)[-self.buffer_size :] for pair in ((known, x), (marked, labels)))
        scores, order = torch.sort(scores, dim=0, descending=True, stable=True)
        truth = truth.gather(0, order)
        self.held = scores, truth
        precision = truth.cumsum(0) / torch.arange(1, len(truth) + 1, device=x.device).unsqueeze(1)
        right = truth == 1
        return torch.where(right, precision, 0).sum(0) / right.sum(0).clamp_min(1)


@op("Perplexity: probabilities -> output", types="probabilities: floating")
def perplexity(p: Tensor) -> Tensor:
    """The product of p[i]^(-1/N) over N probabilities; 1 of none.

    probabilities: N elements: (N) or (N, 1).
    output: one number, of no dimensions.
    """
    demand.least_rank(p, 1, "probabilities")
    return torch.exp(-torch.log(p.reshape(-1)[: len(p)]).sum() / max(len(p), 1))
