"""Softmax, and softmax with the loss of cross entropy."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, op
from caffe2.ops.loss.labels import picked

TINY = 1e-20
"""Probabilities below are taken for this one, so that their logarithm is finite."""
DONT_CARE = -1
"""The label of a place that SpatialSoftmaxWithLoss leaves out."""


def flat(x: Tensor, axis: int) -> Tensor:
    """[N, D] of X cut in two at an axis."""
    if not -x.dim() <= axis < max(x.dim(), 1):
        raise EnforceNotMet(f"axis {axis} is no dimension of X {[*x.shape]}")
    cut = axis % max(x.dim(), 1)
    return x if x.dim() == 2 and cut == 1 else x.reshape(x.shape[:cut].numel(), x.shape[cut:].numel())


@op(
    "Softmax: X -> Y",
    inplace="X -> Y",
    gradient="SoftmaxGradient: Y dY -> dX",
    types="X: floating",
    like="X",
    engines="CUDNN",
)
def softmax(x: Tensor, *, axis: int = 1) -> Tensor:
    """Y[n, d] = exp(X[n, d]) / sum over d of exp(X[n, d]).

    X: made a matrix (N, D) by joining the dimensions before `axis`, and those from it on.
    Y: of the shape of X.
    axis: where the columns of X begin.
    """
    rows = flat(x, axis)
    return torch.softmax(rows, 1) if rows is x else torch.softmax(rows, 1).view(x.shape)


@op("SoftmaxGradient: Y dY -> dX", types="Y dY: floating", like="Y", engines="CUDNN")
def softmax_gradient(y: Tensor, dy: Tensor, *, axis: int = 1) -> Tensor:
    """dX[n, d] = Y[n, d] (dY[n, d] - sum over d of Y[n, d] dY[n, d])."""
    rows = flat(y, axis)
    return torch._softmax_backward_data(flat(dy, axis), rows, 1, y.dtype).view(y.shape)


def _weighted_mean(losses: Tensor, weights: Tensor | None, scale: float, by_batch: bool) -> Tensor:
    """scale times the mean of the losses, each by its weight; 0 where the weights are."""
    if weights is None:
        return losses.sum() * (scale / max(losses.numel(), 1))
    share = _share(weights, by_batch)
    return (losses * weights.reshape(losses.shape)).sum() * share * scale


def _share(weights: Tensor, by_batch: bool) -> Tensor:
    total = weights.new_tensor(float(weights.numel())) if by_batch else weights.sum()
    return torch.where(total != 0, 1 / total, 0.0)


def _gradient_share(weights: Tensor, by_batch: bool) -> Tensor:
    """As _share, but 1 where the weights add up to nothing positive: the original's gradient does not divide then."""
    total = weights.new_tensor(float(weights.numel())) if by_batch else weights.sum()
    return torch.where(total > 0, 1 / total, 1.0)


def _checked_targets(rows: Tensor, targets: Tensor, label_prob: bool) -> Tensor:
    """The targets as [N, D] probabilities or [N] labels. Raises EnforceNotMet where they do not fit."""
    wanted = rows.numel() if label_prob else len(rows)
    if targets.numel() != wanted:
        what = "a probability for every element" if label_prob else "one label a row"
        raise EnforceNotMet(f"labels hold {what} of {[*rows.shape]}, got {[*targets.shape]}")
    return targets.reshape(rows.shape) if label_prob else targets.reshape(-1)


@op(
    "SoftmaxWithLoss: logits labels weight_tensor? -> softmax loss",
    gradient="SoftmaxWithLossGradient: logits labels weight_tensor softmax dloss -> dlogits",
    types="logits: floating, labels: index float, weight_tensor: floating",
)
def softmax_with_loss(
    logits: Tensor,
    labels: Tensor,
    weights: Tensor | None = None,
    *,
    label_prob: bool = False,
    scale: float = 1.0,
    axis: int = 1,
    order: str = "NCHW",
    average_by_batch_size: bool = False,
    only_loss: bool = False,
) -> tuple[Tensor, Tensor]:
    """The softmax P of logits, and loss = scale * sum of w[n] l[n] / sum of w[n], l[n] = -log P[n, labels[n]].

    With label_prob l[n] = -sum over d of labels[n, d] log P[n, d].

    logits: made a matrix (N, D) by joining the dimensions before `axis`, and those from it on.
    labels: (N); with label_prob a probability for each class, (N, D).
    weight_tensor: w, (N); 1 unless given.
    softmax: P, of the shape of logits.
    loss: one number, of no dimensions.
    label_prob: labels are probabilities.
    axis: where the columns of logits begin.
    scale: the factor of the loss.
    average_by_batch_size: the sum is divided by N instead of the sum of the weights.
    only_loss: accepted and ignored.
    """
    rows = flat(logits, axis)
    log_p = torch.log_softmax(rows, 1)
    p, targets = log_p.exp(), _checked_targets(rows, labels, label_prob)
    losses = -(targets * p.clamp_min(TINY).log()).sum(1) if label_prob else -picked(log_p, targets)
    return p.view(logits.shape), _weighted_mean(losses, weights, scale, average_by_batch_size)


