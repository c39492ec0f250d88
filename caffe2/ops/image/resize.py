"""Resizing of images by nearest neighbours and bilinearly, and the gradients."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Op, op
from caffe2.ops import demand
from caffe2.ops.window import Axes, channels_last

aten = torch.ops.aten
NEAREST = {2: aten.upsample_nearest2d, 3: aten.upsample_nearest3d}
NEAREST_BACKWARD = {2: aten.upsample_nearest2d_backward, 3: aten.upsample_nearest3d_backward}


def scaled(size: Axes, scales: tuple[float, ...]) -> Axes:
    """A size times scales, rounded down in single precision as the original does."""
    return tuple(int(np.float32(n) * np.float32(s)) for n, s in zip(size, scales))


class Resizing(Op):
    """What the resizing operators settle alike.

    scales, an input: heights and widths are multiplied by its two numbers rather than by the arguments.
    """

    height_scale: float = 1.0
    width_scale: float = 1.0

    def bind(self, site: object) -> None:
        self.scales = self.arguments()
        self.last = False

    def arguments(self) -> tuple[float, ...]:
        """The scales that the arguments give, first axis first."""
        return self.height_scale, self.width_scale

    def scales_for(self, x: Tensor, given: Tensor | None) -> tuple[float, ...]:
        """The scale of each spatial axis. Raises EnforceNotMet where one is not positive or X has other axes."""
        demand.rank(x, 2 + len(self.scales), "X")
        if given is not None and given.numel() != 2:
            raise EnforceNotMet(f"scales holds two numbers, for height and width, not {given.numel()}")
        scales = self.scales if given is None else tuple(given.tolist())
        if not all(s > 0 for s in scales):
            raise EnforceNotMet(f"the scales are {scales}; they must be positive")
        return scales

    def first(self, x: Tensor) -> Tensor:
        """A view of x with its channels before the spatial axes."""
        return x.movedim(-1, 1) if self.last else x

    def ordered(self, y: Tensor) -> Tensor:
        """y, its channels before the spatial axes, in the operator's order."""
        return y.movedim(1, -1).contiguous() if self.last else y


class Nearest(Resizing):
    """What the operators that resize by nearest neighbours settle alike."""

    order: str = "NCHW"

    def bind(self, site: object) -> None:
        super().bind(site)
        self.last = channels_last(self.order)


def _exact(scales: tuple[float, ...]) -> bool:
    """Whether multiplying by one over each scale, as torch does, equals dividing by it."""
    return all(math.frexp(s)[0] == 0.5 for s in scales)


def _sources(count: int, scale: float, limit: int, device: torch.device) -> Tensor:
    """The index of the element that each of `count` is copied from."""
    at = torch.arange(count, dtype=torch.float32, device=device)
    return (at / torch.full_like(at, scale)).long().clamp(max=limit - 1)


@op(
    "ResizeNearest: X scales? -> Y",
    gradient="ResizeNearestGradient: dY X scales -> dX",
    host="scales",
    types="X scales: float",
)
class ResizeNearest(Nearest):
    """Images resized by the nearest pixel: Y[n, c, i, j] = X[n, c, floor(i / height_scale), floor(j / width_scale)].

    X: (N, C, H, W), or (N, H, W, C) in the order NHWC.
    scales: (2): the scales of height and width, instead of the arguments.
    Y: (N, C, floor(H * height_scale), floor(W * width_scale)), or with C last.
    height_scale, width_scale: by how much rows and columns become more.
    """

    def __call__(self, x: Tensor, scales: Tensor | None = None) -> Tensor:
        by = self.scales_for(x, scales)
        x = self.first(x)
        size = scaled(x.shape[2:], by)
        if _exact(by) and x.numel() and 0 not in size:
            return self.ordered(NEAREST[len(by)](x, size, *by))
        for axis, (count, scale) in enumerate(zip(size, by), 2):
            x = x.index_select(axis, _sources(count, scale, x.shape[axis], x.device))
        return self.ordered(x)


@op("ResizeNearestGradient: dY X scales? -> dX", host="scales", types="dY X scales: float")
class ResizeNearestGradient(Nearest):
    """dX is the sum of the elements of dY that were copied from each element of X."""

    def __call__(self, dy: Tensor, x: Tensor, scales: Tensor | None = None) -> Tensor:
        by = self.scales_for(x, scales)
        dy, size = self.first(dy), self.first(x).shape
        if dy.dim() != x.dim() or dy.shape[:2] != size[:2]:
            raise EnforceNotMet(f"dY {tuple(dy.shape)} is no gradient of a resized X {tuple(x.shape)}")
        if _exact(by) and dy.numel() and dy.shape[2:] == scaled(size[2:], by):
            return self.ordered(NEAREST_BACKWARD[len(by)](dy, dy.shape[2:], size, *by))
        for axis, scale in enumerate(by, 2):
            at = _sources(dy.shape[axis], scale, size[axis], dy.device)
            shape = (*dy.shape[:axis], size[axis], *dy.shape[axis + 1 :])
            dy = dy.new_zeros(shape).index_add_(axis, at, dy)
        return self.ordered(dy)


