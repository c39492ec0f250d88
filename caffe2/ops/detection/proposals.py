"""Region proposals: anchors made regions, and regions collected and dealt out over the levels of a feature pyramid.

rois_and_probs: the rois (R, 5) of each level from rpn_min_level to rpn_max_level, then their probabilities (R) level by
    level. Rows are (image, x1, y1, x2, y2).
rois: (R, 5): rows (image, x1, y1, x2, y2).
rois_fpn_and_restore: the regions of each level from roi_min_level to roi_max_level, (R_l, 5), and then
    rois_idx_restore, int32: row k of rois is row rois_idx_restore[k] of all levels' rows put one after another.
rpn_max_level, rpn_min_level: the levels that regions are collected from.
rpn_post_nms_topN: how many regions are kept, the best.
roi_canonical_scale: the side of a region, in pixels, that belongs to roi_canonical_level.
roi_canonical_level: the level of regions of that side.
roi_max_level, roi_min_level: the levels that regions are dealt out to.
legacy_plus_one: boxes include their last pixel: a width is x2 - x1 + 1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import REFUSED, UNKNOWN, EnforceNotMet, Op, OutputCount, op
from caffe2.ops import demand
from caffe2.ops.detection.boxes import Bounding
from caffe2.ops.detection.suppress import greedy


class GenerateProposals(Bounding):
    """Region proposals: anchors at every pixel, moved by deltas, clipped, filtered, and non-maximum suppression.

    Of each image the pre_nms_topN best are moved as in BBoxTransform, clipped to the image, and kept where both sides
    are at least min_size times the scale and the center lies inside; non-maximum suppression drops those whose overlap
    (intersection over union) with a better one is above nms_thresh, and the post_nms_topN best are left. Ren et al.,
    Faster R-CNN, 2015.

    scores: (N, A, H, W): the score of each anchor at each pixel.
    bbox_deltas: (N, A * 4, H, W): deltas (dx, dy, dw, dh); (N, A * 5, H, W) for rotated boxes.
    im_info: (N, 3): height, width and scale of each image.
    anchors: (A, 4): boxes (x1, y1, x2, y2) around the first pixel; (A, 5) for rotated boxes.
    rois: (R, 5): rows (image, x1, y1, x2, y2), image by image, best first; (R, 6) for rotated boxes.
    rois_probs: (R): their scores.
    spatial_scale: the size of the feature map over that of the scaled image: pixels of the map are 1 / spatial_scale
        apart.
    pre_nms_topN: how many boxes go into the suppression; all if not positive.
    post_nms_topN: how many regions an image has at most.
    nms_thresh: the overlap above which the worse of two boxes is suppressed.
    min_size: the least side of a region, in pixels of the image before it was scaled.
    """

    spatial_scale: float = 1 / 16
    pre_nms_topN: int = 6000
    post_nms_topN: int = 300
    nms_thresh: float = 0.7
    min_size: float = 16.0

    def __call__(self, scores: Tensor, deltas: Tensor, im_info: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor]:
        demand.rank(scores, 4, "scores")
        n, a, h, w = scores.shape
        wide = anchors.shape[-1]
        if wide not in (4, 5) or anchors.shape != (a, wide) or deltas.shape != (n, a * wide, h, w):
            raise EnforceNotMet(f"scores {(n, a, h, w)}, bbox_deltas {tuple(deltas.shape)} and anchors do not match")
        if im_info.shape != (n, 3):
            raise EnforceNotMet(f"im_info has 3 numbers for each of {n} images, not {tuple(im_info.shape)}")
        rois, probs = [scores.new_empty(0, wide + 1)], [scores.new_empty(0)]
        for k, (height, width, scale) in enumerate(im_info.tolist()):
            boxes, best = self._proposals(scores[k], deltas[k], anchors, int(height), int(width))
            keep = self.boxes.large(boxes, self.min_size * scale, height, width).nonzero()[:, 0]
            most = self.post_nms_topN if 0 < self.post_nms_topN < len(keep) else -1
            keep = keep[greedy(boxes[keep], self.nms_thresh, most, self.boxes.plus)]
            rois.append(torch.cat([boxes.new_full((len(keep), 1), k), boxes[keep]], 1))
            probs.append(best[keep])
        return torch.cat(rois), torch.cat(probs)

    def _proposals(
        self, scores: Tensor, deltas: Tensor, anchors: Tensor, height: int, width: int
    ) -> tuple[Tensor, Tensor]:
        """The best scored boxes of one image, moved and clipped, and their scores."""
        a, h, w = scores.shape
        wide = anchors.shape[1]
        flat = scores.permute(1, 2, 0).flatten()
        best, at = flat.sort(descending=True, stable=True)
        if 0 < self.pre_nms_topN < len(at):
            best, at = best[: self.pre_nms_topN], at[: self.pre_nms_topN]
        pixel, anchor = at // a, at % a
        shift = torch.stack([pixel % w, pixel // w], 1) / self.spatial_scale
        move = torch.zeros(len(at), wide, device=scores.device)
        move[:, :2] = shift
        if wide == 4:
            move[:, 2:] = shift
        delta = deltas.view(a, wide, h * w)[anchor, :, pixel]
        boxes = self.boxes.transformed(anchors[anchor] + move, delta)
        size = (boxes.new_tensor(float(s)).expand(len(at)) for s in (height, width))
        return self.boxes.clipped(boxes, *size), best


for _name in ("GenerateProposals", "GenerateProposalsCPP"):
    op(
        f"{_name}: scores bbox_deltas im_info anchors -> rois rois_probs",
        gradient=REFUSED,
        shape=UNKNOWN,
        types="scores bbox_deltas im_info anchors: float",
    )(GenerateProposals)


class Pyramid(Op):
    """What the operators on a feature pyramid settle alike."""

    rpn_max_level: int = 6
    rpn_min_level: int = 2
    rpn_post_nms_topN: int = 2000
    roi_canonical_scale: int = 224
    roi_canonical_level: int = 4
    roi_max_level: int = 5
    roi_min_level: int = 2
    legacy_plus_one: bool = True

    def collected(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """The best regions of all levels, whose boxes and then whose scores are given, best first."""
        levels = self.rpn_max_level - self.rpn_min_level + 1
        if len(inputs) != 2 * levels:
            raise EnforceNotMet(f"{levels} levels have as many rois and probabilities, {2 * levels} inputs")
        for rois, scores in zip(inputs[:levels], inputs[levels:]):
            if rois.dim() != 2 or rois.shape[1] != 5 or scores.shape != rois.shape[:1]:
                raise EnforceNotMet(f"rois {tuple(rois.shape)} and probabilities {tuple(scores.shape)} do not match")
        order = torch.cat(inputs[levels:]).argsort(descending=True, stable=True)
        if self.rpn_post_nms_topN > 0:
            order = order[: self.rpn_post_nms_topN]
        return torch.cat(inputs[:levels])[order]

    def distributed(self, rois: Tensor, count: int) -> list[Tensor]:
        """The regions of each level, which their size chooses, and where each one of `rois` went among all of these."""
        levels = range(self.roi_min_level, self.roi_max_level + 1)
        if count != len(levels) + 1:
            raise EnforceNotMet(f"{len(levels)} levels make {len(levels) + 1} outputs, not {count}")
        if rois.dim() != 2 or rois.shape[1] != 5:
            raise EnforceNotMet(f"rois has 5 columns, not {tuple(rois.shape)}")
        size = (rois[:, 3:5] - rois[:, 1:3] + int(self.legacy_plus_one)).prod(1)
        if demand.readable(size) and len(size) and float(size.min()) < 0:
            raise EnforceNotMet(f"rois holds a box of negative area {float(size.min())}")
        scale = (size.sqrt() / self.roi_canonical_scale + 1e-6).log2()
        level = (self.roi_canonical_level + scale).floor().clamp(levels[0], levels[-1])
        at = [(level == k).nonzero()[:, 0] for k in levels]
        return [*(rois[k] for k in at), torch.cat(at).argsort().to(torch.int32)]


@op(
    "CollectRpnProposals: *rois_and_probs -> rois",
    gradient=REFUSED,
    shape=UNKNOWN,
    types="rois_and_probs: float",
    arity=lambda i, o: i >= 2,
)
class CollectRpnProposals(Pyramid):
    """The rpn_post_nms_topN best regions of all levels, best first.

    rois: (R, 5): rows (image, x1, y1, x2, y2).
    roi_canonical_scale, roi_canonical_level, roi_max_level, roi_min_level, legacy_plus_one: accepted and ignored.
    """

    def __call__(self, *inputs: Tensor) -> Tensor:
        return self.collected(inputs)


@op(
    "DistributeFpnProposals: rois -> +rois_fpn_and_restore",
    gradient=REFUSED,
    shape=UNKNOWN,
    types="rois: float",
    arity=lambda i, o: o >= 2,
)
class DistributeFpnProposals(Pyramid):
    """The regions of each level of a feature pyramid, and how to put them back in order.

    A region of area A belongs to level floor(roi_canonical_level + log2(sqrt(A) / roi_canonical_scale)), or to the
    nearest one there is. Lin et al., Feature Pyramid Networks, 2017.

    rpn_max_level, rpn_min_level, rpn_post_nms_topN: accepted and ignored.
    """

    outputs: OutputCount

    def __call__(self, rois: Tensor) -> list[Tensor]:
        return self.distributed(rois, self.outputs)


@op(
    "CollectAndDistributeFpnRpnProposals: *rois_and_probs -> rois *rois_fpn_and_restore",
    gradient=REFUSED,
    shape=UNKNOWN,
    types="rois_and_probs: float",
    arity=lambda i, o: i >= 2 and o >= 3,
)
class CollectAndDistribute(Pyramid):
    """CollectRpnProposals, and then DistributeFpnProposals of what it gives."""

    outputs: OutputCount

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        rois = self.collected(inputs)
        return [rois, *self.distributed(rois, self.outputs - 1)]
