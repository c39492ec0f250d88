"""Losses of detectors, and their gradients.

loss: one number.
scale: the factor of the loss.
beta: where the square of the smooth absolute value goes over into the absolute value.
gamma: the exponent that lessens the weight of examples that are classified well.
alpha: the weight of the foreground; that of the background is 1 - alpha.
num_classes: K, how many classes there are.
normalize: the sum is divided by how many terms it has.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.opdef import EnforceNotMet, op
from caffe2.ops import demand

TINY = torch.finfo(torch.float32).tiny


def _smooth(d: Tensor, beta: float) -> Tensor:
    """d^2 / (2 beta) where |d| < beta, |d| - beta / 2 elsewhere."""
    return torch.where(d.abs() < beta, 0.5 * d * d / beta, d.abs() - 0.5 * beta)


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise EnforceNotMet(f"{name} is {value}; it must be positive")


@op(
    "SmoothL1Loss: Y_hat Y alpha_in alpha_out -> loss",
    gradient="SmoothL1LossGradient: Y_hat Y alpha_in alpha_out dloss -> dY_hat",
    types="Y_hat Y alpha_in alpha_out: float",
)
def smooth_l1_loss(
    y_hat: Tensor, y: Tensor, alpha_in: Tensor, alpha_out: Tensor, *, beta: float = 1.0, scale: float = 1.0
) -> Tensor:
    """loss = scale / N * sum of alpha_out * s(alpha_in * (Y_hat - Y)) (Girshick, Fast R-CNN, 2015).

    s(d) = d^2 / (2 beta) where |d| < beta, |d| - beta / 2 elsewhere.

    Y_hat, Y: predictions and targets, of one shape with N rows.
    alpha_in, alpha_out: weights, of the same shape.
    """
    _positive(beta=beta)
    _same(y_hat, y, alpha_in, alpha_out)
    return (alpha_out * _smooth(alpha_in * (y_hat - y), beta)).sum() * (scale / max(len(y), 1))


@op(
    "SmoothL1LossGradient: Y_hat Y alpha_in alpha_out dloss -> dY_hat",
    types="Y_hat Y alpha_in alpha_out dloss: float",
)
def smooth_l1_loss_gradient(
    y_hat: Tensor,
    y: Tensor,
    alpha_in: Tensor,
    alpha_out: Tensor,
    dloss: Tensor,
    *,
    beta: float = 1.0,
    scale: float = 1.0,
) -> Tensor:
    """dY_hat = scale / N * dloss * alpha_out * alpha_in * s'(alpha_in * (Y_hat - Y)), s'(d) = d / beta in -1 .. 1."""
    _positive(beta=beta)
    _same(y_hat, y, alpha_in, alpha_out)
    slope = (alpha_in * (y_hat - y) / beta).clamp(-1, 1)
    return alpha_out * alpha_in * slope * (dloss * (scale / max(len(y), 1)))


def _same(y_hat: Tensor, *others: Tensor) -> None:
    demand.least_rank(y_hat, 1, "Y_hat")
    for other in others:
        demand.same_shape(y_hat, other, "Y_hat, Y and the weights")


def _selected(y_hat: Tensor, y: Tensor, places: Tensor) -> Tensor:
    """The positions in a flat Y_hat, N C H W, of the four numbers from each place (n, c, y, x) on along C."""
    demand.rank(y_hat, 4, "Y_hat")
    if y.dim() != 2 or y.shape[1] != 4 or places.shape != y.shape:
        raise EnforceNotMet(f"Y and locations have four columns, not {tuple(y.shape)} and {tuple(places.shape)}")
    n, c, h, w = y_hat.shape
    image, channel, row, column = places.long().unbind(1)
    for values, size, name in ((image, n, "n"), (channel, c - 3, "c"), (row, h, "y"), (column, w, "x")):
        demand.in_range(values, size, f"{name} of locations")
    channels = channel[:, None] + torch.arange(4, device=y.device)
    at = ((image[:, None] * c + channels) * h + row[:, None]) * w + column[:, None]
    return at.clamp(0, y_hat.numel() - 1)


@op(
    "SelectSmoothL1Loss: Y_hat Y locations total -> loss",
    gradient="SelectSmoothL1LossGradient: Y_hat Y locations total dloss -> dY_hat",
    types="Y_hat Y locations total: float",
)
def select_smooth_l1_loss(
    y_hat: Tensor, y: Tensor, places: Tensor, total: Tensor, *, beta: float = 1.0, scale: float = 1.0
) -> Tensor:
    """loss = scale / max(total, 1) * sum of s(Y_hat[n, c + k, y, x] - Y[i, k]) over rows (n, c, y, x) of locations i.

    k runs over 0 .. 3; s is that of SmoothL1Loss.

    Y_hat: (N, C, H, W): predictions.
    Y: (M, 4): targets.
    locations: (M, 4): rows (n, c, y, x).
    total: one number.
    """
    _positive(beta=beta)
    taken = y_hat.flatten()[_selected(y_hat, y, places)]
    return (_smooth(taken - y, beta).sum() * scale / total.reshape(-1)[0].clamp(min=1)).reshape(())


@op(
    "SelectSmoothL1LossGradient: Y_hat Y locations total dloss -> dY_hat",
    types="Y_hat Y locations total dloss: float",
)
def select_smooth_l1_loss_gradient(
    y_hat: Tensor,
    y: Tensor,
    places: Tensor,
    total: Tensor,
    dloss: Tensor,
    *,
    beta: float = 1.0,
    scale: float = 1.0,
) -> Tensor:
    """dY_hat[n, c + k, y, x] = scale / max(total, 1) * dloss * s'(Y_hat[n, c + k, y, x] - Y[i, k]), elsewhere 0."""
    _positive(beta=beta)
    at = _selected(y_hat, y, places)
    slope = ((y_hat.flatten()[at] - y) / beta).clamp(-1, 1) * (dloss * scale / total.reshape(-1)[0].clamp(min=1))
    return torch.zeros_like(y_hat).flatten().index_put_((at,), slope).reshape_as(y_hat)


