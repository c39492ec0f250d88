"""The operators of SSD and of region proposals: prior boxes, what is detected among them, proposed regions."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe2.opdef import NONE, UNKNOWN, EnforceNotMet, op
from caffe2.ops import demand

CODES = ("CORNER", "CENTER_SIZE", "CORNER_SIZE")


def suppressed(boxes: Tensor, limit: float, most: int = -1, pixel: int = 0, eta: float = 1.0) -> list[int]:
    """Which boxes (x1, y1, x2, y2), the best first, stay: each takes away those behind it that it overlaps too much.

    limit: the largest intersection over union that is allowed; with eta below 1 it falls to eta of itself after each
    box that stays, while above 1/2. most: how many stay at most; -1 for all. pixel: 1 where a box includes its end.
    """
    size = (boxes[:, 2:] - boxes[:, :2] + pixel).clamp_min(0)
    area = size.prod(1)
    low, high = torch.maximum(boxes[:, None, :2], boxes[:, :2]), torch.minimum(boxes[:, None, 2:], boxes[:, 2:])
    shared = (high - low + pixel).clamp_min(0).prod(2)
    union = area[:, None] + area - shared
    kept: list[int] = []
    for k in range(len(boxes)):
        if len(kept) == most:
            break
        if not bool((shared[k, kept] > limit * union[k, kept]).any()):
            kept.append(k)
            limit = limit * eta if eta < 1 and limit > 0.5 else limit
    return kept


@op("CaffePriorBox: X image -> priors", gradient=NONE)
def prior_box(
    x: Tensor,
    image: Tensor,
    *,
    widths: tuple[float, ...],
    heights: tuple[float, ...],
    variance: tuple[float, ...] = (0.1,),
    offset: float = 0.5,
    clip: bool = False,
    size: tuple[float, ...] = (),
    step: tuple[float, ...] = (),
) -> Tensor:
    """Boxes (x1, y1, x2, y2) around every place of a feature map, in fractions of the image, and their variances.

    Liu et al., SSD, 2016.

    X: (N, C, h, w); only its shape matters.
    image: (N, C, H, W); only its shape matters.
    priors: (1, 2, h * w * A * 4), A = len(widths) boxes a place: boxes, then variances.
    widths, heights: of the boxes, in pixels.
    size: height and width of the image; those of the blob unless given.
    step: pixels between places along both axes; size over that of X unless given.
    offset: where in its cell a place lies.
    variance: one number or four.
    clip: boxes are cut to 0 .. 1.
    """
    if len(variance) not in (1, 4) or len(widths) != len(heights):
        raise EnforceNotMet("variance is 1 number or 4, and widths and heights are equally many")
    rows, columns = x.shape[2:]
    size = size or tuple(map(float, image.shape[2:]))
    step = step or (size[0] / rows, size[1] / columns)
    y = (torch.arange(rows, device=x.device) + offset) * step[0]
    across = (torch.arange(columns, device=x.device) + offset) * step[1]
    center = torch.stack(torch.meshgrid(y, across, indexing="ij")[::-1], -1).unsqueeze(2)
    half = torch.tensor((widths, heights), device=x.device).t() / 2
    image_size = torch.tensor((size[1], size[0]), device=x.device)
    boxes = torch.cat(((center - half) / image_size, (center + half) / image_size), -1)
    boxes = boxes.clamp(0, 1) if clip else boxes
    spread = torch.tensor(variance, device=x.device).expand(boxes.shape)
    return torch.stack((boxes.reshape(-1), spread.reshape(-1))).unsqueeze(0)


def box_of(code: str, moves: Tensor, priors: Tensor) -> Tensor:
    """Boxes [P, K, 4] of predictions for priors [P, 4]: moved corners, in parts of the prior's size or not, or a
    center moved in parts of the size and the logarithm of how much larger it is.
    """
    priors = priors.unsqueeze(1)
    low, high = priors.chunk(2, -1)
    size = high - low
    if code == "CORNER":
        return priors + moves
    if code == "CORNER_SIZE":
        return priors + moves * torch.cat((size, size), -1)
    shift, growth = moves.chunk(2, -1)
    center, half = (low + high) / 2 + shift * size, growth.exp() * size / 2
    return torch.cat((center - half, center + half), -1)


@op("CaffeDetectionOutput: moves scores priors -> Y", shape=UNKNOWN, gradient=NONE)
def detection_output(
    moves: Tensor,
    scores: Tensor,
    priors: Tensor,
    *,
    num_classes: int,
    share_location: bool = True,
    background_label_id: int = 0,
    code_type: str = "CORNER",
    variance_encoded_in_target: bool = False,
    nms_threshold: float = 0.3,
    top_k: int = -1,
    eta: float = 1.0,
    keep_top_k: int = -1,
    confidence_threshold: float = -math.inf,
) -> Tensor:
    """The boxes that are found, after non-maximum suppression class by class (Liu et al., SSD, 2016).

    Of each class the top_k best boxes with scores above confidence_threshold go into the suppression.

    moves: (N, P * K * 4), K = 1 with share_location, else num_classes: offsets of the boxes from the priors.
    scores: (N, P * num_classes).
    priors: (1, 2, P * 4), as CaffePriorBox gives them: boxes and variances.
    Y: (1, 1, R, 7): rows (image, class, score, x1, y1, x2, y2); -1 where there are none.
    num_classes: how many classes, the background included.
    share_location: whether all classes share one box.
    background_label_id: the class that is the background, whose boxes are left out; -1 for none.
    code_type: CORNER, CENTER_SIZE or CORNER_SIZE: how moves say the boxes.
    variance_encoded_in_target: the moves are not to be multiplied by the variances.
    confidence_threshold: boxes with lower scores are left out.
    top_k: how many boxes of each class go into the suppression, the best; -1 for all.
    nms_threshold: boxes whose overlap (intersection over union) with a better one is larger are suppressed.
    eta: by what the threshold is multiplied after every box that stays, while above 1/2.
    keep_top_k: how many boxes of an image stay, of all classes; -1 for all.
    """
    if code_type not in CODES:
        raise EnforceNotMet(f"code_type is {code_type!r}; it is one of {', '.join(CODES)}")
    kinds, count = 1 if share_location else num_classes, priors.numel() // 8
    if moves[0].numel() != count * kinds * 4 or scores[0].numel() != count * num_classes:
        raise EnforceNotMet(f"{count} priors take {count * kinds * 4} moves and {count * num_classes} scores an image")
    boxes, variances = priors.reshape(2, count, 4)
    moves = moves.reshape(-1, count, kinds, 4)
    moves = moves if variance_encoded_in_target else moves * variances.unsqueeze(1)
    rows = []
    for image, (own, chance) in enumerate(zip(moves, scores.reshape(-1, count, num_classes))):
        placed, found = box_of(code_type, own, boxes), []
        for kind in range(num_classes):
            if kind != background_label_id:
                of_kind = placed[:, 0 if share_location else kind]
                best = _best(of_kind, chance[:, kind], confidence_threshold, top_k, nms_threshold, eta)
                found.append(_rows(image, kind, chance[best, kind], of_kind[best]))
        rows.append(_most(torch.cat(found) if found else moves.new_zeros(0, 7), keep_top_k))
    every = torch.cat(rows)
    if not len(every):
        every = moves.new_full((len(moves), 7), -1.0)
        every[:, 0] = torch.arange(len(moves), device=moves.device)
    return every.reshape(1, 1, -1, 7)


def _best(boxes: Tensor, scores: Tensor, lowest: float, top_k: int, limit: float, eta: float) -> Tensor:
    above = (scores > lowest).nonzero().squeeze(1)
    order = above[scores[above].argsort(descending=True, stable=True)]
    order = order[:top_k] if top_k > -1 else order
    return order[suppressed(boxes[order], limit, eta=eta)]


def _rows(image: int, kind: int, scores: Tensor, boxes: Tensor) -> Tensor:
    about = scores.new_tensor((image, kind)).expand(len(scores), 2)
    return torch.cat((about, scores.unsqueeze(1), boxes), 1)


def _most(rows: Tensor, count: int) -> Tensor:
    """The rows of the `count` best scores, class by class; all for -1."""
    if not 0 <= count < len(rows):
        return rows
    best = rows[rows[:, 2].argsort(descending=True, stable=True)[:count]]
    return best[best[:, 1].argsort(stable=True)]


@op("CaffeProposal: scores moves info -> rois chances?", shape=UNKNOWN, gradient=NONE)
def proposal(
    scores: Tensor,
    moves: Tensor,
    info: Tensor,
    *,
    anchors: tuple[float, ...],
    feat_stride: float = 16.0,
    min_size: float = 16.0,
    pre_nms_topn: int = 6000,
    post_nms_topn: int = 300,
    nms_threshold: float = 0.7,
) -> tuple[Tensor, Tensor]:
    """The best regions of an image and their scores, by a region proposal network (Ren et al., Faster R-CNN, 2015).

    scores: (1, 2 * A, H, W), the second half of them those of being an object.
    moves: (1, 4 * A, H, W): offsets of the boxes from the anchors.
    info: height, width and scale of the image.
    rois: (R, 5): rows (0, x1, y1, x2, y2).
    chances: (R): their scores.
    anchors: A boxes (x1, y1, x2, y2) around a place, one after another.
    feat_stride: pixels between places.
    min_size: boxes that are smaller than so many pixels times the scale of the image are left out.
    pre_nms_topn: how many boxes go into non-maximum suppression, the best.
    nms_threshold: boxes whose overlap (intersection over union) with a better one is larger are suppressed.
    post_nms_topn: how many boxes stay.
    """
    demand.rank(scores, 4, "scores")
    around = torch.tensor(anchors, device=scores.device).reshape(-1, 4)
    count, (height, width, *scale) = len(around), info.reshape(-1)
    if scores.shape[:2] != (1, 2 * count) or moves.shape != (1, 4 * count, *scores.shape[2:]):
        raise EnforceNotMet(f"{count} anchors take scores [1, {2 * count}, H, W] and moves [1, {4 * count}, H, W]")
    limits = torch.stack((width, height, width, height)) - 1
    boxes = torch.minimum(_moved(around, moves, feat_stride).clamp_min(0), limits)
    chance = scores[0, count:].permute(1, 2, 0).reshape(-1)
    large = (boxes[:, 2:] - boxes[:, :2] + 1 >= min_size * torch.stack((scale[-1], scale[0]))).all(1)
    boxes, chance = boxes[large], chance[large]
    order = chance.argsort(descending=True, stable=True)
    order = order[:pre_nms_topn] if pre_nms_topn > 0 else order
    kept = order[suppressed(boxes[order], nms_threshold, post_nms_topn, 1)]
    return torch.cat((boxes.new_zeros(len(kept), 1), boxes[kept]), 1), chance[kept]


def _moved(anchors: Tensor, moves: Tensor, stride: float) -> Tensor:
    """The boxes [H W A, 4] of all places, place by place."""
    rows, columns = moves.shape[2:]
    y, x = (torch.arange(n, device=moves.device) * stride for n in (rows, columns))
    shift = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], -1)
    boxes = (torch.cat((shift, shift), -1).unsqueeze(2) + anchors).reshape(-1, 4)
    delta = moves[0].reshape(len(anchors), 4, rows, columns).permute(2, 3, 0, 1).reshape(-1, 4)
    size = boxes[:, 2:] - boxes[:, :2] + 1
    center, half = boxes[:, :2] + 0.5 * size + delta[:, :2] * size, 0.5 * delta[:, 2:].exp() * size
    return torch.cat((center - half, center + half), 1)


@op("CaffePSROIPool: X rois -> Y", types="X: floating", gradient=NONE)
def psroi_pool(x: Tensor, rois: Tensor, *, output_dim: int, group_size: int, spatial_scale: float = 1.0) -> Tensor:
    """Position-sensitive region pooling: the mean of each of group_size^2 bins of a region, from channels of its own.

    Dai et al., R-FCN, 2016.

    X: (N, output_dim * group_size^2, H, W).
    rois: (R, 5): rows (image, x1, y1, x2, y2).
    Y: (R, output_dim, group_size, group_size); 0 for an empty bin.
    output_dim: how many channels Y has.
    group_size: how many bins lie along each side of a region.
    spatial_scale: the size of X over that of the image.
    """
    g = group_size
    if x.dim() != 4 or x.shape[1] != output_dim * g * g or rois[:1].numel() not in (0, 5):
        raise EnforceNotMet(
            f"X has {output_dim * g * g} channels and rois 5 numbers, not {[*x.shape]}, {[*rois.shape]}"
        )
    rois = rois.reshape(-1, 5)
    demand.in_range(rois[:, 0].long(), len(x), "rois")
    sums = torch.nn.functional.pad(x.double().cumsum(2).cumsum(3), (1, 0, 1, 0)).unflatten(1, (output_dim, g, g))
    corner = rois[:, 1:].sign() * (rois[:, 1:].abs() + 0.5).floor()
    start, end = corner[:, :2] * spatial_scale, (corner[:, 2:] + 1) * spatial_scale
    size = (end - start).clamp_min(0.1) / g
    edges = torch.arange(g, device=x.device) * size.unsqueeze(2) + start.unsqueeze(2)
    limit = torch.tensor((x.shape[3], x.shape[2]), device=x.device).reshape(1, 2, 1)
    low = torch.minimum(edges.floor().clamp_min(0), limit).long()
    high = torch.minimum((edges + size.unsqueeze(2)).ceil().clamp_min(0), limit).long()
    image, d = rois[:, 0].long().reshape(-1, 1, 1, 1), torch.arange(output_dim, device=x.device).reshape(1, -1, 1, 1)
    i, j = torch.arange(g, device=x.device).reshape(-1, 1), torch.arange(g, device=x.device)
    (x1, y1), (x2, y2) = ([v[:, 0, None, None, :], v[:, 1, None, :, None]] for v in (low, high))
    total = sum(
        sign * sums[image, d, i, j, y, x_] for sign, y, x_ in ((1, y2, x2), (-1, y1, x2), (-1, y2, x1), (1, y1, x1))
    )
    count = (y2 - y1).clamp_min(0) * (x2 - x1).clamp_min(0)
    return torch.where(count > 0, total / count.clamp_min(1), 0.0).to(x.dtype)
