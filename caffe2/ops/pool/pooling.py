"""What all poolings share: reducing windows axis by axis, and the transpose of that."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet
from caffe2.ops.window import Axes, Frame, Window, lies_last, steps

NAMES = ("", "1D", "2D", "3D")


class Pooling(Window):
    """Base of poolings, whose windows know no dilation and reach into the image.

    X: (N, C, H, W), or (N, H, W, C) in the order NHWC; another number of spatial axes likewise.
    Y: (N, C, H', W'), or (N, H', W', C), with H' = (H + pad_t + pad_b - kH) // stride_h + 1, and W' likewise.
    dilation, dilation_h, dilation_w, dilations: 1, if given at all.
    """

    def bind(self, site: object) -> None:
        super().bind(site)
        kernel, _, dilation, head, tail = self.settled
        if any(d != 1 for d in dilation):
            raise EnforceNotMet(f"a pooling takes no dilation; it is {dilation}")
        if not self.global_pooling and any(not 0 <= p < k for p, k in zip(head + tail, kernel * 2)):
            raise EnforceNotMet(f"the padding {head + tail} must be at least 0 and smaller than the kernel {kernel}")

    def axes(self, x: Tensor) -> Axes:
        """The spatial axes of x."""
        return tuple(range(self.first_axis, self.first_axis + x.dim() - 2))

    def checked(self, x: Tensor, y: Tensor, dy: Tensor) -> Frame:
        """The window for x. Raises EnforceNotMet where Y or dY is not of the shape that pooling x gives."""
        frame, first = self.frame(x), self.first_axis
        shape = (*x.shape[:first], *frame.out(self.size(x)), *x.shape[first + x.dim() - 2 :])
        if y.shape != shape or dy.shape != shape:
            raise EnforceNotMet(f"pooling X gives {shape}; Y has {tuple(y.shape)} and dY {tuple(dy.shape)}")
        return frame


def reduced(x: Tensor, first: int, frame: Frame, combine: Callable[[Tensor, Tensor], Tensor]) -> list[Tensor]:
    """x with the windows along none, the first, the first two ... of its spatial axes combined into one element each.

    The image must be padded already.
    """
    stages = [x]
    for axis, (k, s, d) in enumerate(zip(frame.kernel, frame.stride, frame.dilation), first):
        count = (x.shape[axis] - d * (k - 1) - 1) // s + 1
        x = reduce(combine, steps(x, axis, k, s, d, count))
        stages.append(x)
    return stages


def own(y: Tensor, frame: Frame) -> Tensor:
    """y in storage of its own, which windows of one element leave it without."""
    if max(frame.kernel) == 1:
        return y.clone(memory_format=torch.contiguous_format)
    return y if lies_last(y) else y.contiguous()


def spread(dy: Tensor, size: Axes, first: int, frame: Frame) -> Tensor:
    """The transpose of adding up the windows of a padded image of a size: each of dY at all elements of its window."""
    for axis in reversed(range(len(size))):
        shape = list(dy.shape)
        count, shape[first + axis] = dy.shape[first + axis], size[axis] + frame.head[axis] + frame.tail[axis]
        dx = dy.new_zeros(shape)
        for part in steps(dx, first + axis, frame.kernel[axis], frame.stride[axis], 1, count):
            part.add_(dy)
        dy = dx
    return frame.unpad(dy, first, size)
