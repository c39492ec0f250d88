"""Pictures brought to a size by areas, cut out, and their colors varied: what training does to photographs.

A picture is uint8 [H, W, C] with channels blue, green, red or one gray.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

GRAY = torch.tensor([0.114, 0.587, 0.299])
"""How much of blue, green and red is in gray."""
LIGHT = torch.tensor([[-144.7125, 183.396, 102.2295], [-148.104, -1.1475, -207.57], [-148.818, -177.174, 107.1765]])
"""Principal components, times 255, of ImageNet's colors: rows red, green, blue (A. Krizhevsky et al., 2012)."""
SPREAD = torch.tensor([0.2175, 0.0188, 0.0045])
"""Standard deviations along them."""


class Box(NamedTuple):
    """A part of a picture, in pixels."""

    top: int
    left: int
    height: int
    width: int

    def within(self, picture: Tensor) -> bool:
        """Whether it is one, and lies in the picture."""
        height, width = picture.shape[:2]
        return min(self) >= 0 and self.top + self.height <= height and self.left + self.width <= width

    def of(self, picture: Tensor) -> Tensor:
        """This part of a picture."""
        return picture[self.top : self.top + self.height, self.left : self.left + self.width]


@lru_cache(256)
def _mixing(size: int, wanted: int, shrinking: bool) -> Tensor:
    """[wanted, size]: what each new pixel takes of each old one, along one axis."""
    scale, old = size / wanted, np.arange(size)
    new = np.arange(wanted)[:, None]
    if shrinking:
        covered = np.minimum((new + 1) * scale, old + 1) - np.maximum(new * scale, old)
        return torch.from_numpy((covered.clip(0) / scale).astype(np.float32))
    first = np.floor(new * scale).astype(int)
    share = new + 1 - (first + 1) / scale
    share = np.where((share <= 0) | (first >= size - 1), 0, share - np.floor(share))
    weights = np.where(old == first, 1 - share, np.where(old == first + 1, share, 0))
    return torch.from_numpy(weights.astype(np.float32))


def resized(picture: Tensor, height: int, width: int) -> Tensor:
    """A picture of another size, as OpenCV's INTER_AREA: means of areas if both sides shrink, else between pixels."""
    if picture.shape[:2] == (height, width):
        return picture
    shrinking = picture.shape[0] >= height and picture.shape[1] >= width
    planes = picture.permute(2, 0, 1).float()
    down, across = (_mixing(n, m, shrinking) for n, m in zip(picture.shape, (height, width)))
    return (down @ planes @ across.T).round_().clamp_(0, 255).to(torch.uint8).permute(1, 2, 0)


def somewhere(picture: Tensor, size: int, rng: np.random.Generator) -> Tensor | None:
    """A part of 8 to 100 % of the area, 3/4 to 4/3 as wide as high, as size x size; None where ten tries found none.

    C. Szegedy et al., Going deeper with convolutions, 2015.
    """
    height, width = picture.shape[:2]
    for _ in range(10):
        area, ratio = math.ceil(rng.uniform(0.08, 1.0) * height * width), rng.uniform(3 / 4, 4 / 3)
        h, w = math.floor(math.sqrt(area / ratio)), math.floor(math.sqrt(area * ratio))
        if 1 <= h <= height and 1 <= w <= width:
            part = Box(int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1)), h, w).of(picture)
            return resized(part, size, size)
    return None


def jittered(values: Tensor, saturation: float, brightness: float, contrast: float, rng: np.random.Generator) -> Tensor:
    """Colors [H, W, 3] mixed, in random order, with their gray, with black and with the mean gray.

    The share of the colors themselves is 1 plus a number drawn from [-a, a], a being the argument for each.
    """
    for step in rng.permutation(3):
        reach = (saturation, brightness, contrast)[step]
        share = float(1 + rng.uniform(-reach, reach))
        if step == 1:
            values = values * share
        else:
            gray = values @ GRAY
            values = values * share + (gray[..., None] if step == 0 else gray.mean()) * (1 - share)
    return values


def lit(values: Tensor, deviation: float, rng: np.random.Generator) -> Tensor:
    """Colors [H, W, 3] shifted along the principal components of ImageNet's, by normal numbers of this deviation."""
    shift = LIGHT @ (SPREAD * torch.from_numpy(rng.normal(0, deviation, 3)).float())
    return values + shift.flip(0)
