"""Layers that cut regions out of feature maps, and the one that proposes them (Fast and Faster R-CNN, R-FCN)."""

from __future__ import annotations

import math

import numpy as np

from caffe2.bridge.caffe.blobs import shape_text
from caffe2.bridge.caffe.layers import Shape
from caffe2.bridge.caffe.reference.base import Reference, layer

_RATIOS, _SCALES = (0.5, 1.0, 2.0), (8.0, 16.0, 32.0)


def rounded(x: np.ndarray) -> np.ndarray:
    """x rounded to whole numbers, halves away from zero."""
    return np.trunc(x + np.copysign(np.float32(0.5), x))


class RegionPooling(Reference):
    """What both poolings share: bottoms features [N, C, H, W] and regions [R, 5] of (image, x1, y1, x2, y2)."""

    bottoms, inplace = (2, 2), False

    def check_regions(self, x: Shape, rois: Shape) -> int:
        """The number of regions."""
        self.expect(len(x) == 4, f"takes features of 4 axes, not {shape_text(x)}")
        flat = len(rois) >= 2 and np.prod(rois[1:]) == 5
        self.expect(bool(flat), f"takes regions of 5 numbers (image, x1, y1, x2, y2), not {shape_text(rois)}")
        return rois[0]

    def regions(self, x: np.ndarray, rois: np.ndarray) -> np.ndarray:
        """The regions [R, 5], their images checked."""
        rois = rois.reshape(-1, 5)
        inside = ((rois[:, 0] >= 0) & (rois[:, 0] < len(x)) & np.isfinite(rois).all(axis=1)).all()
        self.expect(bool(inside), f"a region lies in an image outside [0, {len(x)}), or is no number")
        return rois

    def bins(self, start: np.ndarray, size: np.ndarray, count: int, limit: int) -> np.ndarray:
        """The first and last-but-one place of each of `count` bins along one axis, cut to [0, limit]: [count, 2]."""
        edges = np.arange(count, dtype=np.float32) * size
        low, high = self.edges(edges, size, start)
        return np.clip(np.stack([low, high], axis=1), 0, limit).astype(np.int64)

    def work(self) -> int:
        return 10_000 * math.prod(self.layer.top_shapes[0][2:]) * self.layer.top_shapes[0][0]

    def edges(self, edges: np.ndarray, size: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where bins begin and end before they are cut."""
        return np.floor(edges) + start, np.ceil(edges + size) + start


@layer("ROIPooling", field="roi_pooling_param")
class ROIPooling(RegionPooling):
    """The maximum of each of pooled_h x pooled_w bins of each region; 0 for an empty bin."""

    def shapes(self, x: Shape, rois: Shape) -> list[Shape]:
        p = self.param
        self.expect(p.pooled_h > 0 and p.pooled_w > 0, "must be positive", "pooled_h")
        return [(self.check_regions(x, rois), x[1], p.pooled_h, p.pooled_w)]

    def forward(self, x: np.ndarray, rois: np.ndarray) -> list[np.ndarray]:
        p = self.param
        rois = self.regions(x, rois)
        corners = rounded(rois[:, 1:] * np.float32(p.spatial_scale))
        top = np.zeros((len(rois), x.shape[1], p.pooled_h, p.pooled_w), np.float32)
        for roi, (x1, y1, x2, y2), result in zip(rois, corners, top, strict=True):
            rows = self.bins(y1, np.maximum(y2 - y1 + 1, 1) / np.float32(p.pooled_h), p.pooled_h, x.shape[2])
            columns = self.bins(x1, np.maximum(x2 - x1 + 1, 1) / np.float32(p.pooled_w), p.pooled_w, x.shape[3])
            for i, j in np.ndindex(p.pooled_h, p.pooled_w):
                part = x[int(roi[0]), :, slice(*rows[i]), slice(*columns[j])]
                if part.size:
                    result[:, i, j] = part.max(axis=(1, 2))
        return [top]


@layer("PSROIPooling", field="psroi_pooling_param")
class PSROIPooling(RegionPooling):
    """The mean of each of group_size^2 bins of each region, every bin from channels of its own; 0 for an empty bin."""

    def shapes(self, x: Shape, rois: Shape) -> list[Shape]:
        p = self.param
        self.expect(p.output_dim > 0 and p.group_size > 0, "must be positive", "group_size")
        count, wanted = self.check_regions(x, rois), p.output_dim * p.group_size**2
        self.expect(x[1] == wanted, f"needs {wanted} channels, not {x[1]}", "output_dim")
        return [(count, p.output_dim, p.group_size, p.group_size)]

    def edges(self, edges: np.ndarray, size: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.floor(edges + start), np.ceil(edges + size + start)

    def forward(self, x: np.ndarray, rois: np.ndarray) -> list[np.ndarray]:
        p, size = self.param, self.param.group_size
        rois, scale = self.regions(x, rois), np.float32(p.spatial_scale)
        grouped = x.reshape(len(x), p.output_dim, size, size, *x.shape[2:])
        top = np.zeros((len(rois), p.output_dim, size, size), np.float32)
        starts, ends = rounded(rois[:, 1:3]) * scale, (rounded(rois[:, 3:]) + 1) * scale
        steps = np.maximum(ends - starts, np.float32(0.1)) / np.float32(size)
        for roi, (x1, y1), (wide, high), result in zip(rois, starts, steps, top, strict=True):
            rows, columns = self.bins(y1, high, size, x.shape[2]), self.bins(x1, wide, size, x.shape[3])
            for i, j in np.ndindex(size, size):
                part = grouped[int(roi[0]), :, i, j, slice(*rows[i]), slice(*columns[j])]
                if part.size:
                    result[:, i, j] = part.mean(axis=(1, 2))
        return [top]


def anchors(base: float, ratios: tuple[float, ...], scales: tuple[float, ...]) -> np.ndarray:
    """The boxes (x1, y1, x2, y2) around one place, by ratio and then scale: [A, 4]."""
    boxes = []
    for ratio in ratios:
        width = np.floor(np.sqrt(base * base / ratio) + 0.5)
        height = np.floor(width * ratio + 0.5)
        for scale in scales:
            half = 0.5 * (width * scale - 1), 0.5 * (height * scale - 1)
            center = 0.5 * (base - 1)
            boxes.append((center - half[0], center - half[1], center + half[0], center + half[1]))
    return np.array(boxes, np.float32)


@layer("Proposal", field="proposal_param", bottoms=(3, 3), tops=(1, 2))
class Proposal(Reference):
    """The best regions [R, 5] of one image: anchors moved by predictions, cut to the image, the overlapping left out.

    Bottoms are scores [1, 2A, H, W], moves [1, 4A, H, W] and (height, width, scale ...) of the image; R is at most
    `post_nms_topn`. A second top has the scores.
    """

    def shapes(self, scores: Shape, moves: Shape, info: Shape) -> list[Shape]:
        p = self.param
        for name in ("ratio", "scale"):
            self.expect(all(value > 0 for value in getattr(p, name)), "must be positive", name)
            self.expect(len(getattr(p, name)) <= 100, "at most 100 are allowed", name)
        self.expect(p.post_nms_topn > 0, "must be positive", "post_nms_topn")
        self.anchors = anchors(p.base_size, tuple(p.ratio) or _RATIOS, tuple(p.scale) or _SCALES)
        count = len(self.anchors)
        good = len(scores) == 4 and scores[:2] == (1, 2 * count) and moves == (1, 4 * count, *scores[2:])
        what = f"{count} anchors need scores [1, {2 * count}, H, W] and moves [1, {4 * count}, H, W]"
        self.expect(good, f"{what}, not {shape_text(scores)} and {shape_text(moves)}")
        self.expect(np.prod(info) >= 3, f"the image information needs 3 numbers, not {shape_text(info)}")
        return [(p.post_nms_topn, 5), (p.post_nms_topn,)][: len(self.layer.tops)]

    def forward(self, scores: np.ndarray, moves: np.ndarray, info: np.ndarray) -> list[np.ndarray]:
        p, count = self.param, len(self.anchors)
        height, width, *scale = info.reshape(-1)
        boxes = self._moved(moves, height, width)
        chance = scores[0, count:].transpose(1, 2, 0).reshape(-1)
        sizes = boxes[:, 2:] - boxes[:, :2] + 1
        large = (sizes >= p.min_size * np.array([scale[-1], scale[0]], np.float32)).all(axis=1)
        boxes, chance = boxes[large], chance[large]
        best = np.argsort(-chance, kind="stable")[: p.pre_nms_topn if p.pre_nms_topn > 0 else None]
        limit = p.nms_thresh if p.HasField("nms_thresh") or not p.HasField("iou_threshold") else p.iou_threshold
        kept = best[suppressed(boxes[best], limit, p.post_nms_topn, 1)]
        rois = np.concatenate([np.zeros((len(kept), 1), np.float32), boxes[kept]], axis=1)
        return [rois, chance[kept]][: len(self.layer.tops)]

    def _moved(self, moves: np.ndarray, height: np.float32, width: np.float32) -> np.ndarray:
        """The boxes of all places, row by row and there anchor by anchor, cut to the image: [H W A, 4]."""
        rows, columns = moves.shape[2:]
        shift = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1) * np.float32(self.param.feat_stride)
        boxes = (np.concatenate([shift, shift], axis=-1)[:, :, None] + self.anchors).reshape(-1, 4)
        delta = moves[0].reshape(len(self.anchors), 4, rows, columns).transpose(2, 3, 0, 1).reshape(-1, 4)
        size = boxes[:, 2:] - boxes[:, :2] + 1
        center = boxes[:, :2] + 0.5 * size + delta[:, :2] * size
        half = 0.5 * np.exp(delta[:, 2:]) * size
        moved = np.concatenate([center - half, center + half], axis=1)
        return np.clip(moved, 0, np.array([width, height, width, height], np.float32) - 1).astype(np.float32)


def suppressed(boxes: np.ndarray, limit: float, most: int, pixel: int = 0, eta: float = 1.0) -> np.ndarray:
    """Which boxes stay when each takes away those behind it that it overlaps by more than `limit` of their union.

    `pixel` is 1 where a box includes its last place. With eta below 1 the limit falls to eta of itself after each box
    kept, as long as it is above 1/2.
    """
    kept: list[int] = []
    size = np.maximum(boxes[:, 2:] - boxes[:, :2] + pixel, 0)
    area = size[:, 0] * size[:, 1]
    for index, box in enumerate(boxes):
        if 0 <= most <= len(kept):
            break
        others = boxes[kept]
        low, high = np.maximum(others[:, :2], box[:2]), np.minimum(others[:, 2:], box[2:])
        shared = np.maximum(high - low + pixel, 0).prod(axis=1)
        union = area[kept] + area[index] - shared
        if not (shared > limit * union).any():
            kept.append(index)
            limit = limit * eta if eta < 1 and limit > 0.5 else limit
    return np.array(kept, np.int64)
