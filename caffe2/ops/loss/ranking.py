"""Losses of ranked lists, several of them end to end, each as long as `lengths` say."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.opdef import EnforceNotMet, op
from caffe2.ops.demand import lengths as demand_lengths
from caffe2.ops.ragged import padded, segments, valid

LEAST_GAIN, LEAST_IDEAL = 1e-6, 1e-5
"""A list whose relevances add up to less has no loss; an ideal gain below counts as this one where it divides."""


def differences(x: Tensor) -> Tensor:
    """x[s, i] - x[s, j] for every list s."""
    return x.unsqueeze(2) - x.unsqueeze(1)


def of_lists(x: Tensor, label: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Scores and labels by list, which places are filled, and the lengths. One list where no lengths are given."""
    count = x.shape[0] if x.dim() else 0
    if x.numel() != count:
        raise EnforceNotMet(f"X has one score for each row, not {list(x.shape)}")
    if label.dim() not in (1, 2) or label.numel() != label.shape[0] or label.shape[0] != count:
        raise EnforceNotMet(f"there is one label for each of {count} scores, not {list(label.shape)}")
    if lengths is None:
        lengths = torch.full((1,), count, dtype=torch.int32, device=x.device)
    demand_lengths(lengths, count, "lengths")
    width = int(lengths.max()) if lengths.numel() else 0
    scores, labels = (padded(v.reshape(-1), lengths, width, 0) for v in (x, label))
    return scores, labels, valid(lengths, width), lengths


def ordered_pairs(labels: Tensor, filled: Tensor) -> tuple[Tensor, Tensor]:
    """sign(label_i - label_j) for all pairs within a list, 0 where they are equal, and the number of unequal pairs."""
    apart = differences(labels)
    both = filled.unsqueeze(2) & filled.unsqueeze(1)
    sign = torch.where(both & (apart.abs() >= torch.finfo(labels.dtype).eps), torch.sign(apart), 0)
    return sign, (sign.abs().sum((1, 2)) / 2).clamp(min=1)


