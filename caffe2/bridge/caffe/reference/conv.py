"""Convolution, its transpose, and the patches it works on."""

from __future__ import annotations

import math

import numpy as np

from caffe2.bridge.caffe.blobs import shape_text
from caffe2.bridge.caffe.layers import Shape
from caffe2.bridge.caffe.reference.base import Reference, layer
from caffe2.bridge.caffe.reference.windows import DILATIONS, Kernel, patches, read_kernel, scatter


def positions(spatial: Shape, kernel: Kernel) -> Shape:
    """At how many places the kernel lies along each axis.

    C++ rounds the division toward zero, so a kernel slightly larger than its padded input still has one place.
    """
    sizes = zip(spatial, kernel.pad, kernel.extent, kernel.stride, strict=True)
    gaps = [(size + 2 * pad - extent, stride) for size, pad, extent, stride in sizes]
    return tuple((gap // stride if gap >= 0 else -(-gap // stride)) + 1 for gap, stride in gaps)


class Convolving(Reference):
    """What both directions share: over the axes behind `axis`, one weight, perhaps a bias, any number of bottoms."""

    inplace = False
    field = "convolution_param"
    bottoms, tops, paired = (1, None), (1, None), True
    forks = DILATIONS

    def shapes(self, *bottoms: Shape) -> list[Shape]:
        p, x = self.param, bottoms[0]
        for index, other in enumerate(bottoms[1:], 1):
            what = f"bottom {index} has the shape {shape_text(other)}, bottom 0 {shape_text(x)}; they must be equal"
            self.expect(other == x, what, "bottom")
        self.at = self.channel_axis(x)
        self.kernel = self.read_kernel(len(x) - self.at - 1)
        self.channels, self.outputs = x[self.at], p.num_output
        self.group = self.read_group()
        self.expect(self.outputs > 0, "must be positive", "num_output")
        self.expect(self.group > 0, "must be positive", "group")
        what = f"{self.group} groups do not divide "
        self.expect(self.channels % self.group == 0, f"{what}the {self.channels} input channels", "group")
        self.expect(self.outputs % self.group == 0, f"{what}num_output, {self.outputs}", "group")
        self.weight((*self.weight_channels(), *self.kernel.size), p.weight_filler)
        if p.bias_term:
            self.weight((self.outputs,), p.bias_filler)
        self.out = self.out_shape(x[self.at + 1 :])
        return [(*x[: self.at], self.outputs, *self.out)] * len(bottoms)

    def channel_axis(self, x: Shape) -> int:
        """Which axis has the channels."""
        return self.axis(self.param.axis, x)

    def read_kernel(self, axes: int) -> Kernel:
        """The kernel over that many spatial axes."""
        return read_kernel(self, axes)

    def read_group(self) -> int:
        """Into how many groups channels are divided."""
        return self.param.group

    def weight_channels(self) -> Shape:
        """The first two sizes of the weight."""
        return self.outputs, self.channels // self.group

    def out_shape(self, spatial: Shape) -> Shape:
        """The spatial sizes of the top."""
        raise NotImplementedError

    def forward(self, *bottoms: np.ndarray) -> list[np.ndarray]:
        return [self._one(x) for x in bottoms]

    def _one(self, x: np.ndarray) -> np.ndarray:
        lead, spatial = x.shape[: self.at], x.shape[self.at + 1 :]
        images = x.reshape(-1, self.group, self.channels // self.group, *spatial)
        weight = self.values[0].reshape(self.group, -1, math.prod(self.values[0].shape[1:]))
        y = np.empty((len(images), self.outputs, *self.out), np.float32)
        for image, result in zip(images, y, strict=True):
            result[...] = self.image(image, weight).reshape(result.shape)
        if self.param.bias_term:
            y += self.values[1].reshape(-1, *(1,) * len(self.out))
        return y.reshape(*lead, self.outputs, *self.out)

    def work(self) -> int:
        where = self.layer.bottom_shapes[0]
        places = where[self.at + 1 :] if isinstance(self, Deconvolution) else self.out
        images = math.prod(where[: self.at]) * len(self.layer.bottoms)
        return images * math.prod(self.weights[0].shape) * math.prod(places)

    def scratch(self) -> int:
        where = self.layer.bottom_shapes[0]
        places = where[self.at + 1 :] if isinstance(self, Deconvolution) else self.out
        return 3 * max(self.channels, self.outputs) * math.prod(self.kernel.size) * math.prod(places)

    def image(self, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """One image x [group, channels, *spatial] through the weight [group, rows, columns]."""
        raise NotImplementedError


@layer("Convolution", "ConvolutionDepthwise", "DepthwiseConvolution")
class Convolution(Convolving):
    """The cross-correlation of each bottom with the weight [out, in/group, *kernel], plus the bias."""

    def read_group(self) -> int:
        return self.channels if self.layer.type.endswith("Depthwise") else self.param.group

    def out_shape(self, spatial: Shape) -> Shape:
        return positions(spatial, self.kernel)

    def image(self, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return weight @ patches(x, self.kernel, self.out).reshape(self.group, weight.shape[2], -1)


@layer("Deconvolution", "DeconvolutionDepthwise")
class Deconvolution(Convolving):
    """The transpose of the convolution with the weight [in, out/group, *kernel], plus the bias."""

    def read_group(self) -> int:
        return self.channels if self.layer.type.endswith("Depthwise") else self.param.group

    def weight_channels(self) -> Shape:
        return self.channels, self.outputs // self.group

    def out_shape(self, spatial: Shape) -> Shape:
        k = self.kernel
        sizes = zip(spatial, k.pad, k.extent, k.stride, strict=True)
        return tuple(stride * (size - 1) + extent - 2 * pad for size, pad, extent, stride in sizes)

    def image(self, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        columns = weight.transpose(0, 2, 1) @ x.reshape(*x.shape[:2], -1)
        columns = columns.reshape(self.group, -1, *self.kernel.size, *x.shape[2:])
        return scatter(columns, self.kernel, self.out)


@layer("Im2col", field="convolution_param")
class Im2col(Reference):
    """The patches that a convolution sees, laid out as channels: [..., channels x kernel, *positions]."""

    inplace, forks = False, DILATIONS

    def shapes(self, x: Shape) -> list[Shape]:
        self.at = self.axis(self.param.axis, x)
        spatial = x[self.at + 1 :]
        self.expect(len(spatial) >= 1, f"{shape_text(x)} has no axis behind axis {self.at}", "axis")
        self.kernel = k = read_kernel(self, len(spatial))
        self.out = positions(spatial, k)
        return [(*x[: self.at], x[self.at] * math.prod(k.size), *self.out)]

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        columns = patches(x, self.kernel, self.out)
        return [columns.reshape(*x.shape[: self.at], x.shape[self.at] * math.prod(self.kernel.size), *self.out)]
