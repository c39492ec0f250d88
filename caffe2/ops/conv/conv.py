"""Convolution over any number of axes, and its gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Gradient, OutputCount, Site, op
from caffe2.ops import demand
from caffe2.ops.conv.settled import Settled
from caffe2.ops.window import AXES, Frame, Window

ENGINES = "CUDNN MIOPEN MKLDNN EIGEN NNPACK DEPTHWISE_3x3 CHANNELWISE_3D BLOCK SHARED_COL"
DOC = """The cross-correlation of X with filter{axes}, plus bias.

Y[n, m, y, x] = bias[m] + sum over c, i, j of filter[m, c, i, j] * X[n, c, y * stride_h + i * dilation_h - pad_t,
x * stride_w + j * dilation_w - pad_l], where X counts as 0 outside the image. With another number of spatial axes
likewise.

X: (N, C, H, W), or (N, H, W, C) in the order NHWC.
filter: (M, C / group, kH, kW), or (M, kH, kW, C / group) in the order NHWC.
bias: (M); none is 0.
Y: (N, M, H', W'), or (N, H', W', M) in the order NHWC, with
    H' = (H + pad_t + pad_b - dilation_h * (kH - 1) - 1) // stride_h + 1, and W' likewise.
group: how many groups the channels fall into: the first M / group output channels see only the first C / group input
    channels, and so on.

With no_gradient_to_input=1 the gradient of X is not computed. With the engine NNPACK activation="Relu" raises negative
elements of Y to 0. All other engines but those of the DNNLOWP family compute the same, and arguments that tune them,
such as ws_nbytes_limit, exhaustive_search and algo, are accepted and ignored.
"""
MKLDNN = torch.backends.mkldnn.is_available()
NAMES = ("Conv", "Conv1D", "Conv2D", "Conv3D")


class Convolving(Window):
    """What convolution and its gradient settle alike."""

    group: int = 1

    def first(self, x: Tensor) -> Tensor:
        """A view of x with its channels before the spatial axes."""
        return x.movedim(-1, 1) if self.last else x

    def ordered(self, y: Tensor) -> Tensor:
        """y, its channels before the spatial axes, in the operator's order."""
        return y.movedim(1, -1).contiguous() if self.last else y

    def arranged(self, dx: Tensor | None, dw: Tensor, db: Tensor | None) -> tuple[Tensor, ...]:
        """The gradients that are asked for, in the operator's order."""
        dx = None if dx is None else self.ordered(dx)
        return tuple(g for g in (self.ordered(dw), db, dx) if g is not None)

    def prepared(self, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor, Frame, tuple[int, ...]]:
        """X and filter with channels first, the window, and the padding left for torch to do.

        Raises EnforceNotMet where the filter is of another size than the window.
        """
        frame = self.frame(x)
        x, w = self.first(x), self.first(w)
        if w.shape[2:] != frame.kernel:
            raise EnforceNotMet(f"filter spans {tuple(w.shape[2:])} but the kernel is {frame.kernel}")
        if frame.even and min(frame.head) >= 0:
            return x, w, frame, frame.head
        return frame.pad(x, 2), w, frame, (0,) * len(frame.kernel)


class Conv(Convolving):
    # On the CPU filters of images lie in memory with their channels last, where convolutions read them fastest; what
    # comes out then does, too. The blob is given the filter so: it is put in order once, not on every run.

    def bind(self, site: Site) -> None:
        super().bind(site)
        self._filter = site.workspace.cell(site.inputs[1]) if site.workspace is not None else None
        self._settled = Settled()

    def _lying(self, w: Tensor) -> Tensor:
        """The filter, its channels last in memory where that helps."""
        if w.dim() != 4 or self.last or w.dtype != torch.float32 or not demand.readable(w) or not MKLDNN:
            return w
        if not w.is_contiguous() or w.is_contiguous(memory_format=torch.channels_last) or w._is_view():
            return w
        kept = w.contiguous(memory_format=torch.channels_last)
        if self._filter is not None and self._filter.value is w:
            self._filter.value = kept
        return kept

    def __call__(self, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
        x, w, frame, pad = self.prepared(x, self._lying(w))
        y = self._settled(x, w, b, frame, pad) if self.group == 1 else None
        if y is not None:
            return self.ordered(y)
        none = (0,) * len(pad)
        return self.ordered(torch.convolution(x, w, b, frame.stride, pad, frame.dilation, False, none, self.group))


class ConvGradient(Convolving):
    """The gradients of a convolution: of filter, of bias unless no_bias, and of X where it is asked for.

    no_bias: there is no output dbias.
    dX: the gradient of X; left out, it is not computed.
    """

    outputs: OutputCount
    no_bias: bool = False

    def bind(self, site: object) -> None:
        super().bind(site)
        self.wants = gradient_mask(self.outputs, self.no_bias)

    def __call__(self, x: Tensor, w: Tensor, dy: Tensor | None = None) -> tuple[Tensor, ...]:
        if dy is None:
            raise EnforceNotMet("the gradient of Y is missing: the third input")
        size = self.size(x)
        x, w, frame, pad = self.prepared(x, w)
        dx, dw, db = torch.ops.aten.convolution_backward(
            self.first(dy),
            x,
            w,
            [w.shape[0]],
            frame.stride,
            pad,
            frame.dilation,
            False,
            (0,) * len(pad),
            self.group,
            self.wants,
        )
        return self.arranged(None if dx is None else frame.unpad(dx, 2, size), dw, db)


def gradient_mask(outputs: int, no_bias: bool) -> list[bool]:
    """Whether the gradients of X, filter and bias are among so many outputs: filter, bias unless no_bias, X.

    Raises EnforceNotMet for an impossible number.
    """
    least = 1 if no_bias else 2
    if not least <= outputs <= least + 1:
        raise EnforceNotMet(f"the gradient has {least} or {least + 1} outputs with no_bias={no_bias:d}, not {outputs}")
    return [outputs > least, True, not no_bias]


def filter_gradient(g: Gradient) -> Gradient:
    """The gradient of an operator on X, filter and perhaps bias: Type + "Gradient"."""
    name = f"{g.forward.type}Gradient"
    skip = any(a.name == "no_gradient_to_input" and a.i for a in g.forward.arg)
    last = "" if skip else " dX"
    if g.has("bias"):
        return g.op(f"{name}: X filter dY -> dfilter dbias{last}")
    return g.op(f"{name}: X filter dY -> dfilter{last}", no_bias=1)


for _name in NAMES:
    _axes = AXES.get(_name[4:], "")
    _types = "X filter: floating"
    op(
        f"{_name}: X filter bias? -> Y",
        gradient=filter_gradient,
        types=_types,
        engines=ENGINES,
        doc=DOC.format(axes=_axes),
    )(Conv)
    op(
        f"{_name}Gradient: X filter dY? -> dfilter dbias? dX?",
        types=_types,
        engines=ENGINES,
        doc=ConvGradient.__doc__,
    )(ConvGradient)


@op("ConvRelu: X filter bias? -> Y", types="X filter bias: floating", engines=ENGINES)
class ConvRelu(Conv):
    """The positive part of a convolution: Y = max(Conv(X, filter, bias), 0).

    X: (N, C, H, W), or (N, H, W, C) in the order NHWC.
    filter: (M, C / group, kH, kW), or (M, kH, kW, C / group) in the order NHWC.
    bias: (M); none is 0.
    Y: (N, M, H', W'), or (N, H', W', M) in the order NHWC.
    group: how many groups the channels fall into, as in Conv.
    """

    def __call__(self, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
        return super().__call__(x, w, b).relu_()
