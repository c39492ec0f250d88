"""Padding of images with a constant, their reflection or their edge, and its gradient."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.opdef import EnforceNotMet, op
from caffe2.ops import demand
from caffe2.ops.window import Window, channels_last

MODES = ("constant", "reflect", "edge")


class Padding(Window):
    """What padding and its gradient settle alike."""

    mode: str = "constant"
    value: float = 0.0

    def bind(self, site: object) -> None:
        self.rank, self.first_axis = 2, 1 if channels_last(self.order) else 2
        if self.mode not in MODES:
            raise EnforceNotMet(f"the mode {self.mode!r} is unknown; it is one of {', '.join(MODES)}")
        top, left, bottom, right = self._pads()
        self.sides = ((top, bottom), (left, right))
        if self.mode != "constant" and min(top, left, bottom, right) < 0:
            raise EnforceNotMet("only the mode constant takes negative padding, which crops")

    def sources(self, n: int, head: int, tail: int, device: torch.device) -> Tensor:
        """The element of an axis of n that each element of the padded axis is a copy of."""
        if not n:
            raise EnforceNotMet(f"there is nothing to pad with in the mode {self.mode}: an axis of X is empty")
        at = torch.arange(-head, n + tail, device=device)
        if self.mode == "edge":
            return at.clamp(0, n - 1)
        period = max(2 * n - 2, 1)
        return torch.minimum(at.remainder(period), (-at).remainder(period)) if n > 1 else torch.zeros_like(at)


@op("PadImage: X -> Y", gradient="PadImageGradient: dY -> dX", types="X: float")
class PadImage(Padding):
    """Images with rows and columns added around them.

    X: (N, C, H, W), or (N, H, W, C) in the order NHWC.
    Y: (N, C, H + top + bottom, W + left + right), or with C last.
    pad, pad_t, pad_l, pad_b, pad_r, pads: how many: pad at all sides, all of pad_t, pad_l, pad_b, pad_r (top, left,
        bottom, right) at each, or pads in that order. Negative ones crop, in the mode constant alone.
    mode: constant: what is added is `value`; reflect: mirrored about the border pixels, which are not repeated; edge:
        the border pixels, repeated.
    value: the constant.
    kernel, kernel_h, kernel_w, kernels: accepted and ignored.
    stride, stride_h, stride_w, strides: accepted and ignored.
    dilation, dilation_h, dilation_w, dilations: accepted and ignored.
    global_pooling, legacy_pad: accepted and ignored.
    """

    def __call__(self, x: Tensor) -> Tensor:
        demand.rank(x, 4, "X")
        (top, bottom), (left, right) = self.sides
        if self.mode == "constant":
            return F.pad(x, [0, 0] * (2 - self.first_axis) + [left, right, top, bottom], value=self.value).contiguous()
        for axis, (head, tail) in enumerate(self.sides, self.first_axis):
            x = x.index_select(axis, self.sources(x.shape[axis], head, tail, x.device))
        return x


@op("PadImageGradient: dY -> dX", types="dY: float")
class PadImageGradient(Padding):
    """dX is the sum of the elements of dY that are copies of each element of X."""

    def __call__(self, dy: Tensor) -> Tensor:
        demand.rank(dy, 4, "dY")
        (top, bottom), (left, right) = self.sides
        if self.mode == "constant":
            return F.pad(dy, [0, 0] * (2 - self.first_axis) + [-left, -right, -top, -bottom]).contiguous()
        for axis, (head, tail) in enumerate(self.sides, self.first_axis):
            n = dy.shape[axis] - head - tail
            dx = dy.new_zeros(*dy.shape[:axis], n, *dy.shape[axis + 1 :])
            dy = dx.index_add_(axis, self.sources(n, head, tail, dy.device), dy)
        return dy
