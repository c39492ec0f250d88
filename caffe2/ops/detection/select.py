"""Selecting what a detector is trained on: samples by label, corners of images; and position-sensitive pooling."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.opdef import UNKNOWN, EnforceNotMet, op
from caffe2.ops import demand


def _positive(x: Tensor, labels: Tensor) -> Tensor:
    demand.rank(labels, 1, "labels")
    demand.same_rows(x, labels, "X and labels")
    return labels > 0


@op(
    "SampleAs: X labels -> Y",
    gradient="SampleAsGradient: X labels dY -> dX",
    shape=UNKNOWN,
    types="X: float, labels: int32",
)
def sample_as(x: Tensor, labels: Tensor) -> Tensor:
    """The rows of X whose label is positive, in order.

    X: (N, ...).
    labels: (N), int32.
    Y: (K, ...), K the number of positive labels.
    """
    return x[_positive(x, labels)]


@op("SampleAsGradient: X labels dY -> dX", like="X", types="X dY: float, labels: int32")
def sample_as_gradient(x: Tensor, labels: Tensor, dy: Tensor) -> Tensor:
    """dX has the rows of dY where the label is positive, and zeros elsewhere."""
    at = _positive(x, labels).nonzero()[:, 0]
    if len(dy) != len(at):
        raise EnforceNotMet(f"{len(at)} labels are positive but dY has {len(dy)} rows")
    return torch.zeros_like(x).index_copy_(0, at, dy)


def _corner(a: Tensor, b: Tensor) -> None:
    if a.dim() != 4 or b.dim() != 4 or a.shape[0] != b.shape[0] or any(m < n for m, n in zip(a.shape[2:], b.shape[2:])):
        raise EnforceNotMet(f"A {tuple(a.shape)} has no corner like B {tuple(b.shape)}")


@op(
    "SpatialNarrowAs: A B -> C",
    gradient="SpatialNarrowAsGradient: A B dC -> dA",
    types="A: float int32",
)
def spatial_narrow_as(a: Tensor, b: Tensor) -> Tensor:
    """The top left corner of A that is as high and wide as B.

    A: (N, C, H, W).
    B: (N, C', H', W'); only its height and width matter.
    C: (N, C, H', W').
    """
    _corner(a, b)
    return a[:, :, : b.shape[2], : b.shape[3]].clone(memory_format=torch.contiguous_format)


@op("SpatialNarrowAsGradient: A B dC -> dA", types="A dC: float int32")
def spatial_narrow_as_gradient(a: Tensor, b: Tensor, dc: Tensor) -> Tensor:
    """dA is dC with zeros below and to the right."""
    _corner(a, b)
    return F.pad(dc, (0, a.shape[3] - b.shape[3], 0, a.shape[2] - b.shape[2]))


def _cells(rois: Tensor, first: int, scale: float, count: int, limit: int) -> tuple[Tensor, Tensor]:
    """Where each of `count` cells of every region starts and ends along an axis of an image."""
    start, end = (rois[:, k].abs().add(0.5).floor().copysign(rois[:, k]) for k in (first, first + 2))  # halves go out
    rounded = start, end + 1
    start, end = rounded[0] * scale, rounded[1] * scale
    size = ((end - start).clamp(min=0.1) / count)[:, None]
    k = torch.arange(count, device=rois.device)
    low, high = (k * size + start[:, None]).floor(), ((k + 1) * size + start[:, None]).ceil()
    return low.clamp(0, limit).long(), high.clamp(0, limit).long()


def _corners(x: Tensor, rois: Tensor, scale: float, cells: int, planes: int) -> tuple[Tensor, Tensor, Tensor]:
    """For each region, plane, row and column of cells: the positions of the four corners of the cell in running sums of
    X with a row and column of zeros before, the cell's area (or 1), and its channel.
    """
    demand.rank(x, 4, "X")
    n, c, h, w = x.shape
    if cells < 1 or planes * cells * cells > c or rois.dim() != 2 or rois.shape[1] != 5:
        raise EnforceNotMet(f"{planes} planes of {cells} x {cells} cells do not fit X {tuple(x.shape)} and rois of 5")
    image = rois[:, 0].long()
    demand.in_range(image, n, "the first column of rois")
    top, bottom = (e[:, None, :, None] for e in _cells(rois, 2, scale, cells, h))
    left, right = (e[:, None, None, :] for e in _cells(rois, 1, scale, cells, w))
    k = torch.arange(cells, device=x.device)
    channel = (torch.arange(planes, device=x.device)[:, None, None] * cells + k[:, None]) * cells + k
    base = (image.clamp(0, max(n - 1, 0))[:, None, None, None] * c + channel) * ((h + 1) * (w + 1))
    bottom, right = torch.maximum(bottom, top), torch.maximum(right, left)
    at = [base + row * (w + 1) + column for row, column in ((bottom, right), (top, left), (top, right), (bottom, left))]
    area = ((bottom - top) * (right - left)).clamp(min=1)
    return torch.stack(at), area, channel.expand(at[0].shape)


@op(
    "PSRoIPool: X rois -> Y mapping_channel",
    gradient="PSRoIPoolGradient: X rois mapping_channel dY -> dX",
    types="X rois: float",
)
def ps_roi_pool(
    x: Tensor, rois: Tensor, *, group_size: int, output_dim: int, spatial_scale: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Position-sensitive region pooling: means over cells of a grid on each region, each from its own channel.

    Cell (i, j) of plane k comes from channel (k * group_size + i) * group_size + j. Coordinates are rounded and then
    scaled, and last pixels belong to the region. Dai et al., R-FCN, 2016.

    X: (N, output_dim * group_size^2, H, W).
    rois: (R, 5): rows (image, x1, y1, x2, y2).
    Y: (R, output_dim, group_size, group_size); 0 where a cell is empty.
    mapping_channel: of the shape of Y, int32: the channel of each cell.
    group_size: how many cells lie along each side of a region.
    output_dim: how many channels Y has.
    spatial_scale: pixels of X for one unit of the coordinates in rois.
    """
    at, area, channel = _corners(x, rois, spatial_scale, group_size, output_dim)
    sums = F.pad(x.double().cumsum(2).cumsum(3), (1, 0, 1, 0)).flatten()
    a, b, c, d = sums[at].unbind(0)
    return ((a + b - c - d) / area).to(x.dtype), channel.to(torch.int32).contiguous()


@op("PSRoIPoolGradient: X rois mapping_channel dY -> dX", types="X rois dY: float, mapping_channel: int32")
def ps_roi_pool_gradient(
    x: Tensor,
    rois: Tensor,
    mapping_channel: Tensor,
    dy: Tensor,
    *,
    group_size: int,
    output_dim: int,
    spatial_scale: float = 1.0,
) -> Tensor:
    """dX gets each element of dY, over the cell's area, at all pixels of the cell."""
    at, area, _ = _corners(x, rois, spatial_scale, group_size, output_dim)
    n, c, h, w = x.shape
    each = (dy / area).double()
    steps = x.new_zeros(n * c * (h + 1) * (w + 1), dtype=torch.float64)
    for place, sign in zip(at, (1, 1, -1, -1)):
        steps.index_add_(0, place.flatten(), (sign * each).flatten())
    return steps.view(n, c, h + 1, w + 1).cumsum(2).cumsum(3)[:, :, :h, :w].to(x.dtype).contiguous()
