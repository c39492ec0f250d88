"""Cross entropies of probabilities and of logits."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.opdef import EnforceNotMet, op
from caffe2.ops import demand
from caffe2.ops.loss.labels import picked, rows_of
from caffe2.ops.loss.softmax import TINY


def _demand_labels(x: Tensor, labels: Tensor) -> None:
    if labels.dim() not in (1, 2) or labels.numel() != len(x):
        raise EnforceNotMet(f"label is [N] or [N, 1] for the {len(x)} rows of X, got {[*labels.shape]}")


@op(
    "LabelCrossEntropy: X label -> Y",
    gradient="LabelCrossEntropyGradient: X label dY -> dX",
    types="X: floating, label: index",
)
def label_cross_entropy(x: Tensor, label: Tensor) -> Tensor:
    """Y[n] = -log X[n, label[n]], X no less than 1e-20.

    X: (N, D): probabilities.
    label: (N) or (N, 1).
    Y: (N).
    """
    rows = rows_of(x)
    _demand_labels(rows, label)
    return -picked(rows, label).clamp_min(TINY).log()


@op("LabelCrossEntropyGradient: X label dY -> dX", types="X dY: floating, label: index", like="X")
def label_cross_entropy_gradient(x: Tensor, label: Tensor, dy: Tensor) -> Tensor:
    """dX[n, label[n]] = -dY[n] / X[n, label[n]], 0 elsewhere."""
    rows = rows_of(x)
    _demand_labels(rows, label)
    _demand_slopes(rows, dy)
    slope = -dy / picked(rows, label).clamp_min(TINY)
    return torch.zeros_like(rows).scatter_(1, label.reshape(-1, 1).long(), slope.reshape(-1, 1)).view(x.shape)


@op(
    "CrossEntropy: X label -> Y",
    gradient="CrossEntropyGradient: X label dY -> dX",
    types="X label: floating",
)
def cross_entropy(x: Tensor, label: Tensor) -> Tensor:
    """Y[n] = -sum over d of label[n, d] log X[n, d], X no less than 1e-20.

    X, label: (N, D): probabilities.
    Y: (N).
    """
    rows = rows_of(x)
    _demand_chances(rows, label)
    if demand.readable(label) and label.numel():
        low, high = map(float, label.aminmax())
        if not 0 <= low <= high <= 1:
            raise EnforceNotMet(f"label holds probabilities, not {low if not low >= 0 else high}")
    return -(label.reshape(rows.shape) * rows.clamp_min(TINY).log()).sum(1)


@op("CrossEntropyGradient: X label dY -> dX", types="X label dY: floating", like="X")
def cross_entropy_gradient(x: Tensor, label: Tensor, dy: Tensor) -> Tensor:
    """dX[n, d] = -dY[n] label[n, d] / X[n, d]."""
    rows = rows_of(x)
    _demand_chances(rows, label)
    _demand_slopes(rows, dy)
    return (-dy.reshape(-1, 1) * label.reshape(rows.shape) / rows.clamp_min(TINY)).view(x.shape)


def _demand_chances(rows: Tensor, label: Tensor) -> None:
    if label.dim() not in (1, 2) or label.shape[0] != rows.shape[0] or label.numel() != rows.numel():
        raise EnforceNotMet(f"label holds a probability for every element of X {[*rows.shape]}, got {[*label.shape]}")


def _demand_slopes(rows: Tensor, dy: Tensor) -> None:
    if dy.shape != rows.shape[:1]:
        raise EnforceNotMet(f"dY holds a number for each of {rows.shape[0]} rows, got {[*dy.shape]}")


@op("MakeTwoClass: X -> Y", gradient="MakeTwoClassGradient: dY -> dX", types="X: floating")
def make_two_class(x: Tensor) -> Tensor:
    """The probabilities (1 - X, X) of two classes.

    X: probabilities, of any shape.
    Y: the shape of X, then 2.
    """
    return torch.stack((1 - x, x), -1)


@op("MakeTwoClassGradient: dY -> dX", types="dY: floating")
def make_two_class_gradient(dy: Tensor) -> Tensor:
    """dX = dY[..., 1] - dY[..., 0]."""
    if not dy.dim() or dy.shape[-1] != 2:
        raise EnforceNotMet(f"dY has a last dimension of 2, got {[*dy.shape]}")
    return dy[..., 1] - dy[..., 0]


def _demand_same(*tensors: Tensor) -> None:
    if any(t.shape != tensors[0].shape for t in tensors):
        raise EnforceNotMet(f"logits, targets and weights have one shape, got {[[*t.shape] for t in tensors]}")


def _terms(logits: Tensor, targets: Tensor, log_d_trick: bool, unjoined: bool) -> Tensor:
    """The loss of every element."""
    if unjoined:
        return (1 - targets) * F.softplus(logits) - targets * logits
    if log_d_trick:
        return -(2 * targets - 1) * F.logsigmoid(logits)
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none")


def _slopes(logits: Tensor, targets: Tensor, log_d_trick: bool, unjoined: bool) -> Tensor:
    """The derivative of every element's loss."""
    p = torch.sigmoid(logits)
    if unjoined:
        return (1 - targets) * p - targets
    if log_d_trick:
        return -(2 * targets - 1) * (1 - p)
    return p - targets


