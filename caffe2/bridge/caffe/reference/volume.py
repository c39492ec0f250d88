"""C3D's convolution and pooling over time and space: blobs are [num, channels, length, height, width]."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from google.protobuf.message import Message

from caffe2.bridge.caffe.layers import Shape
from caffe2.bridge.caffe.reference.base import Reference, layer
from caffe2.bridge.caffe.reference.conv import Convolving, positions
from caffe2.bridge.caffe.reference.pool import pool, windows
from caffe2.bridge.caffe.reference.windows import Kernel, patches

TIMES = ("kernel_depth", "temporal_stride", "temporal_pad", "filter_group")


def _one(values: object) -> int:
    """A size that one schema has once and another repeats."""
    return values if isinstance(values, int) else (values[0] if values else 0)


def volume_kernel(reference: Reference, p: Message, more: Message) -> Kernel:
    """The kernel of size (kernel_depth, kernel_size, kernel_size), with `temporal_` stride and pad along time.

    `more` has the fields of time where `p`, a message of Caffe's own, lacks them.
    """
    size, stride = _one(p.kernel_size), _one(p.stride) or 1
    depth, step = more.kernel_depth, more.temporal_stride
    reference.expect(size > 0, "must be positive", "kernel_size")
    reference.expect(depth > 0, "must be positive", "kernel_depth")
    reference.expect(step > 0, "must be positive", "temporal_stride")
    pad = _one(p.pad)
    return Kernel((depth, size, size), (step, stride, stride), (more.temporal_pad, pad, pad), (1, 1, 1))


@layer("Convolution3D", field="convolution3d_param")
class Convolution3D(Convolving):
    """The cross-correlation with a weight [out, in, depth, height, width], plus the bias.

    Old files have the parameters in convolution_param. `filter_group` divides the work, not the channels.
    """

    bottoms, tops = (1, 1), (1, 1)
    forks = frozenset(f"convolution_param.{name}" for name in TIMES)

    @cached_property
    def own(self) -> bool:
        """Whether the layer has the message of its own."""
        return self.layer.fork.HasField("convolution3d_param")

    @property
    def param(self) -> Message:
        return self.layer.fork.convolution3d_param if self.own else self.layer.proto.convolution_param

    def shapes(self, x: Shape) -> list[Shape]:
        self.expect(len(x) == 5, f"takes a bottom of 5 axes (num, channels, length, height, width), not {len(x)}")
        return super().shapes(x)

    def channel_axis(self, x: Shape) -> int:
        return 1

    def read_group(self) -> int:
        return 1

    def read_kernel(self, axes: int) -> Kernel:
        return volume_kernel(self, self.param, self.param if self.own else self.layer.fork.convolution_param)

    def out_shape(self, spatial: Shape) -> Shape:
        return positions(spatial, self.kernel)

    def image(self, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return weight @ patches(x, self.kernel, self.out).reshape(self.group, weight.shape[2], -1)


@layer("Pooling3D", field="pooling3d_param")
class Pooling3D(Reference):
    """The maximum or mean of each window of time and space."""

    inplace, forks = False, frozenset(f"pooling_param.{name}" for name in TIMES)

    @property
    def param(self) -> Message:
        fork = self.layer.fork
        return fork.pooling3d_param if fork.HasField("pooling3d_param") else self.layer.proto.pooling_param

    def shapes(self, x: Shape) -> list[Shape]:
        self.expect(len(x) == 5, f"takes a bottom of 5 axes (num, channels, length, height, width), not {len(x)}")
        fork = self.layer.fork
        own = fork.HasField("pooling3d_param")
        kernel = volume_kernel(self, self.param, fork.pooling3d_param if own else fork.pooling_param)
        small = all(pad < size for pad, size in zip(kernel.pad, kernel.size, strict=True))
        self.expect(small, f"{kernel.pad} must be smaller than the kernel {kernel.size}", "pad")
        self.windows = windows(kernel, x[2:])
        return [(*x[:2], *self.windows.out)]

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        return [pool(x, self.param.pool, self.windows)]