@op(
    "PairWiseLoss: X label lengths? -> Y",
    types="X=label: floating, lengths: int32",
    gradient="PairWiseLossGradient: X label dY lengths? -> dX",
    shape=lambda x, label, lengths=None: x.new_empty(
        min(len(x) if x.dim() else 0, 1) if lengths is None else len(lengths) if len(x) else 0
    ),
)
def pair_wise_loss(x: Tensor, label: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Y[s] = the mean of ln(1 + exp(X_j - X_i)) over the pairs i, j of list s with label_i > label_j.

    Burges et al., Learning to rank using gradient descent, 2005.

    X, label: (N) or (N, 1).
    lengths: (S): how long each list is, adding up to N; one list without it.
    Y: (S).
    """
    if not (x.shape[0] if x.dim() else 0):
        return x.new_empty(0)
    scores, labels, filled, _ = of_lists(x, label, lengths)
    sign, count = ordered_pairs(labels, filled)
    losses = F.softplus(-sign * differences(scores)) * sign.abs()
    return losses.sum((1, 2)) / 2 / count


@op("PairWiseLossGradient: X label dY lengths? -> dX", types="X=label=dY: floating, lengths: int32", like="X")
def pair_wise_loss_gradient(x: Tensor, label: Tensor, dy: Tensor, lengths: Tensor | None = None) -> Tensor:
    """dX_i = -dY[s] / n times the sum over j of sign(label_i - label_j) / (1 + exp(X_i - X_j)), signs turned alike."""
    scores, labels, filled, lengths = of_lists(x, label, lengths)
    if not x.numel():
        return torch.zeros_like(x)
    if tuple(dy.shape) != tuple(lengths.shape):
        raise EnforceNotMet(f"dY has one element for each of {lengths.numel()} lists, not {list(dy.shape)}")
    sign, count = ordered_pairs(labels, filled)
    pull = (sign * torch.sigmoid(-sign * differences(scores))).sum(2)
    return (-pull * (dy / count).unsqueeze(1))[filled].reshape(x.shape)


def discounts(key: Tensor, filled: Tensor) -> Tensor:
    """1 / log2(2 + place) of every element, its place being that in the order of falling keys."""
    order = torch.argsort(torch.where(filled, key, -math.inf), dim=1, descending=True, stable=True)
    by_place = math.log(2) / torch.log(torch.arange(2, 2 + key.shape[1], dtype=key.dtype, device=key.device))
    return torch.zeros_like(key).scatter_(1, order, by_place.expand_as(key))


@op(
    "LambdaRankNdcg: y r session_lengths -> loss dy",
    types="y=r: float, session_lengths: int32",
    gradient="LambdaRankNdcgGradient: y session_lengths dy dloss -> dy",
    shape=lambda y, r, lengths, **_: (y.new_empty(lengths.numel()), y.new_empty(y.shape)),
)
def lambda_rank_ndcg(
    y: Tensor,
    r: Tensor,
    lengths: Tensor,
    *,
    use_ndcg_as_loss: bool = False,
    use_idcg_normalization: bool = True,
    use_exp_gain: bool = True,
) -> tuple[Tensor, Tensor]:
    """The LambdaRank loss of each list by the discounted cumulative gain (NDCG), and its gradient (Wu et al., 2010).

    loss = the sum over pairs of |gain_i - gain_j| |discount_i - discount_j| ln(1 + exp(-+(y_i - y_j))), or, with
    use_ndcg_as_loss, the ideal gain less the gain. gain = 2^r, or r with use_ndcg_as_loss and without use_exp_gain;
    discount = 1 / log2(1 + rank).

    y: (N): scores.
    r: (N): relevances.
    session_lengths: (S), int32: how long each list is, one after the other; they add up to N.
    loss: (S).
    dy: (N): the gradient of the scores.
    use_ndcg_as_loss: the loss is the ideal gain less the gain.
    use_idcg_normalization: the loss and its gradient are divided by the ideal gain.
    use_exp_gain: with use_ndcg_as_loss: the gain is 2^r.
    """
    if y.dim() != 1 or r.numel() != y.numel():
        raise EnforceNotMet(f"y is a vector and r as long, not {list(y.shape)} and {list(r.shape)}")
    scores, relevance, filled, _ = of_lists(y, r.reshape(-1), lengths.reshape(-1))
    gain = relevance if use_ndcg_as_loss and not use_exp_gain else torch.exp2(relevance)
    gain = torch.where(filled, gain, 0)
    now, ideal = discounts(scores, filled), discounts(relevance, filled)
    both = filled.unsqueeze(2) & filled.unsqueeze(1)
    weight = torch.where(both, (differences(now) * differences(gain)).abs(), 0)
    sign = torch.where(differences(relevance) > 0, 1.0, -1.0)
    pairs = sign * differences(scores)
    slope = -(weight * sign * torch.sigmoid(-pairs)).sum(2)
    best = (gain * ideal).sum(1)
    loss = best - (gain * now).sum(1) if use_ndcg_as_loss else -(weight * F.logsigmoid(pairs)).sum((1, 2))
    scale = 1 / best.clamp(min=LEAST_IDEAL) if use_idcg_normalization else torch.ones_like(best)
    scale = torch.where(relevance.abs().sum(1) < LEAST_GAIN, 0, scale)
    return loss * scale, (slope * scale.unsqueeze(1))[filled]


@op(
    "LambdaRankNdcgGradient: y session_lengths dy_cache dloss -> dy",
    types="y=dy_cache=dloss: float, session_lengths: int32",
    same="y dy_cache",
    like="y",
)
def lambda_rank_ndcg_gradient(y: Tensor, lengths: Tensor, cache: Tensor, dloss: Tensor) -> Tensor:
    """dy = dy_cache times the dloss of the list it belongs to.

    dy_cache: dy as LambdaRankNdcg made it.
    """
    lengths = lengths.reshape(-1)
    demand_lengths(lengths, y.numel(), "session_lengths")
    if dloss.numel() != lengths.numel():
        raise EnforceNotMet(f"dloss has one element for each of {lengths.numel()} lists, not {dloss.numel()}")
    return cache * dloss.reshape(-1).index_select(0, segments(lengths, y.numel()))
