"""The detection layers of SSD: prior boxes, and what is found among them."""

from __future__ import annotations

import math

import numpy as np

from caffe2.bridge.caffe.blobs import shape_text
from caffe2.bridge.caffe.layers import Shape
from caffe2.bridge.caffe.reference.base import Reference, layer
from caffe2.bridge.caffe.reference.data import Files
from caffe2.bridge.caffe.reference.loss import Loss
from caffe2.bridge.caffe.reference.regions import suppressed

_CORNER, _CENTER_SIZE, _CORNER_SIZE = 1, 2, 3


@layer("PriorBox", field="prior_box_param", bottoms=(2, 2))
class PriorBox(Reference):
    """The boxes (x1, y1, x2, y2), in parts of the image, that a feature map predicts from, and their variances.

    Bottoms are the features and the image; the top is [1, 2, H W priors 4].
    """

    def shapes(self, x: Shape, image: Shape) -> list[Shape]:
        p = self.param
        self.expect(len(p.min_size) > 0 and min(p.min_size, default=0) > 0, "give at least one, positive", "min_size")
        self.expect(len(p.max_size) in (0, len(p.min_size)), "give none, or one for each min_size", "max_size")
        larger = all(high > low for low, high in zip(p.min_size, p.max_size, strict=False))
        self.expect(larger, "must be larger than min_size", "max_size")
        self.expect(
            len(p.variance) in (0, 1, 4) and min(p.variance, default=1) > 0, "give 1 or 4, positive", "variance"
        )
        self.expect(all(ratio > 0 for ratio in p.aspect_ratio), "must be positive", "aspect_ratio")
        self.expect(max(len(p.aspect_ratio), len(p.min_size)) <= 100, "at most 100 are allowed", "aspect_ratio")
        features, pixels = self.legacy(x)[2:], self.legacy(image, 1)[2:]
        self.features = features
        self.image = self._pair("img", pixels, p.img_size, p.HasField("img_size"))
        steps = tuple(
            float(np.float32(a) / np.float32(b)) if b else 0.0 for a, b in zip(self.image, features, strict=True)
        )
        self.step = self._pair("step", steps, p.step, p.HasField("step"))
        self.boxes = self._boxes()
        count = math.prod(features) * len(self.boxes) * 4
        self.expect(count > 0, f"takes no features of size 0, {shape_text(x)}")
        return [(1, 2, count)]

    def _pair(self, name: str, default: Shape, both: float, given: bool) -> Shape:
        """(height, width) of a quantity given once, as _h and _w, or not at all."""
        p = self.param
        if p.HasField(f"{name}_h") or p.HasField(f"{name}_w"):
            self.expect(not given, f"give it, or {name}_h and {name}_w, not both", f"{name}_h")
            values = (getattr(p, f"{name}_h"), getattr(p, f"{name}_w"))
        else:
            values = (both, both) if given else default
        self.expect(min(values) > 0, "must be positive", f"{name}_h")
        return values

    def _boxes(self) -> np.ndarray:
        """Widths and heights of the boxes around one place, in pixels; sizes are cut to whole pixels, as in Caffe."""
        p, boxes = self.param, []
        ratios = self._ratios()
        for index, size in enumerate(int(size) for size in p.min_size):
            boxes.append((size, size))
            boxes += [(math.sqrt(size * int(p.max_size[index])),) * 2] if p.max_size else []
            boxes += [(size * math.sqrt(ratio), size / math.sqrt(ratio)) for ratio in ratios]
        return np.array(boxes, np.float32)

    def _ratios(self) -> list[float]:
        """The ratios besides 1, each once, and their inverses with `flip`."""
        found = [1.0]
        for ratio in self.param.aspect_ratio:
            if all(abs(ratio - other) >= 1e-6 for other in found):
                found += [ratio, 1 / ratio] if self.param.flip else [ratio]
        return [ratio for ratio in found[1:] if abs(ratio - 1) >= 1e-6]

    def forward(self, x: np.ndarray, image: np.ndarray) -> list[np.ndarray]:
        p, (rows, columns) = self.param, self.features
        places = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1) + np.float32(p.offset)
        center = places.astype(np.float32) * np.array(self.step[::-1], np.float32)
        half, size = self.boxes / 2, np.array(self.image[::-1], np.float32)
        low, high = (center[:, :, None] - half) / size, (center[:, :, None] + half) / size
        boxes = np.concatenate([low, high], axis=-1).astype(np.float32)
        boxes = np.clip(boxes, 0, 1) if p.clip else boxes
        variance = np.array(list(p.variance) or [0.1], np.float32)
        return [np.stack([boxes.reshape(-1), np.broadcast_to(variance, boxes.shape).reshape(-1)])[None]]


