"""Transposed convolution of images, and its gradient."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.opdef import EnforceNotMet, OutputCount, op
from caffe2.ops.conv.conv import ENGINES, Convolving, filter_gradient, gradient_mask
from caffe2.ops.window import CAFFE_POOLING, Axes


class Transposing(Convolving):
    """What transposed convolution and its gradient settle alike.

    adj, adj_h, adj_w, adjs: how many rows and columns Y has more, below and at the right, given like the kernel; at
        most the stride; 0 by default.
    dilation, dilation_h, dilation_w, dilations: accepted and ignored.
    """

    adj: int | None = None
    adjs: tuple[int, ...] = ()
    adj_h: int | None = None
    adj_w: int | None = None

    def bind(self, site: object) -> None:
        super().bind(site)
        frame, adj = self.settled, self._per_axis("adj", (0,) * self.rank)
        if self.rank != 2 or len(adj) != 2:
            raise EnforceNotMet(f"it takes images: kernel and adj have two axes each, not {self.rank} and {len(adj)}")
        if self.legacy_pad == CAFFE_POOLING:
            raise EnforceNotMet("legacy_pad CAFFE_LEGACY_POOLING has no meaning here")
        if any(not 0 <= a <= s for a, s in zip(adj, frame.stride)):
            raise EnforceNotMet(f"adj is {adj}; it must lie between 0 and the stride {frame.stride}")
        if min(frame.head + frame.tail) < 0:
            raise EnforceNotMet(f"the padding must not be negative; it is {frame.head + frame.tail}")
        self.adjusted = adj
        grown = tuple(h - t + a for h, t, a in zip(frame.head, frame.tail, adj))
        self.plain = all(0 <= g < s for g, s in zip(grown, frame.stride))
        self.cut = frame.head if self.plain else (0, 0)
        self.grown = grown if self.plain else (0, 0)

    def images(self, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        """X and filter with channels first. Raises EnforceNotMet for wrong ranks and sizes."""
        self.frame(x)
        x, w = self.first(x), self.first(w)
        if w.shape[2:] != self.settled.kernel:
            raise EnforceNotMet(f"filter spans {tuple(w.shape[2:])} but the kernel is {self.settled.kernel}")
        return x, w

    def margins(self, sign: int) -> list[int]:
        """What to add to (-1: take from) the sides of Y, where torch's arguments cannot say it, for F.pad."""
        frame = self.settled
        sides = []
        for head, tail, adj in zip(reversed(frame.head), reversed(frame.tail), reversed(self.adjusted)):
            sides += -sign * head, sign * (adj - tail)
        return sides

    def tail_arguments(self) -> tuple[Axes, Axes, Axes, bool, Axes, int]:
        """stride, padding, dilation, transposed, output padding and group, as torch wants them."""
        return self.settled.stride, self.cut, (1, 1), True, self.grown, self.group


@op(
    "ConvTranspose: X filter bias? -> Y",
    gradient=filter_gradient,
    types="X filter: floating",
    engines=ENGINES,
)
class ConvTranspose(Transposing):
    """The transpose of the cross-correlation with filter as a linear map of images, plus bias.

    Y[n, m, y, x] = bias[m] + sum of X[n, c, h, w] * filter[c, m, i, j] over all c, h, w, i, j with
    y = h * stride_h + i - pad_t and x = w * stride_w + j - pad_l. With no_gradient_to_input=1 the gradient of X is not
    computed.

    X: (N, C, H, W), or (N, H, W, C) in the order NHWC.
    filter: (C, M / group, kH, kW), or (C, kH, kW, M / group) in the order NHWC.
    bias: (M); none is 0.
    Y: (N, M, H', W'), or (N, H', W', M) in the order NHWC, with H' = (H - 1) * stride_h + kH + adj_h - pad_t - pad_b,
        and W' likewise.
    group: how many groups the channels fall into: the first C / group input channels reach only the first M / group
        output channels, and so on.
    """

    def __call__(self, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
        x, w = self.images(x, w)
        if self.plain:
            return self.ordered(torch.convolution(x, w, b, *self.tail_arguments()))
        y = F.pad(torch.convolution(x, w, None, *self.tail_arguments()), self.margins(1))
        return self.ordered(y if b is None else y + b[:, None, None])


@op("ConvTransposeGradient: X filter dY -> dfilter dbias? dX?", types="X filter dY: floating", engines=ENGINES)
class ConvTransposeGradient(Transposing):
    """The gradients of a transposed convolution: of filter, of bias unless no_bias, and of X where it is asked for.

    no_bias: there is no output dbias.
    dX: the gradient of X; left out, it is not computed.
    """

    outputs: OutputCount
    no_bias: bool = False

    def bind(self, site: object) -> None:
        super().bind(site)
        self.wants = gradient_mask(self.outputs, self.no_bias)

    def __call__(self, x: Tensor, w: Tensor, dy: Tensor) -> tuple[Tensor, ...]:
        x, w = self.images(x, w)
        dy = self.first(dy)
        inner = dy if self.plain else F.pad(dy, self.margins(-1))
        wants = [*self.wants[:2], self.wants[2] and self.plain]
        bias = [dy.shape[1]]
        dx, dw, db = torch.ops.aten.convolution_backward(inner, x, w, bias, *self.tail_arguments(), wants)
        if self.wants[2] and not self.plain:
            db = dy.sum((0, 2, 3))
        return self.arranged(dx, dw, db)
