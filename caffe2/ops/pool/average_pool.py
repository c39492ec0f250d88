"""Pooling by the mean, over any number of axes, and its gradient."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.opdef import kernel, op
from caffe2.ops.pool.max_pool import fused
from caffe2.ops.pool.pooling import NAMES, Pooling, own, reduced, spread
from caffe2.ops.window import AXES, Axes, Frame

FUSED = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
BACKWARD = {2: torch.ops.aten.avg_pool2d_backward, 3: torch.ops.aten.avg_pool3d_backward}


def averaged(y: Tensor, size: Axes, first: int, frame: Frame, include: bool) -> Tensor:
    """Sums over the windows of an image of a size, or gradients of means, divided by how many elements each counts.

    include: padding counts.
    """
    if include or not any(frame.head + frame.tail):
        return y / math.prod(frame.kernel)
    for axis, (n, k, s, head) in enumerate(zip(size, frame.kernel, frame.stride, frame.head), first):
        start = torch.arange(y.shape[axis], device=y.device) * s - head
        count = (start + k).clamp(max=n) - start.clamp(min=0)
        y = y / count.reshape(-1, *[1] * (y.dim() - axis - 1))
    return y


class Averaging(Pooling):
    """What average pooling and its gradient settle alike."""

    count_include_pad: bool = False

    def scaled(self, y: Tensor, x: Tensor, frame: Frame) -> Tensor:
        """Sums over windows of x, or gradients of means, divided by how many elements each window counts."""
        return averaged(y, self.size(x), self.first_axis, frame, self.count_include_pad)


class AveragePool(Averaging):
    def __call__(self, x: Tensor) -> Tensor:
        if self.global_pooling:
            return x.mean(self.axes(x), keepdim=True)
        frame = self.frame(x)
        frame.out(self.size(x))
        total = reduced(frame.pad(x, self.first_axis), self.first_axis, frame, torch.add)[-1]
        return own(self.scaled(total, x, frame), frame)


class AveragePoolGradient(Averaging):
    """dX at an element is the sum, over the windows that it lies in, of dY / n, n the elements that the window counts.

    Y: of the shape of dY; its values do not matter.
    """

    def __call__(self, x: Tensor, y: Tensor, dy: Tensor) -> Tensor:
        if self.global_pooling:
            return (dy / math.prod(self.size(x))).expand(x.shape).contiguous()
        frame = self.checked(x, y, dy)
        return spread(self.scaled(dy, x, frame), self.size(x), self.first_axis, frame)


class FusedAveragePool(AveragePool):
    """One kernel, where torch takes the padding."""

    def __call__(self, x: Tensor) -> Tensor:
        frame = None if self.global_pooling else self.frame(x)
        if frame is None or not fused(frame):
            return super().__call__(x)
        x = x.movedim(-1, 1) if self.last else x
        include = self.count_include_pad
        y = FUSED[x.dim() - 2](x, frame.kernel, frame.stride, frame.head, count_include_pad=include)
        return y.movedim(1, -1).contiguous() if self.last else y


class FusedAveragePoolGradient(AveragePoolGradient):
    """One kernel, where torch takes the padding."""

    def __call__(self, x: Tensor, y: Tensor, dy: Tensor) -> Tensor:
        rank = x.dim() - 2
        if self.global_pooling or rank not in BACKWARD or not fused(frame := self.checked(x, y, dy)):
            return super().__call__(x, y, dy)
        if self.last:
            x, dy = x.movedim(-1, 1), dy.movedim(-1, 1)
        include = self.count_include_pad
        dx = BACKWARD[rank](dy, x, frame.kernel, frame.stride, frame.head, False, include, None)
        return dx.movedim(1, -1).contiguous() if self.last else dx


DOC = """The mean of every window{axes}.

Y[n, c, y, x] = mean over i, j of X[n, c, y * stride_h + i - pad_t, x * stride_w + j - pad_l]. Padding must be smaller
than the kernel.

count_include_pad: the padding counts as zeros; otherwise the mean is over those elements of the window that lie in the
    image.
"""

for _name in NAMES:
    op(
        f"AveragePool{_name}: X -> Y",
        gradient=f"AveragePool{_name}Gradient: X Y dY -> dX",
        types="X: floating",
        engines="CUDNN MIOPEN MKLDNN",
        doc=DOC.format(axes=AXES.get(_name, "")),
    )(AveragePool)
    op(
        f"AveragePool{_name}Gradient: X Y dY -> dX",
        types="X Y dY: floating",
        engines="CUDNN MIOPEN MKLDNN",
        doc=AveragePoolGradient.__doc__,
    )(AveragePoolGradient)
    kernel(f"AveragePool{_name}", "cuda")(FusedAveragePool)
    kernel(f"AveragePool{_name}Gradient", "cuda")(FusedAveragePoolGradient)
