"""Softmax and the losses, normalized as Caffe normalizes them."""

from __future__ import annotations

import math

import numpy as np

from caffe2.bridge.caffe.blobs import Blob, read_blob, shape_text
from caffe2.bridge.caffe.errors import TranslatorError
from caffe2.bridge.caffe.kinds import open_binary_file
from caffe2.bridge.caffe.layers import Shape
from caffe2.bridge.caffe.reference.base import Reference, layer
from caffe2.bridge.caffe.wire import Reader
from caffe2.proto import caffe_pb2

LOG_THRESHOLD = 1e-20
_FULL, _VALID, _BATCH_SIZE, _NONE = (
    caffe_pb2.LossParameter.NormalizationMode.Value(name) for name in ("FULL", "VALID", "BATCH_SIZE", "NONE")
)


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    """e^x over its sum along an axis."""
    y = np.exp(x - x.max(axis=axis, keepdims=True))
    return y / y.sum(axis=axis, keepdims=True)


@layer("Softmax", field="softmax_param")
class Softmax(Reference):
    """e^x over its sum along an axis."""

    def shapes(self, x: Shape) -> list[Shape]:
        self.at = self.axis(self.param.axis, x)
        return [x]

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        return [softmax(x, self.at) if x.size else x]


class Loss(Reference):
    """A number from predictions and labels whose first axes are equally long; its top may be left unnamed."""

    bottoms, loss = (2, 2), True

    def shapes(self, x: Shape, y: Shape, *others: Shape) -> list[Shape]:
        equal = len(x) > 0 and x[:1] == y[:1]
        self.expect(equal, f"{shape_text(x)} and {shape_text(y)} must be equally long along the first axis")
        return [()]

    def scalar(self, value: float) -> np.ndarray:
        """The loss as a blob."""
        return np.array(value, np.float32)

    def normalization(self, default: int) -> int:
        """How to normalize: `normalization`, else the older `normalize`, else the layer's own default."""
        p = self.layer.proto.loss_param
        if p.HasField("normalization"):
            return p.normalization
        if p.HasField("normalize"):
            return _VALID if p.normalize else _BATCH_SIZE
        return default

    def divisor(self, mode: int, outer: int, inner: int, valid: int) -> float:
        """What the sum of losses is divided by, at least 1."""
        return max(1.0, {_FULL: outer * inner, _VALID: valid, _BATCH_SIZE: outer, _NONE: 1}[mode])

    def counted(self, labels: np.ndarray) -> np.ndarray:
        """Which labels are not to be ignored."""
        p = self.layer.proto.loss_param
        return labels != p.ignore_label if p.HasField("ignore_label") else np.ones(labels.shape, bool)

    def inside(self, labels: np.ndarray, classes: int) -> None:
        """Refuses labels that name no class."""
        if labels.size and not ((labels >= 0) & (labels < classes)).all():
            raise self.layer.error(f"a label lies outside [0, {classes})", "bottom")


