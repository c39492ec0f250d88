"""Deformable convolution, whose windows sample the image where an input says, and its gradient."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Gradient, OutputCount, op
from caffe2.ops import demand
from caffe2.ops.conv.conv import gradient_mask
from caffe2.ops.window import Frame, Window


class Tap(NamedTuple):
    """One of the four pixels around every sampled point, each field N by deformable groups by elements by windows."""

    pixel: Tensor  # h * W + w
    weight: Tensor
    down: Tensor  # the slope of the weight along the rows
    right: Tensor  # and along the columns


class Deforming(Window):
    """What deformable convolution and its gradient settle alike."""

    group: int = 1
    deformable_group: int = 1

    def bind(self, site: object) -> None:
        super().bind(site)
        if self.last or self.rank != 2:
            raise EnforceNotMet("deformable convolution takes images in the order NCHW")

    def settle(self, x: Tensor, offset: Tensor, w: Tensor) -> tuple[Frame, tuple[int, ...]]:
        """The window and the size of Y. Raises EnforceNotMet where the inputs do not go together."""
        demand.rank(x, 4, "X")
        frame = self.frame(x)
        out, parts = frame.out(x.shape[2:]), self.deformable_group
        if offset.shape != (x.shape[0], 2 * parts * frame.kernel[0] * frame.kernel[1], *out):
            raise EnforceNotMet(f"offset {tuple(offset.shape)} does not move {out} windows of {frame.kernel}")
        if w.dim() != 4 or w.shape[2:] != frame.kernel or x.shape[1] != w.shape[1] * self.group:
            raise EnforceNotMet(f"filter {tuple(w.shape)} does not fit X {tuple(x.shape)} and {self.group} groups")
        if x.shape[1] % parts or w.shape[0] % parts or w.shape[0] % self.group:
            raise EnforceNotMet(f"the channels {x.shape[1]} and {w.shape[0]} do not fall into {parts} groups")
        return frame, out

    def taps(self, x: Tensor, offset: Tensor, frame: Frame, out: tuple[int, ...]) -> list[Tap]:
        """The pixels around every sampled point, and how much each of them counts; points outside count nothing."""
        n, (h, w) = x.shape[0], x.shape[2:]
        moved = offset.reshape(n, self.deformable_group, -1, 2, out[0] * out[1])
        base = []
        for axis in range(2):
            k, s, d, head = (field[axis] for field in (frame.kernel, frame.stride, frame.dilation, frame.head))
            window = torch.arange(out[axis], device=x.device) * s - head
            element = torch.arange(k, device=x.device) * d
            shape = [1, 1, 1, 1]
            shape[axis], shape[2 + axis] = k, out[axis]
            grid = (element[:, None] + window).view(shape)
            base.append(grid.expand(*frame.kernel, *out).reshape(-1, out[0] * out[1]))
        row, column = moved[:, :, :, 0] + base[0], moved[:, :, :, 1] + base[1]
        inside = ((row >= 0) & (row < h) & (column >= 0) & (column < w)).to(x.dtype)
        row, column = row.clamp(0, h - 1), column.clamp(0, w - 1)
        low = (row.floor(), column.floor())
        parts = (row - low[0], column - low[1])
        found = []
        for lower, righter in product((0, 1), repeat=2):
            pixel = (low[0] + lower).clamp(max=h - 1) * w + (low[1] + righter).clamp(max=w - 1)
            down = parts[0] if lower else 1 - parts[0]
            right = parts[1] if righter else 1 - parts[1]
            slopes = (2 * lower - 1) * right * inside, (2 * righter - 1) * down * inside
            found.append(Tap(pixel.long(), down * right * inside, *slopes))
        return found

    def sampled(self, x: Tensor, tap: Tap) -> Tensor:
        """The pixels of X that a tap names: N, deformable groups, channels of each, elements, windows."""
        flat = x.reshape(x.shape[0], self.deformable_group, -1, x.shape[2] * x.shape[3])
        at = tap.pixel.flatten(2)[:, :, None].expand(-1, -1, flat.shape[2], -1)
        return flat.gather(3, at).unflatten(3, tap.pixel.shape[2:])

    def columns(self, x: Tensor, taps: list[Tap]) -> Tensor:
        """The sampled windows as columns: N, groups, channels in times elements, windows."""
        values = sum(self.sampled(x, tap) * tap.weight[:, :, None] for tap in taps)
        return values.reshape(x.shape[0], self.group, -1, values.shape[-1])


def _gradient(g: Gradient) -> Gradient:
    skip = any(a.name == "no_gradient_to_input" and a.i for a in g.forward.arg)
    last = "" if skip else " dX"
    if g.has("bias"):
        return g.op(f"DeformConvGradient: X offset filter dY -> doffset dfilter dbias{last}")
    return g.op(f"DeformConvGradient: X offset filter dY -> doffset dfilter{last}", no_bias=1)


@op(
    "DeformConv: X offset filter bias? -> Y",
    gradient=_gradient,
    types="X offset filter bias: floating",
    engines="CUDNN MKLDNN",
    differs="it runs on every device, not on CUDA alone",
)
class DeformConv(Deforming):
    """Deformable convolution: each element of each window samples X where offset moves it, bilinearly between pixels.

    Element (i, j) of the window at (y, x) samples X at the row y * stride_h + i * dilation_h - pad_t + its row offset
    and at the column x * stride_w + j * dilation_w - pad_l + its column offset, 0 outside the image; the rest is as in
    Conv. Dai et al., Deformable Convolutional Networks, 2017.

    X: (N, C, H, W); the order must be NCHW.
    offset: (N, 2 * deformable_group * kH * kW, H', W'): for each group of channels and each element of the window in
        turn its row offset and its column offset, in pixels.
    filter: (M, C / group, kH, kW).
    bias: (M); none is 0.
    Y: (N, M, H', W') with H' = (H + pad_t + pad_b - dilation_h * (kH - 1) - 1) // stride_h + 1, and W' likewise.
    group: how many groups the channels fall into, each convolved by itself.
    deformable_group: how many groups the input channels fall into, each with offsets of its own.
    """

    def __call__(self, x: Tensor, offset: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
        frame, out = self.settle(x, offset, w)
        columns = self.columns(x, self.taps(x, offset, frame, out))
        y = (w.reshape(self.group, w.shape[0] // self.group, -1) @ columns).reshape(x.shape[0], w.shape[0], *out)
        return y if b is None else y + b[:, None, None]


@op(
    "DeformConvGradient: X offset filter dY -> doffset dfilter dbias? dX?",
    types="X offset filter dY: floating",
    engines="CUDNN MKLDNN",
)
class DeformConvGradient(Deforming):
    """The gradients of a deformable convolution: offset, filter, bias unless no_bias, and X where it is asked for.

    no_bias: there is no output dbias.
    dX: the gradient of X; left out, it is not computed.
    """

    outputs: OutputCount
    no_bias: bool = False

    def bind(self, site: object) -> None:
        super().bind(site)
        self.wants = gradient_mask(self.outputs - 1, self.no_bias)

    def __call__(self, x: Tensor, offset: Tensor, w: Tensor, dy: Tensor) -> tuple[Tensor, ...]:
        frame, out = self.settle(x, offset, w)
        taps = self.taps(x, offset, frame, out)
        grid = dy.reshape(x.shape[0], self.group, w.shape[0] // self.group, -1)
        dw = (grid @ self.columns(x, taps).transpose(2, 3)).sum(0).view_as(w)
        back = w.reshape(self.group, w.shape[0] // self.group, -1).transpose(1, 2) @ grid
        dcolumns = back.reshape(x.shape[0], self.deformable_group, -1, *taps[0].pixel.shape[2:])
        down = sum((self.sampled(x, t) * dcolumns).sum(2) * t.down for t in taps)
        right = sum((self.sampled(x, t) * dcolumns).sum(2) * t.right for t in taps)
        found = [torch.stack((down, right), 3).view_as(offset), dw]
        if self.wants[2]:
            found.append(dy.sum((0, 2, 3)))
        if self.wants[0]:
            found.append(self._image(x, taps, dcolumns))
        return tuple(found)

    def _image(self, x: Tensor, taps: list[Tap], dcolumns: Tensor) -> Tensor:
        dx = x.new_zeros(x.shape[0], self.deformable_group, dcolumns.shape[2], x.shape[2] * x.shape[3])
        for tap in taps:
            at = tap.pixel.flatten(2)[:, :, None].expand(-1, -1, dx.shape[2], -1)
            dx.scatter_add_(3, at, (dcolumns * tap.weight[:, :, None]).flatten(3))
        return dx.view_as(x)
