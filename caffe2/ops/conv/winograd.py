"""Convolution with filters of 3x3 in fewer multiplications: Winograd's minimal filtering of 4x4 outputs at a time.

Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2016.
"""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.ops.native import Kernel
from caffe2.ops.window import Frame

ANALYSE = Kernel("winograd", "analyse", "pp qqqqqqqqq")
GATHER = Kernel("winograd", "gather", "ppp qqqqqqq")

G = torch.tensor(
    [
        [1 / 4, 0, 0],
        [-1 / 6] * 3,
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ],
    dtype=torch.float64,
)
"""What analyses a filter, for the points 0, 1, -1, 2, -2 and infinity."""

LEAST_CHANNELS, LEAST_OUTPUTS = 16, 128
"""Below so many channels, and so many elements of an output's channel, the direct convolution is faster."""

TILES = 128
"""How many tiles are worked on at a time: what they are analysed into should stay in the cache."""


def fits(x: Tensor, w: Tensor, frame: Frame, pad: tuple[int, ...]) -> bool:
    """Whether this is the form for images N C H W and a filter M C kH kW."""
    if frame.kernel != (3, 3) or frame.stride != (1, 1) or frame.dilation != (1, 1):
        return False
    high, wide = (n + 2 * p - 2 for n, p in zip(x.shape[2:], pad))
    large = min(w.shape[:2]) >= LEAST_CHANNELS and min(high, wide) > 0 and len(x) * high * wide >= LEAST_OUTPUTS
    return large and ANALYSE.serves() and GATHER.serves()


def form(w: Tensor) -> Tensor:
    """A filter M 3 3 C analysed: a matrix C M for each of the 36 places of a tile."""
    made = torch.einsum("ai,mijc,bj->abcm", G, w.double(), G)
    return made.reshape(36, w.shape[-1], len(w)).float().contiguous()


def convolved(x: Tensor, made: Tensor, b: Tensor | None, pad: tuple[int, ...]) -> Tensor:
    """Images N C H W by a filter in its form."""
    images, (_, channels, outputs) = x.movedim(1, -1).contiguous(), made.shape
    count, h, w = images.shape[:3]
    high, wide = h + 2 * pad[0] - 2, w + 2 * pad[1] - 2
    down, across = -(-high // 4), -(-wide // 4)
    y = x.new_empty(count, high, wide, outputs)
    total = count * down * across
    for first in range(0, total, TILES):
        tiles = min(TILES, total - first)
        analysed = x.new_empty(36, tiles, channels)
        ANALYSE(images, analysed, first, tiles, h, w, channels, *pad, down, across)
        GATHER(torch.bmm(analysed, made), b, y, first, tiles, high, wide, outputs, down, across)
    return y.movedim(-1, 1)
