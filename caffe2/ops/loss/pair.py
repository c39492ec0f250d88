"""Losses that compare two things: scores of pairs, embeddings with labels, probabilities with probabilities."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, op

SMALLEST = 1e-20
"""Probabilities below count as this one, so that their logarithm is finite."""


def labels_like(y: Tensor, x: Tensor) -> Tensor:
    """Labels under the shape of X. Raises EnforceNotMet where they are of another number."""
    if y.numel() != x.numel():
        raise EnforceNotMet(f"{list(x.shape)} takes one label for each of {x.numel()}, and there are {y.numel()}")
    return y.reshape(x.shape)


@op(
    "CosineEmbeddingCriterion: S Y -> loss",
    types="S: floating, Y: int32",
    like="S",
    gradient="CosineEmbeddingCriterionGradient: S Y dloss -> dS",
)
def cosine_embedding_criterion(s: Tensor, y: Tensor, *, margin: float = 0.0) -> Tensor:
    """loss = 1 - S where Y = 1, else max(S - margin, 0).

    S: similarities of pairs, of any shape.
    Y: of the shape of S: 1 where a pair is alike, -1 where not.
    loss: of the shape of S.
    margin: the similarity that others may have.
    """
    return torch.where(labels_like(y, s) == 1, 1 - s, (s - margin).clamp(min=0))


@op(
    "CosineEmbeddingCriterionGradient: S Y dloss -> dS",
    types="S=dloss: floating, Y: int32",
    same="S dloss",
    like="S",
)
def cosine_embedding_criterion_gradient(s: Tensor, y: Tensor, dloss: Tensor, *, margin: float = 0.0) -> Tensor:
    """dS = -dloss where Y = 1, dloss where S >= margin, else 0."""
    return torch.where(labels_like(y, s) == 1, -dloss, dloss * (s >= margin))


@op(
    "MarginRankingCriterion: X1 X2 Y -> loss",
    types="X1=X2: floating, Y: int32",
    same="X1 X2",
    like="X1",
    gradient="MarginRankingCriterionGradient: X1 X2 Y dloss -> dX1 dX2",
)
def margin_ranking_criterion(x1: Tensor, x2: Tensor, y: Tensor, *, margin: float = 1.0) -> Tensor:
    """loss = max(margin - Y (X1 - X2), 0).

    X1, X2: scores, of one shape.
    Y: of that shape, int32: 1 where X1 ought to be the greater, -1 where X2.
    loss: of that shape.
    margin: by how much.
    """
    return (margin - labels_like(y, x1) * (x1 - x2)).clamp(min=0)


@op(
    "MarginRankingCriterionGradient: X1 X2 Y dloss -> dX1 dX2",
    types="X1=X2=dloss: floating, Y: int32",
    same="X1 X2 dloss",
    like="X1 X2",
)
def margin_ranking_criterion_gradient(
    x1: Tensor, x2: Tensor, y: Tensor, dloss: Tensor, *, margin: float = 1.0
) -> tuple[Tensor, Tensor]:
    """dX1 = -Y dloss where margin - Y (X1 - X2) >= 0, else 0; dX2 = -dX1."""
    sign = labels_like(y, x1)
    slope = torch.where(margin - sign * (x1 - x2) < 0, 0, sign * dloss)
    return -slope, slope


def entropy(p: Tensor) -> Tensor:
    """-p ln p - (1 - p) ln(1 - p), 0 outside (0, 1)."""
    inside = p.clamp(0, 1)
    return torch.special.entr(inside) + torch.special.entr(1 - inside)


def log_odds(p: Tensor) -> Tensor:
    """ln(p / (1 - p)), p at least 1e-20 and at most 1."""
    inside = p.clamp(SMALLEST, 1)
    return torch.log(inside) - torch.log1p(-inside)


@op(
    "BernoulliJSD: X T -> L",
    types="X=T: floating",
    like="X",
    gradient="BernoulliJSDGradient: dL X T -> dX",
)
def bernoulli_jsd(x: Tensor, t: Tensor) -> Tensor:
    """The Jensen-Shannon divergence of two Bernoulli distributions of probabilities X and T (Lin, 1991).

    L = H((X + T) / 2) - (H(X) + H(T)) / 2, H(p) = -p ln p - (1 - p) ln(1 - p).

    X, T: probabilities, of one shape.
    L: of the shape of X.
    """
    t = labels_like(t, x)
    return entropy((x + t) / 2) - (entropy(x) + entropy(t)) / 2


@op("BernoulliJSDGradient: dL X T -> dX", types="dL=X=T: floating", same="dL X", like="X")
def bernoulli_jsd_gradient(dl: Tensor, x: Tensor, t: Tensor) -> Tensor:
    """dX = dL (ln(X / (1 - X)) - ln(M / (1 - M))) / 2, M = (X + T) / 2."""
    return dl * (log_odds(x) - log_odds((x + labels_like(t, x)) / 2)) / 2
