"""Overlaps of boxes and the suppression of those that overlap a better one: greedy, and by lowering scores."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from caffe2.ops.native import Kernel

COMPILED = Kernel("boxes", "suppress", "ppqfqfpp")
COMPILED_SOFT = Kernel("boxes", "soften", "pppqqffffpp")
BLOCK = {4: 1024, 5: 64}
"""How many boxes to compare with all others at once, by the columns of a box."""


def overlaps(a: Tensor, b: Tensor, plus: int = 1) -> Tensor:
    """Intersection over union of all boxes of two lists, upright (x1 y1 x2 y2) or rotated (x y w h degrees)."""
    if a.shape[1] == 5:
        both = _intersections(a.double(), b.double()).to(a.dtype)
        sizes = [(x[:, 2] * x[:, 3]) for x in (a, b)]
    else:
        low, high = torch.maximum(a[:, None, :2], b[:, :2]), torch.minimum(a[:, None, 2:], b[:, 2:])
        both = (high - low + plus).clamp(min=0).prod(-1)
        sizes = [(x[:, 2:] - x[:, :2] + plus).prod(-1) for x in (a, b)]
    return both / (sizes[0][:, None] + sizes[1] - both)


def _corners(boxes: Tensor) -> Tensor:
    """The corners of rotated boxes in turn: N 4 2."""
    angle = boxes[:, 4] * (math.pi / 180)
    along = torch.stack([angle.cos(), -angle.sin()], 1) * boxes[:, 2:3] / 2
    across = torch.stack([angle.sin(), angle.cos()], 1) * boxes[:, 3:4] / 2
    return boxes[:, None, :2] + torch.stack([-along - across, along - across, along + across, across - along], 1)


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _inside(points: Tensor, corners: Tensor) -> Tensor:
    """Which points (... 4 2) lie in or on rectangles (... 4 2), a hair's breadth allowed for rounding."""
    origin = corners[..., :1, :]
    found = True
    for side in (corners[..., 1:2, :] - origin, corners[..., 3:4, :] - origin):
        length = (side * side).sum(-1)
        reach = ((points - origin) * side).sum(-1)
        slack = 1e-9 * (length + 1)
        found = found & (reach >= -slack) & (reach <= length + slack)
    return found


def _intersections(a: Tensor, b: Tensor) -> Tensor:
    """The areas that all rotated boxes of two lists have in common.

    That is a convex polygon, whose corners are the crossings of sides and the corners within the other box; sorted by
    angle about their mean they give its area.
    """
    p, q = (x.expand(len(a), len(b), 4, 2) for x in (_corners(a)[:, None], _corners(b)[None]))
    u, v = p.roll(-1, 2) - p, q.roll(-1, 2) - q
    det = _cross(u[:, :, :, None], v[:, :, None])
    gap = q[:, :, None] - p[:, :, :, None]
    parallel = det.abs() < 1e-14
    safe = torch.where(parallel, 1, det)
    s, t = _cross(gap, v[:, :, None].expand_as(gap)) / safe, _cross(gap, u[:, :, :, None].expand_as(gap)) / safe
    crosses = ~parallel & (s >= 0) & (s <= 1) & (t >= 0) & (t <= 1)
    crossing = p[:, :, :, None] + s[..., None] * u[:, :, :, None]
    points = torch.cat([crossing.flatten(2, 3), p, q], 2)
    valid = torch.cat([crosses.flatten(2, 3), _inside(p, q), _inside(q, p)], 2)
    count = valid.sum(2, keepdim=True)
    mean = (points * valid[..., None]).sum(2, keepdim=True) / count.clamp(min=1)[..., None]
    points = torch.where(valid[..., None], points - mean, 0)
    angle = torch.where(valid, torch.atan2(points[..., 1], points[..., 0]), 9)
    order = angle.argsort(2)
    ring = points.gather(2, order[..., None].expand_as(points))
    first = ring[:, :, :1]
    ring = torch.where(valid.gather(2, order)[..., None], ring, first)
    return (_cross(ring, ring.roll(-1, 2)).sum(2) / 2).abs() * (count[..., 0] > 2)


def greedy(boxes: Tensor, limit: float, most: int = -1, plus: int = 1) -> Tensor:
    """Positions of the boxes, which come best first, that overlap no kept one before by more than `limit`.

    most: stop after so many; negative: all.
    """
    return greedy_of_groups(boxes, [len(boxes)], limit, most, plus)


