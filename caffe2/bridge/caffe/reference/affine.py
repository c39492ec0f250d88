"""Layers that multiply and add: by channel, by matrix, by table."""

from __future__ import annotations

import math

import numpy as np
from google.protobuf.message import Message

from caffe2.bridge.caffe.blobs import shape_text
from caffe2.bridge.caffe.layers import Shape
from caffe2.bridge.caffe.reference.base import Reference, constant, layer


class AlongAxes(Reference):
    """What Scale and Bias share: numbers, learned or a second bottom's, that cover axes of the first from `axis` on."""

    bottoms = (1, 2)

    def operand(self, x: Shape, others: tuple[Shape, ...], filler: Message | None) -> Shape:
        """The shape of the numbers with ones behind, so that it broadcasts; declares them if they are learned."""
        p = self.param
        if others:
            shape = others[0]
        else:
            at, count = self.axis(p.axis, x), p.num_axes
            self.expect(count >= -1, f"must be -1 or more, not {count}", "num_axes")
            what = f"{count} axes from axis {at} on reach beyond the {len(x)} of the bottom"
            self.expect(at + count <= len(x), what, "num_axes")
            shape = x[at:] if count == -1 else x[at : at + count]
            self.weight(shape, filler)
        return self.broadcastable(x, shape)

    def broadcastable(self, x: Shape, shape: Shape) -> Shape:
        """`shape` with ones behind, as far as the axes of x behind it."""
        at = self.axis(self.param.axis, x) if shape else 0
        what = f"{shape_text(shape)} does not match the axes of {shape_text(x)} from axis {at} on"
        self.expect(x[at : at + len(shape)] == shape, what, "axis")
        return (*shape, *(1,) * (len(x) - at - len(shape)))


@layer("Bias", field="bias_param")
class Bias(AlongAxes):
    """x + bias."""

    def shapes(self, x: Shape, *others: Shape) -> list[Shape]:
        self.shape = self.operand(x, others, self.param.filler)
        return [x]

    def forward(self, x: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
        return [x + (others or self.values)[0].reshape(self.shape)]


@layer("Scale", field="scale_param")
class Scale(AlongAxes):
    """x scale, plus a learned bias of the same shape with `bias_term`."""

    def shapes(self, x: Shape, *others: Shape) -> list[Shape]:
        p = self.param
        self.shape = self.operand(x, others, p.filler if p.HasField("filler") else constant(1))
        if p.bias_term:
            self.weight(others[0] if others else self.weights[0].shape, p.bias_filler)
        return [x]

    def forward(self, x: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
        y = x * (others or self.values)[0].reshape(self.shape)
        return [y + self.values[-1].reshape(self.shape) if self.param.bias_term else y]


@layer("InnerProduct", field="inner_product_param")
class InnerProduct(Reference):
    """x W^T + b, the axes from `axis` on taken as one; W is [in, out] with `transpose`."""

    inplace = False

    def shapes(self, x: Shape) -> list[Shape]:
        p = self.param
        at = self.axis(p.axis, x)
        inputs, outputs = math.prod(x[at:]), p.num_output
        self.weight((inputs, outputs) if p.transpose else (outputs, inputs), p.weight_filler)
        if p.bias_term:
            self.weight((outputs,), p.bias_filler)
        self.top = (*x[:at], outputs)
        return [self.top]

    def work(self) -> int:
        return math.prod(self.top[:-1]) * math.prod(self.weights[0].shape)

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        weight = self.values[0] if self.param.transpose else self.values[0].T
        y = x.reshape(-1, weight.shape[0]) @ weight
        return [(y + self.values[1] if self.param.bias_term else y).reshape(self.top)]


@layer("Embed", field="embed_param")
class Embed(Reference):
    """The rows of a learned table [input_dim, num_output] that the bottom's numbers name, plus a bias."""

    def shapes(self, x: Shape) -> list[Shape]:
        p = self.param
        self.expect(p.num_output > 0, "must be positive", "num_output")
        self.expect(p.input_dim > 0, "must be positive", "input_dim")
        self.weight((p.input_dim, p.num_output), p.weight_filler)
        if p.bias_term:
            self.weight((p.num_output,), p.bias_filler)
        return [(*x, p.num_output)]

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        rows = x.astype(np.int64)
        inside = ((rows >= 0) & (rows < self.param.input_dim)).all()
        self.expect(bool(inside), f"the bottom has an index outside [0, {self.param.input_dim})", "input_dim")
        y = self.values[0][rows]
        return [y + self.values[1] if self.param.bias_term else y]


@layer("Parameter", field="parameter_param", bottoms=(0, 0))
class Parameter(Reference):
    """A learned blob by itself."""

    def shapes(self) -> list[Shape]:
        self.weight(self.param.shape.dim)
        return [tuple(self.param.shape.dim)]

    def forward(self) -> list[np.ndarray]:
        return [self.values[0]]


@layer("Axpy", bottoms=(3, 3))
class Axpy(Reference):
    """SENet's a x + y: a [N, C] or [N, C, 1, 1] scales the channels of x."""

    def shapes(self, a: Shape, x: Shape, y: Shape) -> list[Shape]:
        self.expect(a[:2] == x[:2] and math.prod(a[2:]) == 1, f"scale {shape_text(a)} does not match {shape_text(x)}")
        self.expect(x == y, f"{shape_text(x)} and {shape_text(y)} must be equal")
        return [x]

    def forward(self, a: np.ndarray, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        return [a.reshape(*x.shape[:2], *(1,) * (x.ndim - 2)) * x + y]