@layer("DetectionOutput", field="detection_output_param", bottoms=(3, 5))
class DetectionOutput(Reference):
    """The boxes found, rows (image, class, score, x1, y1, x2, y2) of a top [1, 1, R, 7]; -1 where nothing is found.

    Bottoms are box predictions [N, priors classes 4], scores [N, priors classes] and the priors of PriorBox.
    """

    def shapes(self, moves: Shape, scores: Shape, priors: Shape, *more: Shape) -> list[Shape]:
        p = self.param
        self.expect(not more, "two-step refinement, with 5 bottoms, is not known")
        self.expect(p.HasField("num_classes") and p.num_classes > 0, "must be given", "num_classes")
        self.expect(p.nms_param.nms_threshold >= 0, "must not be negative", "nms_param.nms_threshold")
        self.expect(0 < p.nms_param.eta <= 1, "must lie in (0, 1]", "nms_param.eta")
        self.count = self.legacy(priors, 2)[2] // 4
        self.kinds = 1 if p.share_location else p.num_classes
        for shape, wanted in ((moves, self.count * self.kinds * 4), (scores, self.count * p.num_classes)):
            what = f"{self.count} priors need {wanted} numbers an image, not {shape_text(shape)}"
            self.expect(len(shape) >= 2 and math.prod(shape[1:]) == wanted, what, "num_classes")
        self.expect(moves[0] == scores[0], "as many images must have boxes as scores")
        return [(1, 1, 1, 7)]

    def forward(self, moves: np.ndarray, scores: np.ndarray, priors: np.ndarray) -> list[np.ndarray]:
        boxes, variances = priors.reshape(2, self.count, 4)
        moves = moves.reshape(len(moves), self.count, self.kinds, 4)
        scores = scores.reshape(len(scores), self.count, self.param.num_classes)
        rows = [
            (image, *found)
            for image in range(len(moves))
            for found in self._found(self._decoded(moves[image], boxes, variances), scores[image])
        ]
        if not rows:
            rows = [(image, -1, -1, -1, -1, -1, -1) for image in range(len(moves))]
        return [np.array(rows, np.float32).reshape(1, 1, -1, 7)]

    def _decoded(self, moves: np.ndarray, priors: np.ndarray, variances: np.ndarray) -> np.ndarray:
        """The boxes of one image, [priors, kinds, 4], by `code_type`."""
        if not self.param.variance_encoded_in_target:
            moves = moves * variances[:, None]
        low, high = priors[:, None, :2], priors[:, None, 2:]
        size = high - low
        if self.param.code_type == _CORNER:
            return priors[:, None] + moves
        if self.param.code_type == _CORNER_SIZE:
            return priors[:, None] + moves * np.concatenate([size, size], axis=-1)
        center = (low + high) / 2 + moves[..., :2] * size
        half = np.exp(moves[..., 2:]) * size / 2
        return np.concatenate([center - half, center + half], axis=-1)

    def _found(self, boxes: np.ndarray, scores: np.ndarray) -> list[tuple[float, ...]]:
        """The rows (class, score, box) of one image, class by class, the best first."""
        p, found = self.param, []
        for kind in range(p.num_classes):
            if kind != p.background_label_id:
                own = boxes[:, 0 if p.share_location else kind]
                found += [(kind, scores[i, kind], *own[i]) for i in self._kept(own, scores[:, kind])]
        if 0 <= p.keep_top_k < len(found):
            best = sorted(range(len(found)), key=lambda index: -found[index][1])[: p.keep_top_k]
            found = sorted((found[index] for index in best), key=lambda row: row[0])
        return found

    def _kept(self, boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """The places of the boxes of one class that stay, the best first."""
        p, nms = self.param, self.param.nms_param
        lowest = p.confidence_threshold if p.HasField("confidence_threshold") else -np.inf
        above = np.flatnonzero(scores > lowest)
        best = above[np.argsort(-scores[above], kind="stable")]
        best = best[: nms.top_k] if nms.HasField("top_k") and nms.top_k > -1 else best
        return best[suppressed(boxes[best], nms.nms_threshold, -1, 0, nms.eta)]


@layer("MultiBoxLoss", field="multibox_loss_param", bottoms=(4, 4))
class MultiBoxLoss(Loss):
    """SSD's training loss, read and checked; it is not computed."""

    def shapes(self, moves: Shape, scores: Shape, priors: Shape, truth: Shape) -> list[Shape]:
        self.expect(self.param.num_classes > 0, "must be given", "num_classes")
        return [()]

    def forward(self, *bottoms: np.ndarray) -> list[np.ndarray]:
        raise self.error("the loss of SSD is read but not computed")


@layer("AnnotatedData", field="data_param", tops=(1, 2))
class AnnotatedData(Files):
    """SSD's images with boxes; they have to be given."""

    forks = frozenset({"transform_param"})

    def here(self) -> bool:
        return False
