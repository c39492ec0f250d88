"""Windows as columns: Im2Col, Col2Im, and locally connected layers, whose every window has a filter of its own."""

from __future__ import annotations

from itertools import product
from math import prod

import torch.nn.functional as F
from torch import Tensor

from caffe2.opdef import EnforceNotMet, OutputCount, op
from caffe2.ops import demand
from caffe2.ops.conv.conv import Convolving, filter_gradient, gradient_mask
from caffe2.ops.window import AXES, Frame, Window


class Columns(Window):
    """What Im2Col and Col2Im settle alike."""

    def _per_axis(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        one, sides = getattr(self, name), [getattr(self, f"{name}_{side}") for side in "hw"]
        if one is None and sides == [None, None]:
            return super()._per_axis(name, default)
        given = [one if side is None else side for side in sides]  # one of them alone counts, unlike elsewhere
        return tuple(1 if n is None and name != "kernel" else n or 0 for n in given)

    def image(self, x: Tensor) -> tuple[Tensor, Frame]:
        """A view of x as N C H W, and the window."""
        demand.rank(x, 4, "X")
        return x.movedim(-1, 1) if self.last else x, self.frame(x)


@op("Im2Col: X -> Y", gradient="Col2Im: dY X -> dX", types="X: float")
class Im2Col(Columns):
    """The elements of every window of X as the channels of one pixel of Y.

    Y[n, (c * kH + i) * kW + j, y, x] = X[n, c, y * stride_h + i * dilation_h - pad_t, x * stride_w + j * dilation_w -
    pad_l], where X counts as 0 outside the image; in the order NHWC the channel of Y is (i * kW + j) * C + c.

    X: (N, C, H, W), or (N, H, W, C) in the order NHWC.
    Y: (N, C * kH * kW, H', W'), or (N, H', W', kH * kW * C) in the order NHWC, H' and W' as in Conv.
    """

    def __call__(self, x: Tensor) -> Tensor:
        x, frame = self.image(x)
        out, k = frame.out(x.shape[2:]), prod(frame.kernel)
        n, c = x.shape[:2]
        if not x.numel():
            return x.new_empty((n, *out, k * c) if self.last else (n, k * c, *out))
        columns = F.unfold(frame.pad(x, 2), frame.kernel, frame.dilation, 0, frame.stride)
        if not self.last:
            return columns.view(n, k * c, *out)
        columns = columns.view(n, c, k, *out)
        return columns.permute(0, 3, 4, 2, 1).reshape(n, *out, k * c)


@op("Col2Im: Y X -> Z", gradient="Im2Col: dZ -> dY", types="Y: float")
class Col2Im(Columns):
    """The transpose of Im2Col: each element of Z is the sum of its copies in Y.

    Y: what Im2Col makes of a blob of the shape of X.
    X: (N, C, H, W), or (N, H, W, C) in the order NHWC; only its shape matters.
    Z: of the shape of X.
    """

    def __call__(self, y: Tensor, x: Tensor) -> Tensor:
        x, frame = self.image(x)
        n, c, *size = x.shape
        out, k = frame.out(size), prod(frame.kernel)
        if y.shape != ((n, *out, k * c) if self.last else (n, k * c, *out)):
            raise EnforceNotMet(f"Y {tuple(y.shape)} does not hold the windows of X {tuple(x.shape)}, {out} of them")
        if not y.numel():
            return x.new_zeros((n, *size, c) if self.last else (n, c, *size))
        if self.last:
            y = y.view(n, *out, k, c).permute(0, 4, 3, 1, 2)
        padded = [s + head + tail for s, head, tail in zip(size, frame.head, frame.tail)]
        z = F.fold(y.reshape(n, c * k, -1), padded, frame.kernel, frame.dilation, 0, frame.stride)
        z = frame.unpad(z, 2, size)
        return z.movedim(1, -1).contiguous() if self.last else z


class Local(Convolving):
    """What a locally connected layer and its gradient settle alike."""

    def sizes(self, x: Tensor, w: Tensor) -> tuple[Frame, tuple[int, ...]]:
        """The window and the count of windows. Raises EnforceNotMet where the filters are not one for each."""
        frame = self.frame(x)
        out, channels = frame.out(self.size(x)), x.shape[-1 if self.last else 1]
        one = (*frame.kernel, channels) if self.last else (channels // self.group, *frame.kernel)
        if self.last and self.group != 1:
            raise EnforceNotMet("groups go with the order NCHW")
        axes = len(frame.kernel)
        if w.dim() != 2 * axes + 2 or w.shape[:axes] != out or tuple(w.shape[axes + 1 :]) != one:
            raise EnforceNotMet(f"filter {tuple(w.shape)} is not {(*out, 'M', *one)}")
        if channels % self.group or w.shape[axes] % self.group:
            raise EnforceNotMet(f"{channels} and {w.shape[axes]} channels do not fall into {self.group} groups")
        return frame, out

    def filters(self, w: Tensor, frame: Frame) -> Tensor:
        """The filters as windows, groups, channels out, channels in times elements."""
        axes = len(frame.kernel)
        if self.last:
            w = w.movedim(-1, axes + 1)
        return w.reshape(prod(w.shape[:axes]), self.group, w.shape[axes] // self.group, -1)

    def windows(self, x: Tensor, frame: Frame, out: tuple[int, ...]) -> Tensor:
        """The windows of x as windows, groups, samples, channels in times elements."""
        x = frame.pad(self.first(x), 2).contiguous()
        steps = x.stride()[2:]
        size = (*x.shape[:2], *out, *frame.kernel)
        strides = [s * t for s, t in zip(steps, frame.stride)] + [s * t for s, t in zip(steps, frame.dilation)]
        view = x.as_strided(size, (*x.stride()[:2], *strides))  # N C out... kernel...
        n, c = x.shape[:2]
        columns = view.reshape(n, self.group, c // self.group, prod(out), prod(frame.kernel))
        return columns.permute(3, 1, 0, 2, 4).flatten(3)


LC_DOC = """A locally connected layer{axes}: a convolution whose every window has filters and biases of its own.

Y[n, m, y, x] = bias[y, x, m] + sum over c, i, j of filter[y, x, m, c, i, j] * X[n, c, y * stride_h + i * dilation_h -
pad_t, x * stride_w + j * dilation_w - pad_l], where X counts as 0 outside the image. With another number of spatial
axes likewise.

X: (N, C, H, W), or (N, H, W, C) in the order NHWC.
filter: (H', W', M, C / group, kH, kW), or (H', W', M, kH, kW, C) in the order NHWC.
bias: (H', W', M); none is 0.
Y: (N, M, H', W'), or (N, H', W', M) in the order NHWC, H' and W' as in Conv.
group: how many groups the channels fall into, each convolved by itself; 1 in the order NHWC.
"""


class LocallyConnected(Local):
    def __call__(self, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
        frame, out = self.sizes(x, w)
        y = self.windows(x, frame, out) @ self.filters(w, frame).transpose(2, 3)  # windows groups N M
        y = y.permute(2, 1, 3, 0).flatten(1, 2).unflatten(-1, out)
        if b is not None:
            if b.shape != (*out, y.shape[1]):
                raise EnforceNotMet(f"bias {tuple(b.shape)} is not {(*out, y.shape[1])}")
            y = y + b.movedim(-1, 0)
        return self.ordered(y)


class LocallyConnectedGradient(Local):
    """The gradients of a locally connected layer: of filter, of bias unless no_bias, and of X where it is asked for.

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
        frame, out = self.sizes(x, w)
        dy = self.first(dy)
        grid = dy.reshape(dy.shape[0], self.group, dy.shape[1] // self.group, -1).permute(3, 1, 0, 2)
        dw = (grid.transpose(2, 3) @ self.windows(x, frame, out)).view(*out, dy.shape[1], -1, *frame.kernel)
        found = [dw.movedim(len(out) + 1, -1).contiguous() if self.last else dw]
        if self.wants[2]:
            found.append(dy.sum(0).movedim(0, -1).contiguous())
        if self.wants[0]:
            found.append(self._image(grid @ self.filters(w, frame), x, frame, out))
        return tuple(found)

    def _image(self, columns: Tensor, x: Tensor, frame: Frame, out: tuple[int, ...]) -> Tensor:
        """The transpose of `windows`: every element the sum of its copies."""
        x = self.first(x)
        padded = frame.pad(x, 2).shape
        columns = columns.reshape(prod(out), self.group, x.shape[0], -1, *frame.kernel).movedim(0, -1)
        columns = columns.transpose(0, 1).reshape(*padded[:2], *frame.kernel, *out)
        dx = columns.new_zeros(padded)
        for at in product(*map(range, frame.kernel)):
            starts = [i * d for i, d in zip(at, frame.dilation)]
            reach = [slice(b, b + (n - 1) * s + 1, s) for b, n, s in zip(starts, out, frame.stride)]
            dx[(..., *reach)] += columns[(slice(None), slice(None), *at)]
        return self.ordered(frame.unpad(dx, 2, x.shape[2:]))


for _name in ("LC", "LC1D", "LC2D", "LC3D"):
    _axes = AXES.get(_name[2:], "")
    op(
        f"{_name}: X filter bias? -> Y",
        gradient=filter_gradient,
        types="X filter bias: floating",
        doc=LC_DOC.format(axes=_axes),
    )(LocallyConnected)
    op(
        f"{_name}Gradient: X filter dY? -> dfilter dbias? dX?",
        types="X filter dY: floating",
        doc=LocallyConnectedGradient.__doc__,
    )(LocallyConnectedGradient)
