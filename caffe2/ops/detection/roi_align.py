"""Pooling regions of interest by bilinear samples, upright and rotated regions, and the gradients."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Gradient, NoGradient, Op, op
from caffe2.ops import demand
from caffe2.ops.native import Kernel
from caffe2.ops.window import channels_last

COMPILED = Kernel("regions", "align", "ppp qqqq qq fq")
MOST = 1 << 12
"""Samples along one side of a bin, beyond which a region is no region that a compiled kernel should go through."""


class Grid(NamedTuple):
    """Where regions are sampled, each field regions by rows and columns of bins by samples."""

    row: Tensor
    column: Tensor
    weight: Tensor


class Aligning(Op):
    """What the operators on regions settle alike.

    spatial_scale: pixels of X for one unit of the coordinates in RoIs.
    pooled_h, pooled_w: how many rows and columns of bins the grid has.
    sampling_ratio: how many rows and columns of samples a bin has; if not positive, as many as it is pixels high and
        wide, rounded up.
    aligned: pixel centers lie at halves, and regions may be smaller than a pixel.
    order: NCHW: channels before the spatial axes; NHWC: after them.
    """

    spatial_scale: float = 1.0
    pooled_h: int = 1
    pooled_w: int = 1
    sampling_ratio: int = -1
    aligned: bool = False
    order: str = "NCHW"
    _columns = 4
    _centre = 0.0  # where the origin of a region lies, as a share of its sides

    def bind(self, site: object) -> None:
        self.last = channels_last(self.order)
        if min(self.pooled_h, self.pooled_w) < 1:
            raise EnforceNotMet(f"there must be bins; pooled_h and pooled_w are {self.pooled_h} and {self.pooled_w}")

    def taps(self, shape: torch.Size, rois: Tensor) -> tuple[Tensor, Tensor]:
        """The pixels n * H * W + h * W + w, of N C H W, that each bin of each region adds up, and their weights.

        Both are R * pooled_h * pooled_w by pixels. Raises EnforceNotMet for regions of other images.
        """
        n, _, h, w = shape
        image = self._check(shape, rois)
        grid = self.grid(rois[:, -self._columns :])
        inside = (grid.row >= -1) & (grid.row <= h) & (grid.column >= -1) & (grid.column <= w)
        weight = torch.where(inside, grid.weight, 0)
        base = (image.clamp(0, max(n - 1, 0)) * (h * w))[:, None, None, None]
        found = []
        for i, y in _neighbours(grid.row, h):
            for j, x in _neighbours(grid.column, w):
                found.append((base + i * w + j, weight * y * x))
        bins = len(rois) * self.pooled_h * self.pooled_w
        pixels, weights = (torch.cat(part, 3).reshape(bins, sum(p.shape[3] for p in part)) for part in zip(*found))
        return pixels, weights

    def _check(self, shape: torch.Size, rois: Tensor) -> Tensor:
        """The image of each region. Raises EnforceNotMet for regions of other images."""
        if len(shape) != 4 or rois.dim() != 2 or rois.shape[1] not in (self._columns, self._columns + 1):
            raise EnforceNotMet(f"X {tuple(shape)} has 4 dimensions, RoIs {tuple(rois.shape)} {self._columns} columns")
        image = rois[:, 0].long() if rois.shape[1] > self._columns else rois.new_zeros(len(rois)).long()
        demand.in_range(image, shape[0], "the first column of RoIs")
        return image

    def placed(self, rois: Tensor) -> tuple[Tensor | None, ...]:
        """Row and column of the origins of regions without the index of their image, height, width, and turn."""
        raise NotImplementedError

    def grid(self, rois: Tensor) -> Grid:
        """Where regions without the index of their image are sampled."""
        y, x, high, wide, turn = self.placed(rois)
        row, column, weight = self.samples(high, wide)
        down, right = (row - self._centre) * _wide(high), (column - self._centre) * _wide(wide)
        if turn is None:
            return Grid(down + _wide(y), right + _wide(x), weight)
        cos, sin = _wide(turn.cos()), _wide(turn.sin())
        return Grid(down * cos - right * sin + _wide(y), right * cos + down * sin + _wide(x), weight)

    def samples(self, high: Tensor, wide: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The places of samples within regions of sizes R, as shares of a size, and each one's weight.

        Each bin has sampling_ratio rows and columns of samples, or as many as it is pixels high and wide, rounded up.
        """
        places, counts, used = [], [], []
        for size, bins in ((high, self.pooled_h), (wide, self.pooled_w)):
            count = torch.full_like(size, self.sampling_ratio)
            most = self.sampling_ratio
            if most <= 0:
                count = (size / bins).ceil().clamp(min=0)
                most = int(count.max()) if len(size) else 0
            k = torch.arange(max(most, 1), device=size.device)
            share = (k + 0.5) / count.clamp(min=1)[:, None, None]
            places.append((torch.arange(bins, device=size.device)[:, None] + share) / bins)
            counts.append(count)
            used.append(k < count[:, None])
        shape = (len(high), self.pooled_h, self.pooled_w, used[0].shape[1], used[1].shape[1])
        row, column = places[0][:, :, None, :, None].expand(shape), places[1][:, None, :, None, :].expand(shape)
        each = 1 / (counts[0] * counts[1]).clamp(min=1)
        weight = torch.where(used[0][:, :, None] & used[1][:, None], each[:, None, None], 0)
        return row.flatten(3), column.flatten(3), weight[:, None, None].expand(shape).flatten(3)

    def pooled(self, x: Tensor, rois: Tensor) -> Tensor:
        """The weighted sums of pixels of all bins: R C pooled_h pooled_w."""
        if x.dtype == rois.dtype == torch.float32 and x.numel() and _served(x, rois):
            y = self._compiled(x, rois)
            if y is not None:
                return y
        pixels, weights = self.taps(x.shape, rois)
        y = x.new_empty(len(rois), self.pooled_h, self.pooled_w, x.shape[1])
        if y.numel():
            rows = x.movedim(1, -1).flatten(0, -2)
            y = F.embedding_bag(pixels, rows, per_sample_weights=weights, mode="sum").view(y.shape)
        return y.contiguous() if self.last else y.movedim(-1, 1).contiguous()

    def _compiled(self, x: Tensor, rois: Tensor) -> Tensor | None:
        """`pooled` by a compiled kernel; None where regions are so large that they make no sense."""
        self._check(x.shape, rois)
        y, x0, high, wide, turn = self.placed(rois[:, -self._columns :])
        counts = [torch.full_like(high, self.sampling_ratio)] * 2
        if self.sampling_ratio > MOST:
            raise EnforceNotMet(f"sampling_ratio is at most {MOST}, not {self.sampling_ratio}")
        if self.sampling_ratio <= 0:
            sides = (high / self.pooled_h, wide / self.pooled_w)
            counts = [side.ceil().clamp(min=0) for side in sides]
        image = rois[:, 0] if rois.shape[1] > self._columns else torch.zeros_like(high)
        cos, sin = (torch.ones_like(high), torch.zeros_like(high)) if turn is None else (turn.cos(), turn.sin())
        regions = torch.stack([image, y, x0, high, wide, cos, sin, *counts], 1)
        if not bool((regions.isfinite() & (regions[:, 7:].amax(1, keepdim=True) <= MOST)).all()):
            return None
        c, h, w = x.shape[1:]
        bins = self.pooled_h, self.pooled_w
        made = x.new_empty(len(rois), *bins, c) if self.last else x.new_empty(len(rois), c, *bins)
        rows = x.movedim(1, -1).contiguous()
        if made.numel():
            COMPILED(rows, regions, made, len(rois), c, h, w, *bins, self._centre, self.last)
        return made

    def spread(self, x: Tensor, rois: Tensor, dy: Tensor) -> Tensor:
        """The transpose of `pooled`."""
        n, c, h, w = x.shape
        pixels, weights = self.taps(x.shape, rois)
        rows = dy.movedim(1, -1).flatten(0, -2)
        dx = x.new_zeros(n * h * w, c)
        for k in range(pixels.shape[1]):
            dx.index_add_(0, pixels[:, k], rows * weights[:, k, None])
        return dx.view(n, h, w, c).movedim(-1, 1).contiguous()


