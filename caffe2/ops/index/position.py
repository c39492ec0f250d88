"""Positions in a sequence as vectors."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe2.opdef import REFUSED, EnforceNotMet, op
from caffe2.ops import demand


@op(
    "SinusoidPositionEncoding: positions -> output",
    types="positions: index",
    gradient=REFUSED,
    differs="position 0 has its encoding; the original's has NaNs",
)
def sinusoid_position_encoding(
    positions: Tensor, *, embedding_size: int = 100, alpha: float = 10000.0, amplitude: float = 1.0
) -> Tensor:
    """output[m, k, i] = amplitude * sin(p / alpha^(i / embedding_size)), for odd i the cosine; p is the position.

    Vaswani et al., Attention Is All You Need, 2017.

    positions: (M, K), the same in every column, of which the first is read.
    output: (M, K, embedding_size), float32.
    embedding_size, alpha, amplitude: the numbers of the formula.
    """
    demand.rank(positions, 2, "positions")
    if embedding_size < 1 or alpha <= 0:
        raise EnforceNotMet(f"embedding_size and alpha must be positive: {embedding_size}, {alpha}")
    place = torch.arange(embedding_size, device=positions.device)
    angle = positions[:, :1].float() * torch.exp(place * (-math.log(alpha) / embedding_size))
    row = amplitude * torch.sin(angle + (place % 2) * (math.pi / 2))
    return row[:, None, :].repeat(1, positions.shape[1], 1)
