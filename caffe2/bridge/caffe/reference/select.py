"""Layers that choose, count or sum up."""

from __future__ import annotations

import math

import numpy as np

from caffe2.bridge.caffe.blobs import shape_text
from caffe2.bridge.caffe.layers import Shape
from caffe2.bridge.caffe.reference.base import Reference, layer
from caffe2.proto import caffe_pb2


@layer("ArgMax", field="argmax_param")
class ArgMax(Reference):
    """The places of the `top_k` largest numbers, or these numbers; of equals, the last comes first, as in Caffe."""

    inplace = False

    def shapes(self, x: Shape) -> list[Shape]:
        p, k = self.param, self.param.top_k
        self.expect(k >= 1, "must be at least 1", "top_k")
        if p.HasField("axis"):
            self.at = at = self.axis(p.axis, x)
            self.expect(k <= x[at], f"{k} is more than the {x[at]} numbers along axis {at}", "top_k")
            return [(*x[:at], k, *x[at + 1 :])]
        self.expect(len(x) >= 1, "takes a bottom of at least 1 axis")
        count = math.prod(x[1:])
        self.expect(k <= count, f"{k} is more than the {count} numbers of each item", "top_k")
        return [(x[0], 2 if p.out_max_val else 1, k, *(1,) * (len(x) - 3))]

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        along_axis = self.param.HasField("axis")
        rows = np.moveaxis(x, self.at, -1) if along_axis else x.reshape(len(x), -1)
        places = rows.shape[-1] - 1 - np.argsort(-rows[..., ::-1], axis=-1, kind="stable")[..., : self.param.top_k]
        values = np.take_along_axis(rows, places, -1)
        if along_axis:
            return [np.moveaxis(values if self.param.out_max_val else places, -1, self.at).astype(np.float32)]
        parts = [places, values] if self.param.out_max_val else [places]
        top = np.stack(parts, axis=1).astype(np.float32)
        return [top.reshape(*top.shape, *(1,) * (x.ndim - 3))]


@layer("Reduction", field="reduction_param")
class Reduction(Reference):
    """coeff times the sum, sum of magnitudes, sum of squares or mean over the axes from `axis` on."""

    def shapes(self, x: Shape) -> list[Shape]:
        self.at = self.axis(self.param.axis, x)
        return [x[: self.at]]

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        p, operation = self.param, caffe_pb2.ReductionParameter
        rows = x.reshape(math.prod(x.shape[: self.at]), -1).astype(np.float64)
        if p.operation == operation.ASUM:
            rows = np.abs(rows)
        elif p.operation == operation.SUMSQ:
            rows = rows * rows
        total = rows.mean(axis=1) if p.operation == operation.MEAN else rows.sum(axis=1)
        return [(p.coeff * total).astype(np.float32).reshape(x.shape[: self.at])]


@layer("Eltwise", field="eltwise_param", bottoms=(2, None))
class Eltwise(Reference):
    """The product, the weighted sum or the maximum of the bottoms, number by number.

    In place, Caffe's sum has cleared the first bottom before it adds it.
    """

    def shapes(self, x: Shape, *others: Shape) -> list[Shape]:
        p, count = self.param, 1 + len(others)
        what = f"give none, or one for each of the {count} bottoms, not {len(p.coeff)}"
        self.expect(len(p.coeff) in (0, count), what, "coeff")
        product = p.operation == caffe_pb2.EltwiseParameter.PROD
        self.expect(not (product and p.coeff), "a product takes no coefficients", "coeff")
        for index, other in enumerate(others, 1):
            what = f"bottom {index} has the shape {shape_text(other)}, bottom 0 {shape_text(x)}; they must be equal"
            self.expect(other == x, what, "")
        return [x]

    def forward(self, *bottoms: np.ndarray) -> list[np.ndarray]:
        operation, coeff = self.param.operation, self.param.coeff or [1.0] * len(bottoms)
        if operation == caffe_pb2.EltwiseParameter.SUM:
            terms = [np.float32(factor) * bottom for factor, bottom in zip(coeff, bottoms, strict=True)]
            return [np.add.reduce(terms[self.overwrites :])]
        ufunc = np.multiply if operation == caffe_pb2.EltwiseParameter.PROD else np.maximum
        return [ufunc.reduce(bottoms)]


