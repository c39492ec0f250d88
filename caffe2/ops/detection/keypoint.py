"""Keypoints from heat maps, and regions for image retrieval."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import REFUSED, EnforceNotMet, op
from caffe2.ops import demand

FARTHEST = 1.5
"""How far, in pixels along an axis, a fitted maximum may lie from the largest pixel."""


@op("HeatmapMaxKeypoint: heatmaps bboxes -> keypoints", gradient=REFUSED, types="heatmaps bboxes: float")
def heatmap_max_keypoint(heatmaps: Tensor, boxes: Tensor, *, should_output_softmax: bool = False) -> Tensor:
    """Where each heat map has its maximum, fitted by a quadratic about its largest pixel, in the pixels of its box.

    Beyond a border the map is mirrored about the pixel; a fit without a clear maximum is dropped, and one further than
    1.5 pixels away is shortened.

    heatmaps: (R, K, S, S): K maps for each box.
    bboxes: (R, 4) or more columns: rows (x1, y1, x2, y2, ...).
    keypoints: (R, 4, K): x, y, the fitted value and the probability, 0 without should_output_softmax.
    should_output_softmax: the probability of a keypoint is the softmax of its map at the largest pixel.
    """
    demand.rank(heatmaps, 4, "heatmaps")
    demand.rank(boxes, 2, "bboxes")
    r, k, size, wide = heatmaps.shape
    if size != wide or size < 2 or len(boxes) != r or boxes.shape[1] < 4:
        raise EnforceNotMet(f"heatmaps {tuple(heatmaps.shape)} are square, two pixels at least, one for each of bboxes")
    flat = heatmaps.flatten(2)
    best, at = flat.max(2)
    row, column = at // size, at % size
    f = {(i, j): _pixel(flat, row, column, i, j, size) for i in (-1, 0, 1) for j in (-1, 0, 1)}
    slope = (f[0, -1] - f[0, 1]) / 2, (f[-1, 0] - f[1, 0]) / 2  # minus the gradient
    xx, yy = f[0, -1] - 2 * best + f[0, 1], f[-1, 0] - 2 * best + f[1, 0]
    xy = (f[1, 1] - f[1, -1] - f[-1, 1] + f[-1, -1]) / 4
    det = xx * yy - xy * xy
    clear = det.abs() >= 1e-4
    safe = torch.where(clear, det, 1)
    dx, dy = (yy * slope[0] - xy * slope[1]) / safe, (xx * slope[1] - xy * slope[0]) / safe
    far = (torch.maximum(dx.abs(), dy.abs()) / FARTHEST).clamp(min=1)
    dx, dy = torch.where(clear, dx / far, 0), torch.where(clear, dy / far, 0)
    value = best - slope[0] * dx - slope[1] * dy + (xx * dx * dx + 2 * xy * dx * dy + yy * dy * dy) / 2
    side = (boxes[:, 2:4] - boxes[:, :2]).clamp(min=1) / size
    x, y = (boxes[:, a, None] + (0.5 + b + d) * side[:, a, None] for a, b, d in ((0, column, dx), (1, row, dy)))
    share = (best - flat.logsumexp(2)).exp() if should_output_softmax else torch.zeros_like(best)
    return torch.stack([x, y, value, share], 1)


def _pixel(flat: Tensor, row: Tensor, column: Tensor, i: int, j: int, size: int) -> Tensor:
    """The pixel i rows and j columns away, or as far on the other side where that is beyond the border."""
    i, j = (torch.where((a + d < 0) | (a + d >= size), -d, d) for a, d in ((row, i), (column, j)))
    return flat.gather(2, ((row + i) * size + column + j)[:, :, None])[:, :, 0]


@op("RMACRegions: X -> RMAC_REGIONS", types="X: fixed", gradient=REFUSED)
def rmac_regions(x: Tensor, *, scales: int = 3, overlap: float = 0.4) -> Tensor:
    """Square regions that cover an image in several sizes (Tolias, Sicre and Jegou, 2016).

    Those of scale l = 1, 2, ... are 2 min(H, W) / (l + 1) wide, and as many along the longer side as make neighbours
    overlap by the fraction `overlap` as nearly as can be.

    X: (N, C, H, W); only its shape matters.
    RMAC_REGIONS: (R, 5): rows (image, x1, y1, x2, y2).
    scales: how many sizes.
    overlap: the fraction by which neighbours should overlap.
    """
    demand.rank(x, 4, "X")
    if not x.numel():
        return x.new_empty(0, 5, dtype=torch.float32)
    n, _, h, w = x.shape
    regions = torch.tensor(_regions(h, w, scales, overlap), device=x.device).reshape(-1, 4)
    image = torch.arange(n, dtype=torch.float32, device=x.device).repeat_interleave(len(regions))
    return torch.cat([image[:, None], regions.repeat(n, 1)], 1)


def _regions(h: int, w: int, scales: int, overlap: float) -> list[tuple[float, ...]]:
    """The regions of one image, positions and shares rounded to single precision as the original does."""
    short, extra = min(h, w), 0
    if h != w:
        far = [np.float32((max(h, w) - short) / k) for k in range(1, 7)]
        extra = 1 + int(
            np.argmin([abs((short * short - short * b) / (short * short) - np.float32(overlap)) for b in far])
        )
    found = []
    for level in range(1, scales + 1):
        size = 2 * short // (level + 1)
        if not size:
            break
        counts = [level + extra * (longer > other) for longer, other in ((w, h), (h, w))]
        steps = [np.float32((side - size) / (c - 1)) if c > 1 else 0 for side, c in zip((w, h), counts)]
        for i in range(counts[0]):
            for j in range(counts[1]):
                left, top = (min(int(s * k), side - size) for s, k, side in zip(steps, (i, j), (w, h)))
                found.append((float(left), float(top), float(left + size - 1), float(top + size - 1)))
    return found
