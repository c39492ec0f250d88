"""Pooling regions of interest of an image by the maximum, and its gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Gradient, NoGradient, OutputCount, op
from caffe2.ops import demand
from caffe2.ops.native import Kernel

COMPILED = Kernel("regions", "pool", "pppppppp qqqqqq")

CHUNK = 1 << 22
"""How many elements, about, to hold at once of the maxima within columns of cells."""

Found = tuple[Tensor, Tensor]
"""Maxima, and the position of the first element that equals each."""


def _gradient(g: Gradient) -> Gradient:
    if not g.has("argmaxes"):
        raise NoGradient("RoIPool with is_test keeps no argmaxes: there is no gradient through it")
    return g.op("RoIPoolGradient: X rois argmaxes dY -> dX")


@op(
    "RoIPool: X rois -> Y argmaxes?",
    gradient=_gradient,
    types="X rois: float",
)
def roi_pool(
    x: Tensor,
    rois: Tensor,
    *,
    outputs: OutputCount,
    pooled_h: int = 1,
    pooled_w: int = 1,
    spatial_scale: float = 1.0,
    order: str = "NCHW",
    is_test: bool = False,
) -> tuple[Tensor, ...]:
    """Region of interest pooling: the maximum of X in each cell of a grid laid over each region of an image.

    Cell (i, j) of a region of h by w pixels spans its rows floor(i * h / pooled_h) to ceil((i + 1) * h / pooled_h) - 1,
    its columns likewise, as far as they lie in the image. Girshick, Fast R-CNN, 2015.

    X: (N, C, H, W).
    rois: (R, 5): rows (image, x1, y1, x2, y2); the corners are multiplied by spatial_scale and rounded to pixels, and
        both belong to the region.
    Y: (R, C, pooled_h, pooled_w); 0 where a cell is empty.
    argmaxes: of the shape of Y, int32: the position h * W + w of the first maximum in its channel of X, -1 where a cell
        is empty. Left out with is_test, required without.
    pooled_h, pooled_w: how many rows and columns of cells the grid has.
    spatial_scale: pixels of X for one unit of the coordinates in rois: 1 / 16 after layers of total stride 16.
    order: must be NCHW.
    is_test: there is no output argmaxes, and no gradient.
    """
    demand.rank(x, 4, "X")
    if order != "NCHW" or rois.dim() != 2 or rois.shape[1] != 5:
        raise EnforceNotMet(f"RoIPool takes the order NCHW and rois of 5 columns, not {order} and {tuple(rois.shape)}")
    if outputs != (1 if is_test else 2):
        raise EnforceNotMet(f"RoIPool with is_test={is_test:d} has {1 if is_test else 2} outputs, not {outputs}")
    image = rois[:, 0].long()
    demand.in_range(image, x.shape[0], "the first column of rois")
    if demand.readable(rois) and not bool(rois.isfinite().all()):
        raise EnforceNotMet(f"rois are finite, not {rois[~rois.isfinite()].tolist()[:8]}")
    x1, y1, x2, y2 = _away_from_zero(rois[:, 1:] * spatial_scale).unbind(1)
    rows, columns = _cells(y1, y2, pooled_h, x.shape[2]), _cells(x1, x2, pooled_w, x.shape[3])
    if COMPILED.serves(x, image):
        y = x.new_empty(len(rois), x.shape[1], pooled_h, pooled_w)
        at = torch.empty_like(y, dtype=torch.int32)
        cells = [t.contiguous() for t in (*rows, *columns)]
        COMPILED(x, image, *cells, y, at, len(rois), *x.shape[1:], pooled_h, pooled_w)
        return (y,) if is_test else (y, at)
    y, at = _maxima(x, image, rows, columns)
    some = (rows[1] > rows[0])[:, None, :, None] & (columns[1] > columns[0])[:, None, None, :]
    y = torch.where(some, y, 0)
    return (y,) if is_test else (y, torch.where(some, at, -1).to(torch.int32))


op("RoIPoolF: X rois -> Y argmaxes", gradient="RoIPoolFGradient: X rois argmaxes dY -> dX", types="X rois: float")(
    roi_pool
)


@op("RoIPoolFGradient: X rois argmaxes dY -> dX", types="X rois dY: float, argmaxes: int32")
@op("RoIPoolGradient: X rois argmaxes dY -> dX", types="X rois dY: float, argmaxes: int32")
def roi_pool_gradient(
    x: Tensor, rois: Tensor, argmaxes: Tensor, dy: Tensor, *, pooled_h: int = 1, pooled_w: int = 1
) -> Tensor:
    """dX at an element is the sum of the elements of dY whose argmaxes point at it; empty cells give nothing.

    X: (N, C, H, W); only its shape matters.
    rois, argmaxes: as in RoIPool.
    pooled_h, pooled_w: as in RoIPool.
    """
    demand.rank(x, 4, "X")
    demand.rank(rois, 2, "rois")
    image = rois[:, 0].long()
    demand.in_range(image, x.shape[0], "the first column of rois")
    planes, size = x.shape[1], x.shape[2] * x.shape[3]
    plane = image[:, None] * planes + torch.arange(planes, device=x.device)
    if argmaxes.shape != dy.shape or dy.shape[:2] != (len(rois), planes) or dy.dim() != 4:
        raise EnforceNotMet(f"argmaxes and dY are {(len(rois), planes)} grids, not {argmaxes.shape} and {dy.shape}")
    at = argmaxes.flatten(2).long()
    demand.in_range(at + 1, size + 1, "argmaxes, and one more,")
    flat = (plane[:, :, None] * size + at.clamp(min=0)).flatten()
    given = torch.where(at >= 0, dy.flatten(2), 0).flatten()
    return torch.zeros_like(x).flatten().index_add_(0, flat, given).view_as(x)


def _away_from_zero(x: Tensor) -> Tensor:
    """Round, halves away from zero as C does."""
    return x.sign() * (x.abs() + 0.5).floor()


def _cells(first: Tensor, last: Tensor, count: int, limit: int) -> Found:
    """Where each of `count` cells between two pixels, both included, starts and ends, within an axis of the image."""
    size = ((last - first + 1).clamp(min=1) / count)[:, None]
    k = torch.arange(count, device=first.device)
    start, end = (k * size).floor() + first[:, None], ((k + 1) * size).ceil() + first[:, None]
    return start.clamp(0, limit).long(), end.clamp(0, limit).long()


def _maxima(x: Tensor, image: Tensor, rows: Found, columns: Found) -> Found:
    """The maxima of X over cells and their positions, R C rows columns; anything for empty cells."""
    place = torch.arange(x[0, 0].numel(), device=x.device).view(1, 1, *x.shape[2:]).expand_as(x)
    wide = _doubled((x, place), 3)
    step = max(1, CHUNK // max(1, columns[0].shape[1] * x.shape[1] * x.shape[2]))
    parts = []
    for r in range(0, image.shape[0], step):
        some = slice(r, r + step)
        of_image = image[some, None].clamp(0, x.shape[0] - 1)
        strips = _query(wide, of_image, columns[0][some], columns[1][some])
        tall = _doubled(strips, 3)  # R columns C H
        every = torch.arange(strips[0].shape[0], device=x.device)[:, None]
        parts.append(_query(tall, every, rows[0][some], rows[1][some]))
    shape = (0, rows[0].shape[1], columns[0].shape[1], x.shape[1])  # R rows columns C
    v, at = ([p[k] for p in parts] or [kind.new_empty(shape)] for k, kind in enumerate((x, place)))
    return torch.cat(v).permute(0, 3, 1, 2).contiguous(), torch.cat(at).permute(0, 3, 1, 2).contiguous()


def _greater(a: Found, b: Found) -> Found:
    """The greater of two maxima; the first, a, where they are equal."""
    second = b[0] > a[0]
    return torch.where(second, b[0], a[0]), torch.where(second, b[1], a[1])


def _doubled(found: Found, axis: int) -> Found:
    """Maxima of the 1, 2, 4 ... elements that start at each along an axis, stacked: any range is two of these."""
    levels, span = [found], 1
    while 2 * span <= found[0].shape[axis]:
        a, n = levels[-1], found[0].shape[axis] - span
        head = _greater(tuple(t.narrow(axis, 0, n) for t in a), tuple(t.narrow(axis, span, n) for t in a))
        levels.append(tuple(torch.cat([h, t.narrow(axis, n, span)], axis) for h, t in zip(head, a)))
        span *= 2
    return torch.stack([v for v, _ in levels]), torch.stack([at for _, at in levels])


def _query(tables: Found, which: Tensor, start: Tensor, end: Tensor) -> Found:
    """The maxima over the ranges from start up to end along the last axis, of the doubled ones of `which` image."""
    level = (end - start).clamp(min=1).float().log2().long()
    low, high = start.clamp(max=tables[0].shape[-1] - 1), (end - (1 << level)).clamp(min=0)
    return _greater(*(tuple(t[level, which, :, :, at] for t in tables) for at in (low, high)))