class Volume(Nearest):
    """Nearest neighbours in volumes."""

    temporal_scale: float = 1.0

    def arguments(self) -> tuple[float, ...]:
        return self.temporal_scale, self.height_scale, self.width_scale


@op(
    "ResizeNearest3D: X -> Y",
    gradient="ResizeNearest3DGradient: dY X -> dX",
    types="X: float",
    differs="any scales are taken, and both orders; the original doubles, in the order NCHW",
)
class ResizeNearest3D(Volume, ResizeNearest):
    """Y[n, c, t, i, j] = X[n, c, floor(t / temporal_scale), floor(i / height_scale), floor(j / width_scale)].

    X: (N, C, T, H, W), or (N, T, H, W, C) in the order NHWC.
    Y: with each size times its scale, rounded down.
    temporal_scale, height_scale, width_scale: by how much frames, rows and columns become more.
    """

    def __call__(self, x: Tensor) -> Tensor:
        return super().__call__(x)


@op("ResizeNearest3DGradient: dY X -> dX", types="dY X: float")
class ResizeNearest3DGradient(Volume, ResizeNearestGradient):
    """dX is the sum of the elements of dY that were copied from each element of X."""

    def __call__(self, dy: Tensor, x: Tensor) -> Tensor:
        return super().__call__(dy, x)


@op(
    "UpsampleBilinear: X scales? -> Y",
    gradient="UpsampleBilinearGradient: dY X scales -> dX",
    host="scales",
    types="X scales: float",
)
class UpsampleBilinear(Resizing):
    """Images resized by bilinear interpolation, corners falling on corners.

    X: (N, C, H, W).
    scales: (2): the scales of height and width, instead of the arguments.
    Y: (N, C, floor(H * height_scale), floor(W * width_scale)).
    height_scale, width_scale: by how much rows and columns become more.
    """

    def __call__(self, x: Tensor, scales: Tensor | None = None) -> Tensor:
        size = scaled(x.shape[2:], self.scales_for(x, scales))
        if not x.numel() or 0 in size:
            return x.new_empty(*x.shape[:2], *size)
        return aten.upsample_bilinear2d(x, size, True)


@op("UpsampleBilinearGradient: dY X scales? -> dX", host="scales", types="dY X scales: float")
class UpsampleBilinearGradient(Resizing):
    """dX is the transpose of bilinear interpolation applied to dY."""

    def __call__(self, dy: Tensor, x: Tensor, scales: Tensor | None = None) -> Tensor:
        if not dy.numel():
            return torch.zeros_like(x)
        if dy.dim() != 4 or dy.shape[:2] != x.shape[:2]:
            raise EnforceNotMet(f"dY {tuple(dy.shape)} is no gradient of a resized X {tuple(x.shape)}")
        return aten.upsample_bilinear2d_backward(dy, dy.shape[2:], x.shape, True)


@op("UpsampleNearest: X -> Y", gradient="UpsampleNearestGradient: X dY -> dX", types="X: floating")
def upsample_nearest(x: Tensor, *, scale: int = 2) -> Tensor:
    """Every pixel repeated: Y[n, c, i, j] = X[n, c, floor(i / scale), floor(j / scale)].

    X: (N, C, H, W).
    Y: (N, C, H * scale, W * scale).
    scale: how many times along each axis, a whole number.
    """
    demand.rank(x, 4, "X")
    if scale < 1:
        raise EnforceNotMet(f"scale is {scale}; it must be positive")
    n, c, h, w = x.shape
    return x[:, :, :, None, :, None].expand(n, c, h, scale, w, scale).reshape(n, c, h * scale, w * scale).contiguous()


@op("UpsampleNearestGradient: X dY -> dX", types="X dY: floating")
def upsample_nearest_gradient(x: Tensor, dy: Tensor, *, scale: int = 2) -> Tensor:
    """dX is the sum of each scale x scale block of dY."""
    n, c, h, w = x.shape
    if dy.shape != (n, c, h * scale, w * scale):
        raise EnforceNotMet(f"dY {tuple(dy.shape)} is not X {tuple(x.shape)} scaled by {scale}")
    return dy.reshape(n, c, h, scale, w, scale).sum((3, 5))
