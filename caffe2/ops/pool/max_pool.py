"""Pooling by the maximum, over any number of axes, and its gradient."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.opdef import kernel, op
from caffe2.ops.native import Kernel
from caffe2.ops.pool.pooling import NAMES, Pooling, own, reduced
from caffe2.ops.window import AXES, Axes, Frame, lies_last, steps

FORWARD = Kernel("pool", "max_pool", "pp qq qqqq qqqq qq")
COMPILED = Kernel("pool", "max_pool_gradient", "pppp qq qqqq qqqq qq")
FUSED = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
INDEXED = {2: torch.ops.aten.max_pool2d_with_indices, 3: torch.ops.aten.max_pool3d_with_indices}
BACKWARD = {2: torch.ops.aten.max_pool2d_with_indices_backward, 3: torch.ops.aten.max_pool3d_with_indices_backward}


class MaxPool(Pooling):
    """Window by window on the CPU, axis by axis: maxima of rows, then of columns, are far fewer and run as vectors."""

    def __call__(self, x: Tensor) -> Tensor:
        if self.global_pooling:
            return x.amax(self.axes(x), keepdim=True)
        frame = self.frame(x)
        size = frame.out(self.size(x))
        if x.dtype == torch.float32 and x.dim() == 4 and (self.last or lies_last(x)):
            images = x if self.last else x.movedim(1, -1)
            if FORWARD.serves(images):
                y = self._compiled(frame, images, size)
                return y if self.last else y.movedim(-1, 1)
        padded = frame.pad(x, self.first_axis, -torch.inf)
        return own(reduced(padded, self.first_axis, frame, torch.maximum)[-1], frame)

    def _compiled(self, frame: Frame, x: Tensor, size: Axes) -> Tensor:
        """The same by a compiled kernel, of images N H W C."""
        y = x.new_empty(x.shape[0], *size, x.shape[-1])
        axes = (x.shape[1:3], size, frame.kernel, frame.stride, frame.head)
        FORWARD(x, y, x.shape[0], x.shape[-1], *(n for pair in axes for n in pair))
        return y


class MaxPoolGradient(Pooling):
    """dX at an element is the sum of dY over the windows whose maximum Y it equals; equal maxima all count.

    Y: the maxima, as MaxPool gave them.
    """

    # An element equals its window's maximum just when it equals that of its row, and that one the window's: the sum
    # goes back axis by axis.

    def __call__(self, x: Tensor, y: Tensor, dy: Tensor) -> Tensor:
        if self.global_pooling:
            return (x == y) * dy
        frame, first = self.checked(x, y, dy), self.first_axis
        if x.dtype == torch.float32 == y.dtype == dy.dtype and 3 <= x.dim() <= 4:
            lying = not self.last and lies_last(x)
            given = [_lying_last(t) for t in (x, y, dy)] if lying else [x, y, dy]
            if COMPILED.serves(*given):
                dx = self._compiled(frame, *given, self.last or lying)
                return dx.movedim(-1, 1) if lying else dx
        stages = reduced(frame.pad(x, first, -torch.inf), first, self._but_last(frame), torch.maximum)
        for axis in reversed(range(len(frame.kernel))):
            dy = _to_maxima(stages[axis], y, dy, first + axis, frame.kernel[axis], frame.stride[axis])
            y = stages[axis]
        return frame.unpad(dy, first, self.size(x))

    def _compiled(self, frame: Frame, x: Tensor, y: Tensor, dy: Tensor, last: bool) -> Tensor:
        """The same by a compiled kernel, the channels `last` or first; of one axis as of an image one pixel high."""
        dx, lost = torch.empty_like(x), 4 - x.dim()
        ones, zeros = (1,) * lost, (0,) * lost
        spatial = slice(1, -1) if last else slice(2, None)
        sizes = (ones + tuple(x.shape[spatial]), ones + tuple(y.shape[spatial]))
        size = (*sizes, ones + frame.kernel, ones + frame.stride, zeros + frame.head)
        planes, channels = (x.shape[0], x.shape[-1]) if last else (x.shape[0] * x.shape[1], 1)
        COMPILED(x, y, dy, dx, planes, channels, *(n for axes in size for n in axes))
        return dx

    def _but_last(self, frame: Frame) -> Frame:
        return Frame(*(field[:-1] for field in frame))


def _lying_last(x: Tensor) -> Tensor:
    """Images N C H W as N H W C, contiguous."""
    return x.movedim(1, -1).contiguous()


def _to_maxima(below: Tensor, y: Tensor, dy: Tensor, axis: int, size: int, stride: int) -> Tensor:
    """dY, the gradient of the maxima Y of windows along an axis of `below`, at the elements that equal them."""
    dx, hit = torch.zeros_like(below), torch.empty_like(dy)
    count = dy.shape[axis]
    for value, part in zip(steps(below, axis, size, stride, 1, count), steps(dx, axis, size, stride, 1, count)):
        part.addcmul_(torch.eq(value, y, out=hit), dy)
    return dx


class FusedMaxPool(MaxPool):
    """One kernel, where torch takes the padding."""

    def __call__(self, x: Tensor) -> Tensor:
        frame = None if self.global_pooling else self.frame(x)
        if frame is None or not fused(frame):
            return super().__call__(x)
        if not self.last:
            return FUSED[x.dim() - 2](x, frame.kernel, frame.stride, frame.head)
        y = FUSED[x.dim() - 2](x.movedim(-1, 1), frame.kernel, frame.stride, frame.head)
        return y.movedim(1, -1).contiguous()


class IndexedMaxPoolGradient(MaxPoolGradient):
    """The first of equal maxima takes the whole of dY: two kernels, where torch takes the padding."""

    def __call__(self, x: Tensor, y: Tensor, dy: Tensor) -> Tensor:
        rank = x.dim() - 2
        if self.global_pooling or rank not in INDEXED or not fused(frame := self.checked(x, y, dy)):
            return super().__call__(x, y, dy)
        if self.last:
            x, dy = x.movedim(-1, 1), dy.movedim(-1, 1)
        window = (frame.kernel, frame.stride, frame.head, frame.dilation)
        _, where = INDEXED[rank](x, *window)
        dx = BACKWARD[rank](dy, x, *window, False, where)
        return dx.movedim(1, -1).contiguous() if self.last else dx


def fused(frame: Frame) -> bool:
    """Whether torch's poolings take a window: padded alike on both sides, by at most half of it."""
    return frame.even and all(2 * p <= k for p, k in zip(frame.head, frame.kernel))


DOC = """The maximum of every window{axes}.

Y[n, c, y, x] = max over i, j of X[n, c, y * stride_h + i - pad_t, x * stride_w + j - pad_l]. The padding never is the
maximum and must be smaller than the kernel.
"""
DIFFERS = "on CUDA the first of equal maxima takes the whole gradient, as cuDNN has it; on the CPU every one does"

for _name in NAMES:
    op(
        f"MaxPool{_name}: X -> Y",
        gradient=f"MaxPool{_name}Gradient: X Y dY -> dX",
        types="X: floating",
        engines="CUDNN MIOPEN MKLDNN",
        doc=DOC.format(axes=AXES.get(_name, "")),
    )(MaxPool)
    op(
        f"MaxPool{_name}Gradient: X Y dY -> dX",
        types="X Y dY: floating",
        engines="CUDNN MIOPEN MKLDNN",
        doc=MaxPoolGradient.__doc__,
        differs=DIFFERS,
    )(MaxPoolGradient)
    kernel(f"MaxPool{_name}", "cuda")(FusedMaxPool)
    kernel(f"MaxPool{_name}Gradient", "cuda")(IndexedMaxPoolGradient)
