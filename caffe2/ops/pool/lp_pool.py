"""Pooling by the p-norm, and its gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import op
from caffe2.ops.pool.pooling import ARGUMENTS, Pooling, own, reduced, spread

DOC = "The p-norm of every window: Y = (sum of |x|^p over the window)^(1/p).\n\np: the order of the norm.\n"


@op(
    "LpPool: X -> Y",
    gradient="LpPoolGradient: X Y dY -> dX",
    types="X: floating",
    engines="CUDNN",
    doc=DOC + ARGUMENTS.format(padding="adds nothing"),
)
class LpPool(Pooling):
    p: float = 2.0

    def __call__(self, x: Tensor) -> Tensor:
        frame = self.frame(x)
        frame.out(self.size(x))
        powers = frame.pad(x.abs().pow(self.p), self.first_axis)
        return own(reduced(powers, self.first_axis, frame, torch.add)[-1].pow(1 / self.p), frame)


@op("LpPoolGradient: X Y dY -> dX", types="X Y dY: floating", engines="CUDNN")
class LpPoolGradient(Pooling):
    """dX = sign(x) |x|^(p - 1) times the sum of dY / Y^(p - 1) over the windows that x is in, where Y is not 0."""

    p: float = 2.0

    def __call__(self, x: Tensor, y: Tensor, dy: Tensor) -> Tensor:
        frame = self.checked(x, y, dy)
        part = torch.where(y > 0, dy / y.pow(self.p - 1), 0)
        return x.sign() * x.abs().pow(self.p - 1) * spread(part, self.size(x), self.first_axis, frame)
