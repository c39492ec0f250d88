"""The losses of Caffe, normalized as its layers normalize them, with gradients.

N is the size of the first dimension.

X, Y: of any shape, with N rows.
label: the true class of every place, an integer in any number type: the shape of X without the axis of the classes.
loss: one number.
axis: the dimension of the classes.
normalization: what the sum of the terms is divided by: FULL: how many there are; VALID: how many count; BATCH_SIZE: N;
    NONE: 1.
ignore_label: the label of places that do not count.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.ops import demand
from caffe2.ops.caffe.automatic import differentiable

TINY = 1e-20
SMALLEST = 1.17549435e-38


def _divisor(normalization: str, outer: int, inner: int, valid: Tensor) -> Tensor | float:
    if normalization == "VALID":
        return valid.sum().clamp_min(1)
    return max(1, {"FULL": outer * inner, "BATCH_SIZE": outer, "NONE": 1}[normalization])


def _rows(x: Tensor, axis: int) -> tuple[Tensor, int, int]:
    """[N, D] of X with an axis moved last, and the sizes before and behind that axis."""
    at = axis % x.dim()
    rows = x.movedim(at, -1).reshape(-1, x.shape[at])
    return rows, x.shape[:at].numel(), x.shape[at + 1 :].numel()


def _counted(labels: Tensor, ignore_label: int | None) -> tuple[Tensor, Tensor]:
    """Labels as indices, 0 for one that does not count, and which do."""
    index = labels.reshape(-1).long()
    valid = torch.ones_like(index, dtype=torch.bool) if ignore_label is None else index != ignore_label
    return torch.where(valid, index, 0), valid


@differentiable("CaffeSoftmaxWithLoss", "X label", "loss prob?", types="X: floating")
def softmax_loss(
    x: Tensor, labels: Tensor, *, axis: int = 1, ignore_label: int | None = None, normalization: str = "VALID"
) -> tuple[Tensor, Tensor]:
    """loss = -sum of log softmax(X)[label], over what normalization says.

    prob: the softmax, of the shape of X.
    """
    rows, outer, inner = _rows(x, axis)
    index, valid = _counted(labels, ignore_label)
    demand.in_range(index, rows.shape[1], "label")
    p = torch.softmax(rows, 1)
    true = p.gather(1, index.unsqueeze(1)).squeeze(1).clamp_min(SMALLEST)
    loss = -(true.log() * valid).sum() / _divisor(normalization, outer, inner, valid)
    return loss, torch.softmax(x, axis)


@differentiable("CaffeInfogainLoss", "X label matrix", "loss prob?", types="X: floating")
def infogain_loss(
    x: Tensor,
    labels: Tensor,
    matrix: Tensor,
    *,
    axis: int = 1,
    ignore_label: int | None = None,
    normalization: str = "VALID",
) -> tuple[Tensor, Tensor]:
    """loss = -sum over classes d of H[label, d] log softmax(X)[d], over what normalization says.

    matrix: H, (D, D), D the number of classes.
    prob: the softmax, of the shape of X.
    """
    rows, outer, inner = _rows(x, axis)
    index, valid = _counted(labels, ignore_label)
    demand.in_range(index, rows.shape[1], "label")
    gains = matrix.reshape(rows.shape[1], rows.shape[1])[index]
    terms = (gains * torch.softmax(rows, 1).clamp_min(TINY).log()).sum(1) * valid
    return -terms.sum() / _divisor(normalization, outer, inner, valid), torch.softmax(x, axis)


@differentiable("CaffeSigmoidCrossEntropyLoss", "X target", "loss", types="X: floating")
def sigmoid_loss(
    x: Tensor, targets: Tensor, *, ignore_label: int | None = None, normalization: str = "BATCH_SIZE"
) -> Tensor:
    """loss = -sum of (t log s(X) + (1 - t) log(1 - s(X))), s the logistic function, over what normalization says.

    target: t, of the shape of X; ignore_label is one of its values.
    """
    targets = targets.reshape(x.shape).to(x.dtype)
    terms = F.binary_cross_entropy_with_logits(x, targets, reduction="none")
    valid = torch.ones_like(x, dtype=torch.bool) if ignore_label is None else targets.long() != ignore_label
    count = x.shape[0] if x.dim() else 1
    return (terms * valid).sum() / _divisor(normalization, count, x.numel() // max(count, 1), valid)


@differentiable("CaffeEuclideanLoss", "X Y", "loss", wanted=2, types="X: floating")
def euclidean_loss(x: Tensor, y: Tensor) -> Tensor:
    """loss = sum of (X - Y)^2 / 2N."""
    return (x - y.reshape(x.shape)).square().sum() / (2 * x.shape[0])


@differentiable("CaffeHingeLoss", "X label", "loss", types="X: floating")
def hinge_loss(x: Tensor, labels: Tensor, *, norm: str = "L1") -> Tensor:
    """loss = sum of max(0, 1 + X) / N, with 1 - X in place of 1 + X for the true class.

    norm: L1, or L2 for the sum of squares of these terms.
    """
    rows, index = x.reshape(x.shape[0], -1), labels.reshape(-1)[: x.shape[0]].long()
    demand.in_range(index, rows.shape[1], "label")
    sign = torch.ones_like(rows).scatter_(1, index.unsqueeze(1), -1.0)
    terms = (1 + sign * rows).clamp_min(0)
    return (terms.square() if norm == "L2" else terms).sum() / x.shape[0]


@differentiable("CaffeMultinomialLogisticLoss", "X label", "loss", types="X: floating")
def multinomial_logistic_loss(x: Tensor, labels: Tensor) -> Tensor:
    """loss = -sum of log X[label] / N, X being probabilities."""
    rows, index = x.reshape(x.shape[0], -1), labels.reshape(-1).long()
    demand.in_range(index, rows.shape[1], "label")
    return -rows.gather(1, index.unsqueeze(1)).clamp_min(TINY).log().sum() / x.shape[0]


@differentiable("CaffeContrastiveLoss", "X Y alike", "loss", wanted=2, types="X: floating")
def contrastive_loss(
    a: Tensor, b: Tensor, alike: Tensor, *, margin: float = 1.0, legacy_version: bool = False
) -> Tensor:
    """loss = 1 / 2N * sum over pairs of rows of d^2 where they are alike and of max(0, margin - d)^2 where not.

    d is the Euclidean distance of the rows of X and Y. Hadsell et al., Dimensionality Reduction by Learning an
    Invariant Mapping, 2006.

    X, Y: (N, D).
    alike: (N): 1 where the rows are to be alike, 0 where not.
    margin: how far apart the others should be.
    legacy_version: max(0, margin - d^2) instead of the square, as early Caffe had it.
    """
    pairs = a.shape[0]
    squares = (a - b.reshape(a.shape)).reshape(pairs, -1).square().sum(1)
    if legacy_version:
        apart = (margin - squares).clamp_min(0)
    else:
        apart = (margin - squares.clamp_min(TINY).sqrt()).clamp_min(0).square()
    return torch.where(alike.reshape(-1)[:pairs].long() != 0, squares, apart).sum() / (2 * pairs)


@differentiable("CaffeSmoothL1Loss", "X Y w_in? w_out?", "loss", wanted=2, types="X: floating")
def smooth_l1_loss(
    x: Tensor, y: Tensor, w_in: Tensor | None = None, w_out: Tensor | None = None, *, sigma: float = 1.0
) -> Tensor:
    """loss = sum of w_out f(w_in (X - Y)) / N, f the smooth absolute value (Girshick, Fast R-CNN, 2015).

    f(d) = (sigma d)^2 / 2 where |d| < 1 / sigma^2, else |d| - 1 / (2 sigma^2).

    w_in, w_out: weights, of the shape of X; 1 unless given.
    sigma: where the square goes over into the absolute value.
    """
    steep = sigma * sigma
    d = x - y if w_in is None else (x - y) * w_in
    terms = torch.where(d.abs() < 1 / steep, 0.5 * steep * d * d, d.abs() - 0.5 / steep)
    return (terms if w_out is None else terms * w_out).sum() / x.shape[0]