class ClassLoss(Loss):
    """A loss over one axis of scores, of which a label names the true one; a second top gives the softmax."""

    tops = (1, 2)

    def classes(self, x: Shape, y: Shape, axis: int) -> list[Shape]:
        """The shapes of the tops, the labels counted against the scores."""
        super().shapes(x, y)
        self.at = at = self.axis(axis, x)
        self.outer, self.inner = math.prod(x[:at]), math.prod(x[at + 1 :])
        wanted, found = self.outer * self.inner, math.prod(y)
        what = f"{shape_text(x)} needs {wanted} labels, one for each place along axis {at}, not {found}"
        self.expect(wanted == found, what, "axis")
        return [(), x][: len(self.layer.tops)]

    def rows(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The softmax; its rows of classes that count, and their labels."""
        prob = softmax(x, self.at) if x.size else x
        rows = np.moveaxis(prob, self.at, -1).reshape(-1, x.shape[self.at])
        labels = y.reshape(-1).astype(np.int64)
        kept = self.counted(labels)
        rows, labels = rows[kept], labels[kept]
        self.inside(labels, x.shape[self.at])
        return prob, rows, labels


@layer("SoftmaxWithLoss", field="softmax_param")
class SoftmaxWithLoss(ClassLoss):
    """-sum log softmax(x)[label], normalized over the valid labels unless told otherwise."""

    def shapes(self, x: Shape, y: Shape) -> list[Shape]:
        return self.classes(x, y, self.param.axis)

    def forward(self, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        prob, rows, labels = self.rows(x, y)
        true = np.take_along_axis(rows, labels[:, None], 1).astype(np.float64)
        total = -np.log(np.maximum(true, np.finfo(np.float32).tiny)).sum()
        divisor = self.divisor(self.normalization(_VALID), self.outer, self.inner, len(labels))
        return [self.scalar(total / divisor), prob][: len(self.layer.tops)]


@layer("InfogainLoss", field="infogain_loss_param", bottoms=(2, 3))
class InfogainLoss(ClassLoss):
    """-sum H[label] log softmax(x), H a matrix of a file or of the third bottom."""

    def shapes(self, x: Shape, y: Shape, *matrix: Shape) -> list[Shape]:
        old = self.layer.proto.loss_param.HasField("normalize")
        if old:
            raise self.layer.error('is deprecated here; use "normalization"', "loss_param.normalize")
        tops = self.classes(x, y, self.param.axis)
        self.expect(bool(matrix) or self.param.HasField("source"), "must be given without a third bottom", "source")
        count = math.prod(matrix[0]) if matrix else self.stored().size
        classes = x[self.at]
        self.expect(count == classes**2, f"the matrix has {count} numbers, not {classes} x {classes}", "source")
        return tops

    def stored(self) -> Blob:
        """The matrix in the file `source`."""
        try:
            data = open_binary_file(self.param.source, "an infogain matrix (.binaryproto)")
            return read_blob(Reader(data, self.param.source), 0, len(data))
        except TranslatorError as error:
            raise self.error(str(error), "source") from None

    def forward(self, x: np.ndarray, y: np.ndarray, *matrix: np.ndarray) -> list[np.ndarray]:
        prob, rows, labels = self.rows(x, y)
        table = (matrix[0] if matrix else self.stored().load()).reshape((x.shape[self.at],) * 2)
        logs = np.log(np.maximum(rows, LOG_THRESHOLD).astype(np.float64))
        divisor = self.divisor(self.layer.proto.loss_param.normalization, self.outer, self.inner, len(labels))
        return [self.scalar(-(table[labels] * logs).sum() / divisor), prob][: len(self.layer.tops)]


@layer("SigmoidCrossEntropyLoss")
class SigmoidCrossEntropyLoss(Loss):
    """The cross entropy of sigmoid(x) and the targets, normalized over the batch unless told otherwise."""

    def shapes(self, x: Shape, y: Shape) -> list[Shape]:
        super().shapes(x, y)
        same = math.prod(x) == math.prod(y)
        self.expect(same, f"{shape_text(x)} and {shape_text(y)} must have as many numbers")
        return [()]

    def forward(self, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        x64, y64 = x.reshape(-1).astype(np.float64), y.reshape(-1).astype(np.float64)
        kept = self.counted(y64.astype(np.int64))
        terms = np.maximum(x64, 0) - x64 * y64 + np.log1p(np.exp(-np.abs(x64)))
        divisor = self.divisor(self.normalization(_BATCH_SIZE), len(x), x.size // max(len(x), 1), kept.sum())
        return [self.scalar(terms[kept].sum() / divisor)]


@layer("EuclideanLoss")
class EuclideanLoss(Loss):
    """sum (x - y)^2 / 2N."""

    def shapes(self, x: Shape, y: Shape) -> list[Shape]:
        super().shapes(x, y)
        same = math.prod(x[1:]) == math.prod(y[1:])
        self.expect(same, f"{shape_text(x)} and {shape_text(y)} must have as many numbers an item")
        self.legacy(x)
        return [()]

    def forward(self, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        difference = x.reshape(-1).astype(np.float64) - y.reshape(-1)
        return [self.scalar(np.square(difference).sum() / np.float64(len(x)) / 2)]


@layer("HingeLoss", field="hinge_loss_param")
class HingeLoss(Loss):
    """sum max(0, 1 +- x) / N, minus for the true class; of squares with norm L2."""

    def shapes(self, x: Shape, y: Shape) -> list[Shape]:
        super().shapes(x, y)
        self.legacy(x)
        return [()]

    def forward(self, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        rows, labels = x.reshape(len(x), -1).astype(np.float64), y.reshape(-1)[: len(x)].astype(np.int64)
        self.inside(labels, rows.shape[1])
        rows[np.arange(len(x)), labels] *= -1
        terms = np.maximum(0, 1 + rows)
        squared = self.param.norm == caffe_pb2.HingeLossParameter.L2
        return [self.scalar((np.square(terms) if squared else terms).sum() / np.float64(len(x)))]


@layer("MultinomialLogisticLoss")
class MultinomialLogisticLoss(Loss):
    """-sum log p[label] / N."""

    def shapes(self, x: Shape, y: Shape) -> list[Shape]:
        super().shapes(x, y)
        self.expect(self.legacy(y, 1)[1:] == (1, 1, 1), f"the labels {shape_text(y)} must be one number an item")
        self.legacy(x)
        return [()]

    def forward(self, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        rows, labels = x.reshape(len(x), -1), y.reshape(-1).astype(np.int64)
        self.inside(labels, rows.shape[1])
        true = np.take_along_axis(rows, labels[:, None], 1).astype(np.float64)
        return [self.scalar(-np.log(np.maximum(true, LOG_THRESHOLD)).sum() / np.float64(len(x)))]


@layer("ContrastiveLoss", field="contrastive_loss_param", bottoms=(3, 3))
class ContrastiveLoss(Loss):
    """d^2 for pairs alike, max(0, margin - d)^2 for others, over 2N; d the distance of the first two bottoms."""

    def shapes(self, a: Shape, b: Shape, alike: Shape) -> list[Shape]:
        super().shapes(a, b)
        four = [self.legacy(shape, index) for index, shape in enumerate((a, b, alike))]
        flat = four[0][1:] == four[1][1:] == (four[0][1], 1, 1)
        self.expect(flat, f"{shape_text(a)} and {shape_text(b)} must be equally many channels of 1 x 1")
        self.expect(four[2][1:] == (1, 1, 1), f"the labels {shape_text(alike)} must be one number an item")
        self.expect(alike[0] >= a[0], f"{a[0]} pairs need as many labels, not {alike[0]}")
        return [()]

    def forward(self, a: np.ndarray, b: np.ndarray, alike: np.ndarray) -> list[np.ndarray]:
        p, pairs = self.param, len(a)
        squares = np.square((a - b).reshape(pairs, -1).astype(np.float64)).sum(axis=1)
        legacy = np.maximum(p.margin - squares, 0)
        apart = legacy if p.legacy_version else np.square(np.maximum(p.margin - np.sqrt(squares), 0))
        same = alike.reshape(-1)[:pairs].astype(np.int64) != 0
        return [self.scalar(np.where(same, squares, apart).sum() / np.float64(pairs) / 2)]


@layer("SmoothL1Loss", field="smooth_l1_loss_param", bottoms=(2, 4))
class SmoothL1Loss(Loss):
    """Fast R-CNN's sum of w_out f(w_in (x-y)) / N; f(d) = (sigma d)^2 / 2 if |d| < 1/sigma^2, else |d| - 1/2sigma^2."""

    def shapes(self, x: Shape, y: Shape, *weights: Shape) -> list[Shape]:
        super().shapes(x, y)
        equal = all(shape == x for shape in (y, *weights))
        self.expect(equal, f"all bottoms must have the shape {shape_text(x)}")
        return [()]

    def forward(self, x: np.ndarray, y: np.ndarray, *weights: np.ndarray) -> list[np.ndarray]:
        sigma = self.param.sigma**2
        d = (x - y).astype(np.float64) * (weights[0] if weights else 1)
        size = np.abs(d)
        terms = np.where(size < 1 / sigma, 0.5 * sigma * d * d, size - 0.5 / sigma)
        return [self.scalar((terms * (weights[1] if len(weights) > 1 else 1)).sum() / len(x))]
