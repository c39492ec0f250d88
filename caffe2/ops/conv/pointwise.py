"""Convolution with filters of 1x1 as a product of matrices."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.ops.window import Frame

LARGEST = 1 << 24
"""From so many multiplications on the direct convolution is as fast."""


def fits(x: Tensor, w: Tensor, frame: Frame, pad: tuple[int, ...]) -> bool:
    """Whether this is the form for images N C H W and a filter M C kH kW."""
    if frame.kernel != (1, 1) or frame.stride != (1, 1) or pad != (0, 0):
        return False
    return 0 < x.numel() * len(w) < LARGEST


def form(w: Tensor) -> Tensor:
    """A filter M 1 1 C as the matrix C M."""
    return w.reshape(len(w), -1).t().contiguous()


def convolved(x: Tensor, made: Tensor, b: Tensor | None, pad: tuple[int, ...]) -> Tensor:
    """Images N C H W by a filter in its form."""
    images = x.movedim(1, -1)
    rows = images.reshape(-1, len(made))
    y = rows @ made if b is None else torch.addmm(b, rows, made)
    return y.view(*images.shape[:3], -1).movedim(-1, 1)