@op(
    "SigmoidCrossEntropyWithLogits: logits targets -> xentropy",
    gradient="SigmoidCrossEntropyWithLogitsGradient: dxentropy logits targets -> dlogits",
    types="logits targets: floating",
)
def sigmoid_cross_entropy(
    logits: Tensor, targets: Tensor, *, log_D_trick: bool = False, unjoined_lr_loss: bool = False
) -> Tensor:
    """The mean over the last dimension of -t log s(x) - (1 - t) log(1 - s(x)), s the logistic function.

    logits: x, of any shape.
    targets: t, of the shape of logits.
    xentropy: the shape of logits without its last dimension.
    log_D_trick: the mean of -(2t - 1) log s(x) instead (Goodfellow et al., 2014, section 3).
    unjoined_lr_loss: the mean of -t x - (1 - t) log(1 - s(x)) instead.
    """
    _demand_same(logits, targets)
    terms = _terms(logits, targets, log_D_trick, unjoined_lr_loss)
    return terms.mean(-1) if logits.dim() else terms


@op("SigmoidCrossEntropyWithLogitsGradient: dxentropy logits targets -> dlogits", like="logits")
def sigmoid_cross_entropy_gradient(
    g: Tensor, logits: Tensor, targets: Tensor, *, log_D_trick: bool = False, unjoined_lr_loss: bool = False
) -> Tensor:
    """The derivative of each term times the gradient of its mean, over the number of terms."""
    _demand_same(logits, targets)
    slopes = _slopes(logits, targets, log_D_trick, unjoined_lr_loss)
    return slopes * (g.unsqueeze(-1) / logits.shape[-1]) if logits.dim() else slopes * g


@op(
    "WeightedSigmoidCrossEntropyWithLogits: logits targets weights -> xentropy",
    gradient="WeightedSigmoidCrossEntropyWithLogitsGradient: dxentropy logits targets weights -> dlogits",
    types="logits targets weights: floating",
)
def weighted_sigmoid_cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """The mean over the last dimension of w (-t log s(x) - (1 - t) log(1 - s(x))), s the logistic function.

    logits: x, of any shape.
    targets: t, of the shape of logits.
    weights: w, of the shape of logits.
    xentropy: the shape of logits without its last dimension.
    """
    _demand_same(logits, targets, weights)
    terms = _terms(logits, targets, False, False) * weights
    return terms.mean(-1) if logits.dim() else terms


@op("WeightedSigmoidCrossEntropyWithLogitsGradient: dxentropy logits targets weights -> dlogits", like="logits")
def weighted_sigmoid_cross_entropy_gradient(g: Tensor, logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """The derivative of each term times its weight and the gradient of its mean, over the number of terms."""
    _demand_same(logits, targets, weights)
    slopes = _slopes(logits, targets, False, False) * weights
    return slopes * (g.unsqueeze(-1) / logits.shape[-1]) if logits.dim() else slopes * g


@op("AveragedLoss: input -> output", gradient="AveragedLossGradient: input doutput -> dinput", types="input: floating")
def averaged_loss(x: Tensor) -> Tensor:
    """The mean of all elements; 0 of an empty tensor.

    input: of any shape.
    output: one number, of no dimensions.
    """
    return x.mean() if x.numel() else x.new_zeros(())


@op("AveragedLossGradient: input doutput -> dinput", types="input doutput: floating", like="input")
def averaged_loss_gradient(x: Tensor, dy: Tensor) -> Tensor:
    """dinput = doutput / n for every one of the n elements."""
    return (dy / max(x.numel(), 1)).reshape(()).expand(x.shape).contiguous()
