"""Class labels: what an operator may take from a row by them."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.ops import demand


def picked(rows: Tensor, labels: Tensor) -> Tensor:
    """rows[n, labels[n]] for every row: [N] of [N, D].

    Raises EnforceNotMet for a label that is no class. On a device that looking would stall, the value is nan instead.
    """
    index, classes = labels.reshape(-1, 1).long(), rows.shape[-1]
    if rows.is_cpu or rows.is_meta:
        demand.in_range(labels, classes, "label")
        return rows.gather(-1, index).squeeze(-1)
    known = (index >= 0) & (index < classes)
    return torch.where(known, rows.gather(-1, index.clamp(0, classes - 1)), float("nan")).squeeze(-1)


def rows_of(x: Tensor) -> Tensor:
    """[N, D] of [N, ...], or [1, D] of [D]."""
    return x.reshape(1, -1) if x.dim() < 2 else x.flatten(1)