@layer("Filter", bottoms=(2, None), tops=(1, None))
class Filter(Reference):
    """Of each bottom but the last, the items for which the last, one number an item, is not 0."""

    def shapes(self, *bottoms: Shape) -> list[Shape]:
        *items, selector = bottoms
        what = f"{len(bottoms)} bottoms give {len(items)} tops, not {len(self.layer.tops)}"
        self.expect(len(self.layer.tops) == len(items), what)
        what = f"the selector {shape_text(selector)} must have one number an item"
        self.expect(len(selector) >= 1 and all(dim == 1 for dim in selector[1:]), what)
        for shape in items:
            what = f"{shape_text(shape)} and the selector {shape_text(selector)} differ in their first axis"
            self.expect(shape[:1] == selector[:1], what)
        return items

    def forward(self, *bottoms: np.ndarray) -> list[np.ndarray]:
        *items, selector = bottoms
        chosen = selector.reshape(-1) != 0
        return [item[chosen] for item in items]


@layer("BatchReindex", bottoms=(2, 2))
class BatchReindex(Reference):
    """The items of the first bottom that the second names, in its order."""

    inplace = False

    def shapes(self, x: Shape, index: Shape) -> list[Shape]:
        self.expect(len(index) == 1, f"the index bottom has 1 axis, not {shape_text(index)}")
        self.expect(len(x) >= 1, "takes a bottom of at least 1 axis")
        return [(index[0], *x[1:])]

    def forward(self, x: np.ndarray, index: np.ndarray) -> list[np.ndarray]:
        inside = ((index >= 0) & (index < len(x))).all()
        self.expect(bool(inside), f"the index bottom names an item outside [0, {len(x)})")
        return [x[index.astype(np.int64)]]


@layer("Accuracy", field="accuracy_param", bottoms=(2, 2), tops=(1, 2))
class Accuracy(Reference):
    """The share of predictions whose true class is among the `top_k` best; a second top gives it class by class."""

    def shapes(self, x: Shape, labels: Shape) -> list[Shape]:
        count = math.prod(labels)
        most = math.prod(x) // count if count else 0
        self.expect(self.param.top_k <= most, f"{self.param.top_k} is more than the {most} classes", "top_k")
        self.at = at = self.axis(self.param.axis, x)
        wanted = math.prod(x[:at]) * math.prod(x[at + 1 :])
        self.expect(wanted == count, f"{shape_text(x)} needs {wanted} labels for axis {at}, not {count}", "axis")
        return [(), (x[at],)][: len(self.layer.tops)]

    def forward(self, x: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
        scores = np.moveaxis(x, self.at, -1).reshape(-1, x.shape[self.at])
        labels = labels.reshape(-1).astype(np.int64)
        if self.param.HasField("ignore_label"):
            kept = labels != self.param.ignore_label
            scores, labels = scores[kept], labels[kept]
        inside = ((labels >= 0) & (labels < scores.shape[1])).all()
        self.expect(bool(inside), f"a label lies outside [0, {scores.shape[1]})", "axis")
        true = np.take_along_axis(scores, labels[:, None], 1)
        right = (scores >= true).sum(axis=1) - 1 < self.param.top_k
        seen = np.bincount(labels, minlength=scores.shape[1])
        hits = np.bincount(labels, right, scores.shape[1])
        total = np.float32(right.mean() if len(right) else 0)
        return [np.array(total), (hits / np.maximum(seen, 1)).astype(np.float32)][: len(self.layer.tops)]
