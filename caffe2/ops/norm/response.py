"""Local response normalization across channels, and its gradient."""

from __future__ import annotations

from functools import reduce
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Op, op
from caffe2.ops import demand
from caffe2.ops.native import Kernel
from caffe2.ops.window import channels_last, lies_last, steps

FORWARD = Kernel("response", "lrn", "ppp qqqq fff")
BACKWARD = Kernel("response", "lrn_gradient", "pppp qqqq fff")
MOST = 1 << 16


class Neighbouring(Op):
    """What the normalization and its gradient settle alike."""

    size: int = 0
    alpha: float = 0.0
    beta: float = 0.0
    bias: float = 1.0
    order: str = "NCHW"

    def bind(self, site: object) -> None:
        self.axis = -1 if channels_last(self.order) else 1
        if not 1 <= self.size <= MOST:
            raise EnforceNotMet(f"size is {self.size}; the neighbourhood has 1 to {MOST} channels")

    def compiled(self, kernel: Kernel, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
        """Run a kernel on tensors N C followed by any axes."""
        shape = inputs[0].shape
        settings = self.size, self.alpha, self.beta, self.bias
        kernel(*inputs, *outputs, shape[0], shape[1], prod(shape[2:]), *settings)

    def fits(self, kernel: Kernel, *tensors: Tensor) -> bool:
        """Whether a kernel takes these tensors."""
        alike = all(t.dtype == torch.float32 and t.shape == tensors[0].shape for t in tensors)
        return self.axis == 1 and tensors[0].dim() >= 3 and alike and kernel.serves(*tensors)

    def summed(self, x: Tensor, before: int) -> Tensor:
        """For each channel the sum of `size` of them, which start `before` it."""
        axis = self.axis % x.dim()
        padded = F.pad(x, [0, 0] * (x.dim() - axis - 1) + [before, self.size - 1 - before])
        return reduce(torch.add, steps(padded, axis, self.size, 1, 1, x.shape[axis]))

    def scale(self, x: Tensor) -> Tensor:
        """bias + alpha / size times the sum of the squares of the neighbours."""
        demand.least_rank(x, 3, "X")
        return self.summed(x * x, (self.size - 1) // 2) * (self.alpha / self.size) + self.bias


@op("LRN: X -> Y Y_scale?", gradient="LRNGradient: X Y dY -> dX", types="X: floating", engines="CUDNN")
class LRN(Neighbouring):
    """Local response normalization: Y = X / Y_scale^beta (Krizhevsky et al., 2012).

    Y_scale = bias + alpha / size * sum of the squares of X over `size` channels around. They start (size - 1) // 2
    before a channel; those that are not there count as zeros.

    X: (N, C, ...), or (N, ..., C) in the order NHWC.
    Y, Y_scale: of the shape of X.
    size: how many channels.
    alpha, beta, bias: the numbers of the formula.
    """

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.contiguous() if lies_last(x) else x
        if self.fits(FORWARD, x):
            y, scale = torch.empty_like(x), torch.empty_like(x)
            self.compiled(FORWARD, (x,), (y, scale))
            return y, scale
        scale = self.scale(x)
        return x * scale.pow(-self.beta), scale


@op("LRNGradient: X Y dY -> dX", types="X Y dY: floating", engines="CUDNN")
class LRNGradient(Neighbouring):
    """dX = dY / S^beta - 2 alpha beta / size * X * the sum of dY * Y / S over the channels that X is a neighbour of.

    S is the scale of the forward operator, computed anew.
    """

    def __call__(self, x: Tensor, y: Tensor, dy: Tensor) -> Tensor:
        x, y, dy = (t.contiguous() if lies_last(t) else t for t in (x, y, dy))
        if self.fits(BACKWARD, x, y, dy):
            dx = torch.empty_like(x)
            self.compiled(BACKWARD, (x, y, dy), (dx,))
            return dx
        scale = self.scale(x)
        spread = self.summed(dy * y / scale, self.size // 2)
        return torch.addcmul(dy * scale.pow(-self.beta), x, spread, value=-2 * self.alpha * self.beta / self.size)
