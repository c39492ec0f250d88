"""The best detections of each image: suppression class by class, and a limit over all classes."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import REFUSED, UNKNOWN, EnforceNotMet, Op, OutputCount, op
from caffe2.ops import demand
from caffe2.ops.detection.suppress import Softening, greedy_of_groups, soft_of_groups


@op(
    "BoxWithNMSLimit: scores boxes batch_splits? -> scores boxes classes batch_splits? keeps? keeps_size?",
    gradient=REFUSED,
    shape=UNKNOWN,
    types="scores boxes: float",
    arity=lambda i, o: o != 5,
)
class BoxWithNMSLimit(Op):
    """The final detections of each image: score threshold, non-maximum suppression by class, a limit on their number.

    For each image and class but the background (class 0) the boxes with a score above score_thresh go through
    non-maximum suppression: best first, a box is dropped where its overlap (intersection over union) with a better one
    that stayed is above `nms`. Of what stays in an image, of all classes, the detections_per_im best are kept. Soft
    suppression (Bodla et al., 2017) lowers the scores of overlapping boxes instead: by the factor 1 - overlap (linear),
    where that is above `nms`, or exp(-overlap^2 / sigma) (gaussian).

    scores: (R, K): the scores of K classes, image after image; out come (D), those of the detections.
    boxes: (R, K * 4): a box (x1, y1, x2, y2) for each class; rotated ones (x, y, w, h, degrees) have five numbers. Out
        come (D, 4), or (D, 5).
    batch_splits: (N): how many rows, and then detections, each image has; without it all are of one image.
    classes: (D): the class of each detection. They are ordered by image, class and falling score.
    keeps: (D), int32: the row, within its image, that each detection comes from.
    keeps_size: (N, K), int32: how many detections each image and class has.
    score_thresh: the least score of a detection.
    nms: the overlap above which the worse of two boxes of a class is suppressed.
    detections_per_im: how many detections an image keeps; all if not positive.
    soft_nms_enabled: soft suppression.
    soft_nms_method: linear or gaussian.
    soft_nms_sigma: sigma of the gaussian.
    soft_nms_min_score_thres: boxes whose lowered score is below are dropped.
    rotated: boxes have five numbers.
    cls_agnostic_bbox_reg: all classes share one box.
    input_boxes_include_bg_cls: whether the first box of a row is that of class 0, not of class 1.
    output_classes_include_bg_cls: whether class numbers count the background, so that the first class is 1, not 0.
    legacy_plus_one: boxes include their last pixel: a width is x2 - x1 + 1.
    """

    outputs: OutputCount
    score_thresh: float = 0.05
    nms: float = 0.3
    detections_per_im: int = 100
    soft_nms_enabled: bool = False
    soft_nms_method: str = "linear"
    soft_nms_sigma: float = 0.5
    soft_nms_min_score_thres: float = 0.001
    rotated: bool = False
    cls_agnostic_bbox_reg: bool = False
    input_boxes_include_bg_cls: bool = True
    output_classes_include_bg_cls: bool = True
    legacy_plus_one: bool = True

    def bind(self, site: object) -> None:
        if self.soft_nms_method not in ("linear", "gaussian"):
            raise EnforceNotMet(f"soft_nms_method is linear or gaussian, not {self.soft_nms_method!r}")
        self.wide = 5 if self.rotated else 4

    def __call__(self, scores: Tensor, boxes: Tensor, batch_splits: Tensor | None = None) -> tuple[Tensor, ...]:
        scores, boxes = (t.flatten(1) if t.dim() == 4 and t.shape[2:] == (1, 1) else t for t in (scores, boxes))
        self._check(scores, boxes)
        splits = [len(scores)]
        if batch_splits is not None:
            splits = [int(c) for c in demand.finite(batch_splits, "batch_splits")]
        if sum(splits) != len(scores) or min(splits, default=0) < 0:
            raise EnforceNotMet(f"batch_splits {splits} do not add up to {len(scores)} rows")
        found = [self._image(s, b) for s, b in zip(scores.split(splits), boxes.split(splits))]
        counts = [len(f[0]) for f in found]
        columns = [torch.cat(c) for c in zip(*found)] if found else [scores.new_empty(0)] * 5
        sizes = columns[4].view(len(splits), -1)
        return columns[0], columns[1], columns[2], scores.new_tensor(counts), columns[3].to(torch.int32), sizes

    def _check(self, scores: Tensor, boxes: Tensor) -> None:
        demand.rank(scores, 2, "scores")
        demand.rank(boxes, 2, "boxes")
        demand.same_rows(scores, boxes, "scores and boxes")
        columns = (self._box(scores.shape[1] - 1) + 1) * self.wide
        if boxes.shape[1] != columns:
            raise EnforceNotMet(f"boxes has {columns} columns for {scores.shape[1]} classes, not {boxes.shape[1]}")

    def _score(self, k: int) -> int:
        return k if self.input_boxes_include_bg_cls else k - 1

    def _box(self, k: int) -> int:
        return 0 if self.cls_agnostic_bbox_reg else self._score(k)

    def _image(self, scores: Tensor, boxes: Tensor) -> tuple[Tensor, ...]:
        """The detections of one image: scores, boxes, classes, rows, and how many of each class."""
        row, value, of = self._chosen(scores, boxes)
        if 0 < self.detections_per_im < len(row):
            best = value.argsort(descending=True, stable=True)[: self.detections_per_im]
            best = best[of[best].argsort(stable=True)]
            row, value, of = row[best], value[best], of[best]
        sizes = torch.bincount(of, minlength=scores.shape[1]).to(torch.int32)
        shown = (of - int(not self.output_classes_include_bg_cls)).to(scores.dtype)
        return value, self._boxes(boxes, row, of), shown, row, sizes

    def _boxes(self, boxes: Tensor, row: Tensor, of: Tensor) -> Tensor:
        """The boxes of rows in their classes."""
        column = (0 * of if self.cls_agnostic_bbox_reg else of - int(not self.input_boxes_include_bg_cls)) * self.wide
        return boxes[row[:, None], column[:, None] + torch.arange(self.wide, device=boxes.device)]

    def _candidates(self, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rows, scores and classes of what is scored above the threshold, class by class."""
        table = scores[:, self._score(1) : self._score(scores.shape[1])].t()
        of, row = (table > self.score_thresh).nonzero(as_tuple=True)
        return row, table[of, row], of + 1

    def _chosen(self, scores: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rows, scores and classes of what suppression leaves of each class: all classes at once."""
        row, value, of = self._candidates(scores)
        plus, sizes = int(self.legacy_plus_one), torch.bincount(of, minlength=scores.shape[1]).tolist()
        if self.soft_nms_enabled:
            gaussian, least = self.soft_nms_method == "gaussian", self.soft_nms_min_score_thres
            how = Softening(gaussian, self.soft_nms_sigma, self.nms, least)
            kept, lowered = soft_of_groups(self._boxes(boxes, row, of), value, sizes, how, plus)
            return row[kept], lowered, of[kept]
        best = value.argsort(descending=True, stable=True)
        best = best[of[best].argsort(stable=True)]
        of, row, value = of[best], row[best], value[best]
        most = self.detections_per_im if self.detections_per_im > 0 else -1
        kept = greedy_of_groups(self._boxes(boxes, row, of), sizes, self.nms, most, plus)
        return row[kept], value[kept], of[kept]
