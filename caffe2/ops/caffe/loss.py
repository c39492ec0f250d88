"""The losses of Caffe, normalized as its layers normalize them, with gradients.

normalization: what the sum of the terms is divided by: FULL, all; VALID, those that count; BATCH_SIZE, the first
dimension; NONE, 1. ignore_label: the label of what does not count.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.opdef import op
from caffe2.ops import demand

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


def softmax_loss(
    x: Tensor, labels: Tensor, *, axis: int = 1, ignore_label: int | None = None, normalization: str = "VALID"
) -> tuple[Tensor, Tensor]:
    """-sum log softmax(X)[label], X along one axis, over what normalization says; and the softmax."""
    rows, outer, inner = _rows(x, axis)
    index, valid = _counted(labels, ignore_label)
    demand.in_range(index, rows.shape[1], "label")
    p = torch.softmax(rows, 1)
    true = p.gather(1, index.unsqueeze(1)).squeeze(1).clamp_min(SMALLEST)
    loss = -(true.log() * valid).sum() / _divisor(normalization, outer, inner, valid)
    return loss, torch.softmax(x, axis)


def infogain_loss(
    x: Tensor,
    labels: Tensor,
    matrix: Tensor,
    *,
    axis: int = 1,
    ignore_label: int | None = None,
    normalization: str = "VALID",
) -> tuple[Tensor, Tensor]:
    """-sum over d of H[label, d] log softmax(X)[d], H a matrix [D, D]; and the softmax."""
    rows, outer, inner = _rows(x, axis)
    index, valid = _counted(labels, ignore_label)
    demand.in_range(index, rows.shape[1], "label")
    gains = matrix.reshape(rows.shape[1], rows.shape[1])[index]
    terms = (gains * torch.softmax(rows, 1).clamp_min(TINY).log()).sum(1) * valid
    return -terms.sum() / _divisor(normalization, outer, inner, valid), torch.softmax(x, axis)


def sigmoid_loss(
    x: Tensor, targets: Tensor, *, ignore_label: int | None = None, normalization: str = "BATCH_SIZE"
) -> Tensor:
    """The cross entropy of s(X) and the targets, s the logistic function."""
    targets = targets.reshape(x.shape).to(x.dtype)
    terms = F.binary_cross_entropy_with_logits(x, targets, reduction="none")
    valid = torch.ones_like(x, dtype=torch.bool) if ignore_label is None else targets.long() != ignore_label
    count = x.shape[0] if x.dim() else 1
    return (terms * valid).sum() / _divisor(normalization, count, x.numel() // max(count, 1), valid)


def euclidean_loss(x: Tensor, y: Tensor) -> Tensor:
    """sum (X - Y)^2 / 2N."""
    return (x - y.reshape(x.shape)).square().sum() / (2 * x.shape[0])


def hinge_loss(x: Tensor, labels: Tensor, *, norm: str = "L1") -> Tensor:
    """sum max(0, 1 + X) / N, of 1 - X for the true class; of squares with norm L2."""
    rows, index = x.reshape(x.shape[0], -1), labels.reshape(-1)[: x.shape[0]].long()
    demand.in_range(index, rows.shape[1], "label")
    sign = torch.ones_like(rows).scatter_(1, index.unsqueeze(1), -1.0)
    terms = (1 + sign * rows).clamp_min(0)
    return (terms.square() if norm == "L2" else terms).sum() / x.shape[0]


def multinomial_logistic_loss(x: Tensor, labels: Tensor) -> Tensor:
    """-sum log X[label] / N, X probabilities."""
    rows, index = x.reshape(x.shape[0], -1), labels.reshape(-1).long()
    demand.in_range(index, rows.shape[1], "label")
    return -rows.gather(1, index.unsqueeze(1)).clamp_min(TINY).log().sum() / x.shape[0]


def contrastive_loss(
    a: Tensor, b: Tensor, alike: Tensor, *, margin: float = 1.0, legacy_version: bool = False
) -> Tensor:
    """The mean over pairs of d^2 / 2 where they are alike, of max(0, margin - d)^2 / 2 where not, d their distance.

    legacy_version: max(0, margin - d^2) instead (Hadsell et al., 2006, as early Caffe had it).
    """
    pairs = a.shape[0]
    squares = (a - b.reshape(a.shape)).reshape(pairs, -1).square().sum(1)
    if legacy_version:
        apart = (margin - squares).clamp_min(0)
    else:
        apart = (margin - squares.clamp_min(TINY).sqrt()).clamp_min(0).square()
    return torch.where(alike.reshape(-1)[:pairs].long() != 0, squares, apart).sum() / (2 * pairs)


def smooth_l1_loss(
    x: Tensor, y: Tensor, w_in: Tensor | None = None, w_out: Tensor | None = None, *, sigma: float = 1.0
) -> Tensor:
    """sum w_out f(w_in (X - Y)) / N; f(d) = (sigma d)^2 / 2 where |d| < 1 / sigma^2, else |d| - 1 / 2 sigma^2.

    Girshick, 2015.
    """
    steep = sigma * sigma
    d = x - y if w_in is None else (x - y) * w_in
    terms = torch.where(d.abs() < 1 / steep, 0.5 * steep * d * d, d.abs() - 0.5 / steep)
    return (terms if w_out is None else terms * w_out).sum() / x.shape[0]


def _derived(body: Callable, wanted: int) -> Callable:
    """The gradient of a loss by autograd through its body: with respect to its first `wanted` inputs."""

    def backward(*inputs: Tensor, **arguments: Any) -> Any:
        *given, slope = inputs
        leaves = [x.detach().requires_grad_() for x in given[:wanted]]
        with torch.enable_grad():
            found = body(*leaves, *given[wanted:], **arguments)
            loss = found[0] if isinstance(found, tuple) else found
        grads = torch.autograd.grad(loss, leaves, slope.reshape(()), allow_unused=False)
        return grads[0] if wanted == 1 else tuple(grads)

    backward.__kwdefaults__ = body.__kwdefaults__
    return backward


def _define(name: str, inputs: str, outputs: str, body: Callable, wanted: int = 1) -> None:
    """A loss and its gradient operator."""
    slopes = " ".join(f"d{x}" for x in inputs.split()[:wanted])
    arrows = f"Caffe{name}Gradient: {inputs} dloss -> {slopes}"
    op(f"Caffe{name}: {inputs} -> {outputs}", gradient=arrows, types="X: floating")(body)
    backward = _with_signature(_derived(body, wanted), body)
    op(arrows, doc=f"The gradient of the loss of Caffe{name}, by automatic differentiation.")(backward)


def _with_signature(function: Callable, body: Callable) -> Callable:
    """`function` with the arguments of `body`, for the registry to read."""

    keywords = [p for p in inspect.signature(body).parameters.values() if p.kind is p.KEYWORD_ONLY]
    run = inspect.Parameter("inputs", inspect.Parameter.VAR_POSITIONAL)
    function.__signature__ = inspect.Signature([run, *keywords])
    function.__annotations__ = {k: v for k, v in body.__annotations__.items() if k in {p.name for p in keywords}}
    return function


_define("SoftmaxWithLoss", "X label", "loss prob?", softmax_loss)
_define("InfogainLoss", "X label matrix", "loss prob?", infogain_loss)
_define("SigmoidCrossEntropyLoss", "X target", "loss", sigmoid_loss)
_define("EuclideanLoss", "X Y", "loss", euclidean_loss, wanted=2)
_define("HingeLoss", "X label", "loss", hinge_loss)
_define("MultinomialLogisticLoss", "X label", "loss", multinomial_logistic_loss)
_define("ContrastiveLoss", "X Y alike", "loss", contrastive_loss, wanted=2)
_define("SmoothL1Loss", "X Y w_in? w_out?", "loss", smooth_l1_loss, wanted=2)