def _served(x: Tensor, rois: Tensor) -> bool:
    """Whether the compiled kernel takes them: x is put in order, and so need not be contiguous."""
    return not x.requires_grad and demand.readable(x) and COMPILED.serves(rois)


def _neighbours(at: Tensor, size: int) -> tuple[tuple[Tensor, Tensor], ...]:
    """The two pixels of an axis around places, which are brought within it, and how much of each."""
    at = at.clamp(0, size - 1)
    low = at.floor()
    part = at - low
    return (low.long(), 1 - part), ((low + 1).clamp(max=size - 1).long(), part)


class Upright(Aligning):
    """Regions (x1, y1, x2, y2)."""

    def placed(self, rois: Tensor) -> tuple[Tensor | None, ...]:
        x1, y1, x2, y2 = (rois * self.spatial_scale - 0.5 * self.aligned).unbind(1)
        return y1, x1, *self._sides(y2 - y1, x2 - x1), None

    def _sides(self, high: Tensor, wide: Tensor) -> tuple[Tensor, Tensor]:
        """The sides of regions, at least a pixel unless aligned. Raises EnforceNotMet for negative ones if aligned."""
        if not self.aligned:
            return high.clamp(min=1), wide.clamp(min=1)
        least = torch.minimum(high, wide)
        if demand.readable(least) and len(least) and float(least.min()) < 0:
            raise EnforceNotMet(f"RoIs holds a region with the negative side {float(least.min())}")
        return high, wide