def _like(targets: Tensor, x: Tensor) -> Tensor:
    """Targets in the shape of X. Raises EnforceNotMet where X has another number of elements."""
    if targets.numel() != x.numel():
        raise EnforceNotMet(f"X {tuple(x.shape)} and targets {tuple(targets.shape)} are not of one size")
    return targets.reshape(x.shape)


def _counted(targets: Tensor, normalize: bool) -> Tensor | int:
    return (targets != -1).sum().clamp(min=1e-5) if normalize else 1


@op(
    "SigmoidCrossEntropyLoss: X targets -> loss",
    gradient="SigmoidCrossEntropyLossGradient: X targets dloss -> dX",
    types="X: float, targets: int32",
)
def sigmoid_cross_entropy_loss(x: Tensor, targets: Tensor, *, scale: float = 1.0, normalize: bool = True) -> Tensor:
    """loss = scale * sum of (log(1 + e^X) - targets * X), over the places whose target is not -1.

    X: of any shape.
    targets: of the size of X, int32: 1, 0, or -1 for places that are ignored.
    normalize: the sum is divided by how many are not ignored.
    """
    targets = _like(targets, x)
    each = torch.where(targets == -1, 0, F.softplus(x) - x * targets)
    return each.sum() * scale / _counted(targets, normalize)


@op("SigmoidCrossEntropyLossGradient: X targets dloss -> dX", types="X dloss: float, targets: int32")
def sigmoid_cross_entropy_loss_gradient(
    x: Tensor, targets: Tensor, dloss: Tensor, *, scale: float = 1.0, normalize: bool = True
) -> Tensor:
    """dX = scale * dloss * (sigmoid(X) - targets), 0 where ignored, over their number with normalize."""
    targets = _like(targets, x)
    each = torch.where(targets == -1, 0, torch.sigmoid(x) - targets)
    return each * (dloss * scale / _counted(targets, normalize))