def greedy_of_groups(boxes: Tensor, sizes: list[int], limit: float, most: int = -1, plus: int = 1) -> Tensor:
    """The same of groups of boxes of the sizes given, each by itself, one after another."""
    boxes = boxes.contiguous()
    if boxes.shape[1] != 4 or boxes.dtype != torch.float32 or not COMPILED.serves(boxes):
        starts = [0, *accumulate(sizes)]
        kept = [_greedy(b, limit, most, plus) + at for b, at in zip(boxes.split(sizes), starts)]
        return torch.cat(kept) if kept else torch.arange(0, device=boxes.device)
    starts = torch.tensor([0, *accumulate(sizes)])
    kept, counts = torch.empty(len(boxes), dtype=torch.long), torch.empty(len(sizes), dtype=torch.long)
    COMPILED(boxes, starts, len(sizes), limit, most, plus, kept, counts)
    return _packed(kept, starts, sizes, counts)


def _greedy(boxes: Tensor, limit: float, most: int, plus: int) -> Tensor:
    rest = torch.arange(len(boxes), device=boxes.device)
    kept, found = [rest[:0]], 0
    while len(rest) and found != most:
        head = rest[: BLOCK[boxes.shape[1]]]
        clear = (overlaps(boxes[head], boxes[rest], plus) <= limit).cpu().numpy()
        alive = np.ones(len(rest), bool)
        chosen = []
        for k in range(len(head)):
            if alive[k] and found != most:
                chosen.append(k)
                found += 1
                alive &= clear[k]
        kept.append(head[chosen])
        rest = rest[len(head) :][torch.from_numpy(alive[len(head) :]).to(rest.device)]
    return torch.cat(kept)


class Softening(NamedTuple):
    """How a pick lowers the scores of boxes that overlap it by o; boxes whose score falls below `least` are dropped.

    Scores become (1 - o) of what they were where o > limit or, if gaussian, exp(-o^2 / sigma) of it. Bodla and others,
    Soft-NMS, 2017.
    """

    gaussian: bool
    sigma: float
    limit: float
    least: float


def soft_of_groups(
    boxes: Tensor, scores: Tensor, sizes: list[int], how: Softening, plus: int = 1
) -> tuple[Tensor, Tensor]:
    """Positions of boxes in the order they are picked, of each group the best one left, and their lowered scores."""
    boxes, scores = boxes.contiguous(), scores.clone()
    starts = torch.tensor([0, *accumulate(sizes)])
    if boxes.shape[1] != 4 or boxes.dtype != torch.float32 or not COMPILED_SOFT.serves(boxes, scores):
        parts = zip(boxes.split(sizes), scores.split(sizes), starts.tolist())
        kept = [_soft(b, s, how, plus) + at for b, s, at in parts]
        found = torch.cat(kept) if kept else torch.arange(0, device=boxes.device)
        return found, scores[found]
    kept, counts = torch.empty(len(boxes), dtype=torch.long), torch.empty(len(sizes), dtype=torch.long)
    COMPILED_SOFT(boxes, scores, starts, len(sizes), *how, plus, kept, counts)
    found = _packed(kept, starts, sizes, counts)
    return found, scores[found]


def _packed(kept: Tensor, starts: Tensor, sizes: list[int], counts: Tensor) -> Tensor:
    """Positions within groups, the first so many of each group's part, as positions among all boxes."""
    group = torch.repeat_interleave(torch.tensor(sizes), output_size=len(kept))
    rank = torch.arange(len(kept)) - starts[group]
    return (kept + starts[group])[rank < counts[group]]


def _soft(boxes: Tensor, scores: Tensor, how: Softening, plus: int) -> Tensor:
    """Positions of the boxes of one group in the order they are picked; scores are lowered in place."""
    pending, kept = torch.arange(len(boxes), device=boxes.device), []
    while len(pending):
        best = int(scores[pending].argmax())
        kept.append(int(pending[best]))
        pending[[0, best]] = pending[[best, 0]]
        rest = pending[1:]
        o = overlaps(boxes[kept[-1]][None], boxes[rest], plus)[0]
        scores[rest] *= torch.exp(-o * o / how.sigma) if how.gaussian else torch.where(o > how.limit, 1 - o, 1)
        pending = rest[scores[rest] >= how.least]
    return torch.tensor(kept, dtype=torch.long, device=boxes.device)