class Rotated(Upright):
    """Regions (centre x, centre y, width, height, counter-clockwise degrees)."""

    _columns = 5
    _centre = 0.5

    def placed(self, rois: Tensor) -> tuple[Tensor | None, ...]:
        x, y = (rois[:, :2] * self.spatial_scale - 0.5 * self.aligned).unbind(1)
        wide, high = (rois[:, 2:4] * self.spatial_scale).unbind(1)
        return y, x, *self._sides(high, wide), rois[:, 4] * (math.pi / 180)


def _wide(values: Tensor) -> Tensor:
    """One value a region, to go with all samples of each."""
    return values[:, None, None, None]


class Align(Aligning):
    def __call__(self, x: Tensor, rois: Tensor) -> Tensor:
        return self.pooled(x.movedim(-1, 1) if self.last else x, rois)


class AlignGradient(Aligning):
    """The gradient of X: each element of dY goes to the pixels that it is a weighted sum of, as much as their weights.

    X and dY are read as N C H W whatever `order` says, as the original reads them; what dY is short of counts as 0.
    """

    def __call__(self, x: Tensor, rois: Tensor, dy: Tensor) -> Tensor:
        demand.rank(x, 4, "X")
        shape = (len(rois), x.shape[1], self.pooled_h, self.pooled_w)
        if self.last:
            dy = F.pad(dy.flatten(), (0, math.prod(shape) - dy.numel())).view(shape)
        if dy.shape != shape:
            raise EnforceNotMet(f"dY {tuple(dy.shape)} is not {shape}, a grid for each region and channel")
        return self.spread(x, rois, dy)


def _gradient(g: Gradient) -> Gradient:
    if g.arg("order", "NCHW").upper() == "NHWC":
        raise NoGradient(f"{g.forward.type} has a gradient in the order NCHW alone")
    return g.op(f"{g.forward.type}Gradient: X RoIs dY -> dX")


def _shape(x: Tensor, rois: Tensor, pooled_h: int = 1, pooled_w: int = 1, order: str = "NCHW") -> Tensor | None:
    if x is None or rois is None:
        return None
    if channels_last(order):
        return x.new_empty(rois.shape[0], pooled_h, pooled_w, x.shape[-1])
    return x.new_empty(rois.shape[0], x.shape[1], pooled_h, pooled_w)


DOC = """The mean of bilinear samples of X in each bin of a grid laid over each region. {source}

Samples further than a pixel outside of the image count as 0.

X: (N, C, H, W), or (N, H, W, C) in the order NHWC.
RoIs: (R, {columns}): rows ({region}), multiplied by spatial_scale; or one column more with the index of the image
    first.
Y: (R, C, pooled_h, pooled_w), or (R, pooled_h, pooled_w, C) in the order NHWC.
"""
KINDS = (
    ("RoIAlign", Upright, 4, "x1, y1, x2, y2", "He et al., Mask R-CNN, 2017."),
    ("RoIAlignRotated", Rotated, 5, "x, y, width, height, degrees", "Regions are turned counter-clockwise about x, y."),
)
for _name, _kind, _columns, _region, _source in KINDS:
    op(
        f"{_name}: X RoIs -> Y",
        gradient=_gradient,
        shape=_shape,
        types="X RoIs: float",
        doc=DOC.format(columns=_columns, region=_region, source=_source),
    )(type(_name, (_kind, Align), {}))
    op(f"{_name}Gradient: X RoIs dY -> dX", like="X", types="X RoIs dY: float", doc=AlignGradient.__doc__)(
        type(f"{_name}Gradient", (_kind, AlignGradient), {})
    )
