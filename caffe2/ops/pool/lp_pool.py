"""Pooling by the p-norm, and its gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import op
from caffe2.ops.pool.pooling import Pooling, own, reduced, spread


@op(
    "LpPool: X -> Y",
    gradient="LpPoolGradient: X Y dY -> dX",
    types="X: floating",
    engines="CUDNN",
)
class LpPool(Pooling):
    """The p-norm of every window: Y = (sum over the window of |X|^p)^(1 / p).

    The padding counts as zeros and must be smaller than the kernel.

    p: the order of the norm.
    """

    p: float = 2.0

    def __call__(self, x: Tensor) -> Tensor:
        frame = self.frame(x)
        frame.out(self.size(x))
        powers = frame.pad(x.abs().pow(self.p), self.first_axis)
        return own(reduced(powers, self.first_axis, frame, torch.add)[-1].pow(1 / self.p), frame)


@op("LpPoolGradient: X Y dY -> dX", types="X Y dY: floating", engines="CUDNN")
class LpPoolGradient(Pooling):
    """dX = sign(X) |X|^(p - 1) * sum of dY / Y^(p - 1) over the windows that an element lies in, where Y is not 0.

    Y: the norms, as LpPool gave them.
    p: the order of the norm.
    """

    p: float = 2.0

    def __call__(self, x: Tensor, y: Tensor, dy: Tensor) -> Tensor:
        frame = self.checked(x, y, dy)
        part = torch.where(y > 0, dy / y.pow(self.p - 1), 0)
        return x.sign() * x.abs().pow(self.p - 1) * spread(part, self.size(x), self.first_axis, frame)