def _anchors(x: Tensor, targets: Tensor, classes: int) -> Tensor:
    """X, N A*K H W, as N A K H W. Raises EnforceNotMet where targets are not N A H W."""
    demand.rank(x, 4, "X")
    n, c, h, w = x.shape
    if classes < 1 or c % classes or targets.numel() != n * (c // classes) * h * w:
        raise EnforceNotMet(f"X {tuple(x.shape)} of {classes} classes does not go with targets {tuple(targets.shape)}")
    return x.reshape(n, c // classes, classes, h, w)


def _share(weight: Tensor) -> Tensor:
    return 1 / weight.reshape(-1)[0].clamp(min=1)


@op(
    "SigmoidFocalLoss: X targets wp -> loss",
    gradient="SigmoidFocalLossGradient: X targets wp dloss -> dX",
    types="X wp: float, targets: int32",
)
def sigmoid_focal_loss(
    x: Tensor,
    targets: Tensor,
    wp: Tensor,
    *,
    scale: float = 1.0,
    num_classes: int = 80,
    gamma: float = 1.0,
    alpha: float = 0.25,
) -> Tensor:
    """loss = -scale / max(wp, 1) * the sum over anchors and classes, with p = sigmoid(X), of

    alpha * (1 - p)^gamma * log(p) for an anchor's true class, and (1 - alpha) * p^gamma * log(1 - p) for any other. Lin
    et al., Focal Loss, 2017.

    X: (N, A * K, H, W): scores of K classes for each of A anchors.
    targets: (N, A, H, W), int32: 1 .. K the true class, 0 the background, -1 ignored.
    wp: one number: how many anchors are of the foreground.
    """
    true, other = _truth(grid := _anchors(x, targets, num_classes), targets)
    p, log_p, log_q = torch.sigmoid(grid), F.logsigmoid(grid), F.logsigmoid(-grid)
    each = true * alpha * (1 - p).pow(gamma) * log_p + other * (1 - alpha) * p.pow(gamma) * log_q
    return -each.sum() * scale * _share(wp)


def _truth(grid: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Which classes are true and which are false of each anchor; neither where it is ignored."""
    labels = targets.reshape(grid.shape[0], grid.shape[1], 1, *grid.shape[3:])
    true = labels == torch.arange(1, grid.shape[2] + 1, device=grid.device)[:, None, None]
    return true, ~true & (labels != -1)


@op("SigmoidFocalLossGradient: X targets wp dloss -> dX", types="X wp dloss: float, targets: int32")
def sigmoid_focal_loss_gradient(
    x: Tensor,
    targets: Tensor,
    wp: Tensor,
    dloss: Tensor,
    *,
    scale: float = 1.0,
    num_classes: int = 80,
    gamma: float = 1.0,
    alpha: float = 0.25,
) -> Tensor:
    """dX = -scale / max(wp, 1) * dloss times, with p = sigmoid(X), for an anchor's true class

    alpha * (1 - p)^gamma * (1 - p - gamma * p * log(p)), and
    (1 - alpha) * p^gamma * (gamma * (1 - p) * log(1 - p) - p) for any other.
    """
    true, other = _truth(grid := _anchors(x, targets, num_classes), targets)
    p, log_p, log_q = torch.sigmoid(grid), F.logsigmoid(grid), F.logsigmoid(-grid)
    rise = true * alpha * (1 - p).pow(gamma) * (1 - p - gamma * p * log_p)
    fall = other * (1 - alpha) * p.pow(gamma) * (gamma * (1 - p) * log_q - p)
    return (-(rise + fall) * (dloss * scale * _share(wp))).reshape_as(x)


@op(
    "GroupSpatialSoftmax: scores -> probabilities",
    gradient="GroupSpatialSoftmaxGradient: probabilities dprobabilities -> dscores",
    types="scores: float",
)
def group_spatial_softmax(x: Tensor, *, num_classes: int = 81) -> Tensor:
    """The softmax of each run of num_classes channels at each pixel.

    scores: (N, A * num_classes, H, W).
    probabilities: of the shape of scores.
    num_classes: how many channels a run has.
    """
    demand.rank(x, 4, "scores")
    if num_classes < 1 or x.shape[1] % num_classes:
        raise EnforceNotMet(f"{x.shape[1]} channels do not fall into runs of {num_classes} classes")
    return x.unflatten(1, (-1, num_classes)).softmax(2).reshape_as(x)


@op("GroupSpatialSoftmaxGradient: probabilities dprobabilities -> dscores", types="probabilities: float")
def group_spatial_softmax_gradient(p: Tensor, dp: Tensor, *, num_classes: int = 81) -> Tensor:
    """dscores = p * (dp - the sum of p * dp over the run)."""
    demand.same_shape(p, dp, "probabilities and their gradient")
    a, b = (t.unflatten(1, (-1, num_classes)) for t in (p, dp))
    return (a * (b - (a * b).sum(2, keepdim=True))).reshape_as(p)


@op(
    "SoftmaxFocalLoss: scores labels wp -> loss probabilities",
    gradient="SoftmaxFocalLossGradient: scores labels wp probabilities dloss -> dscores",
    types="scores wp: float, labels: int32",
)
def softmax_focal_loss(
    x: Tensor,
    labels: Tensor,
    wp: Tensor,
    *,
    scale: float = 1.0,
    num_classes: int = 81,
    gamma: float = 1.0,
    alpha: float = 0.25,
) -> tuple[Tensor, Tensor]:
    """loss = -scale / max(wp, 1) * the sum over anchors of z * (1 - p)^gamma * log(p), p the probability of the label.

    z is alpha for a label of the foreground, 1 and more, and 1 - alpha for the background, 0.

    scores: (N, A * K, H, W): scores of K classes for each of A anchors.
    labels: (N, A, H, W), int32: the class of each anchor; -1 for those that are ignored.
    wp: one number: how many anchors are of the foreground.
    probabilities: (N * A * K * H * W): the softmaxes over each anchor's K classes.
    """
    grid = _anchors(x, labels, num_classes).softmax(2)
    p, z = _labelled(grid, labels, alpha)
    loss = -(z * (1 - p).pow(gamma) * p.clamp(min=TINY).log()).sum() * scale * _share(wp)
    return loss, grid.flatten()


def _labelled(grid: Tensor, labels: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """The probability of each anchor's label, and the label's weight."""
    label = labels.reshape(grid.shape[0], grid.shape[1], 1, *grid.shape[3:]).long()
    demand.in_range(label + 1, grid.shape[2] + 1, "labels + 1")
    p = grid.gather(2, label.clamp(0, grid.shape[2] - 1))
    return p, torch.where(label > 0, alpha, 1 - alpha) * (label >= 0)


@op(
    "SoftmaxFocalLossGradient: scores labels wp probabilities dloss -> dscores",
    types="scores wp probabilities dloss: float, labels: int32",
)
def softmax_focal_loss_gradient(
    x: Tensor,
    labels: Tensor,
    wp: Tensor,
    probabilities: Tensor,
    dloss: Tensor,
    *,
    scale: float = 1.0,
    num_classes: int = 81,
    gamma: float = 1.0,
    alpha: float = 0.25,
) -> Tensor:
    """dscores = b * ([class is the label] - probability), with p the probability of the label and

    b = scale / max(wp, 1) * dloss * z * (gamma * (1 - p)^(gamma - 1) * p * log(p) - (1 - p)^gamma).
    """
    grid = probabilities.reshape_as(_anchors(x, labels, num_classes))
    p, z = _labelled(grid, labels, alpha)
    b = z * (gamma * (1 - p).pow(gamma - 1) * p * p.clamp(min=TINY).log() - (1 - p).pow(gamma))
    label = labels.reshape(p.shape)
    is_label = label == torch.arange(grid.shape[2], device=x.device)[:, None, None]
    return (b * (is_label.to(x.dtype) - grid) * (dloss * scale * _share(wp))).reshape_as(x)