@op("SoftmaxWithLossGradient: logits labels weight_tensor? softmax dloss -> dlogits", like="logits")
def softmax_with_loss_gradient(
    logits: Tensor,
    labels: Tensor,
    weights: Tensor | None,
    softmax: Tensor,
    dloss: Tensor,
    *,
    label_prob: bool = False,
    scale: float = 1.0,
    axis: int = 1,
    order: str = "NCHW",
    average_by_batch_size: bool = False,
    only_loss: bool = False,
) -> Tensor:
    """dlogits[n, d] = dloss * scale * w[n] (P[n, d] - target[n, d]) / sum of w[n]."""
    p = flat(softmax, axis)
    targets = _checked_targets(p, labels, label_prob)
    if label_prob:
        grad = p - targets
    else:
        grad = p.clone().scatter_add_(1, targets.reshape(-1, 1).long(), p.new_full((len(p), 1), -1.0))
    if weights is None:
        return grad.mul_(dloss * (scale / max(len(p), 1))).view(logits.shape)
    share = _gradient_share(weights, average_by_batch_size)
    return grad.mul_(weights.reshape(-1, 1) * (dloss * scale * share)).view(logits.shape)


def _demand_map(x: Tensor, labels: Tensor) -> None:
    if x.dim() != 4 or labels.shape != (x.shape[0], *x.shape[2:]):
        raise EnforceNotMet(f"logits are [N, D, H, W] and labels [N, H, W], got {[*x.shape]} and {[*labels.shape]}")


@op(
    "SpatialSoftmaxWithLoss: logits labels weight_tensor? -> softmax loss",
    gradient="SpatialSoftmaxWithLossGradient: logits labels weight_tensor softmax dloss -> dlogits",
    types="logits: floating, labels: index, weight_tensor: floating",
)
def spatial_softmax_with_loss(
    x: Tensor, labels: Tensor, weights: Tensor | None = None, *, scale: float = 1.0, order: str = "NCHW"
) -> tuple[Tensor, Tensor]:
    """The softmax P over the channels of every pixel, and loss = scale * sum of -w log P[label] / sum of w.

    logits: (N, D, H, W).
    labels: (N, H, W); -1 for a pixel that does not count.
    weight_tensor: w, (N, H, W); 1 unless given.
    softmax: P, of the shape of logits.
    loss: one number, of no dimensions.
    scale: the factor of the loss.
    """
    _demand_map(x, labels)
    log_p = torch.log_softmax(x, 1)
    counts = labels != DONT_CARE
    rows = log_p.movedim(1, -1).reshape(-1, x.shape[1])
    losses = -picked(rows, torch.where(counts, labels, 0)).reshape(labels.shape)
    share = counts.to(x.dtype) if weights is None else weights * counts
    return log_p.exp(), (losses.clamp_max(46.0517) * share).sum() * _share(share, False)


@op("SpatialSoftmaxWithLossGradient: logits labels weight_tensor? softmax dloss -> dlogits", like="logits")
def spatial_softmax_with_loss_gradient(
    x: Tensor,
    labels: Tensor,
    weights: Tensor | None,
    softmax: Tensor,
    dloss: Tensor,
    *,
    scale: float = 1.0,
    order: str = "NCHW",
) -> Tensor:
    """dlogits = dloss * scale * w (P - target) / sum of w, zero where the label is -1."""
    _demand_map(x, labels)
    counts = labels != DONT_CARE
    at = torch.where(counts, labels, 0).long().unsqueeze(1)
    grad = softmax.clone().scatter_add_(1, at, torch.full_like(softmax[:, :1], -1.0))
    share = counts.to(x.dtype) if weights is None else weights * counts
    return grad.mul_((share * (dloss * scale * _gradient_share(share, False))).unsqueeze(1))
