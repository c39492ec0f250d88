"""Kernels that slide over spatial axes: their parameters, and the patches of an array that they see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from caffe2.bridge.caffe.layers import Shape
from caffe2.bridge.caffe.reference.base import Reference

DILATIONS = frozenset(f"convolution_param.{name}{end}" for name in ("hole", "dilation") for end in ("", "_h", "_w"))
"""The fields by which forks dilate a kernel."""


@dataclass(frozen=True)
class Kernel:
    """A kernel's size, stride, pad and dilation along each spatial axis."""

    size: Shape
    stride: Shape
    pad: Shape
    dilation: Shape

    @property
    def extent(self) -> Shape:
        """How far the kernel reaches: dilation (size - 1) + 1."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.size, self.dilation, strict=True))


def read_kernel(reference: Reference, axes: int) -> Kernel:
    """The kernel of a ConvolutionParameter over `axes` spatial axes, given once, once for each axis, or as _h and _w.

    Raises:
        LayerError: sizes given in a way that Caffe refuses, or a size or stride of 0.
    """
    size = _sizes(reference, "kernel_size", "kernel", axes)
    stride = _sizes(reference, "stride", "stride", axes, 1)
    pad = _sizes(reference, "pad", "pad", axes, 0)
    dilation = _dilation(reference, axes)
    reference.expect(all(size), "must not be 0", "kernel_size")
    reference.expect(all(stride), "must not be 0", "stride")
    return Kernel(size, stride, pad, dilation)


def _sizes(reference: Reference, name: str, stem: str, axes: int, default: int | None = None) -> Shape:
    param = reference.param
    given = tuple(getattr(param, name))
    if param.HasField(f"{stem}_h") or param.HasField(f"{stem}_w"):
        what = f"{stem}_h and {stem}_w are for 2 spatial axes, and this layer has {axes}"
        reference.expect(axes == 2, what, f"{stem}_h")
        reference.expect(not given, f"give {name}, or {stem}_h and {stem}_w, not both", name)
        return getattr(param, f"{stem}_h"), getattr(param, f"{stem}_w")
    if not given and default is not None:
        given = (default,)
    what = f"given {len(given)} times; give it once, or once for each of the {axes} spatial axes"
    reference.expect(len(given) in (1, axes), what, name)
    return given * axes if len(given) == 1 else given


def _dilation(reference: Reference, axes: int) -> Shape:
    """The dilation; forks call it `hole` or give it as dilation_h and dilation_w."""
    fork = reference.layer.fork.convolution_param
    for name in ("dilation", "hole"):
        if axes == 2 and (fork.HasField(f"{name}_h") or fork.HasField(f"{name}_w")):
            return max(getattr(fork, f"{name}_h"), 1), max(getattr(fork, f"{name}_w"), 1)
    if fork.HasField("hole"):
        return (fork.hole,) * axes
    return _sizes_once(reference, axes)


def _sizes_once(reference: Reference, axes: int) -> Shape:
    given = tuple(reference.param.dilation) or (1,)
    what = f"given {len(given)} times; give it once, or once for each of the {axes} spatial axes"
    reference.expect(len(given) in (1, axes), what, "dilation")
    return given * axes if len(given) == 1 else given


def padded(x: np.ndarray, kernel: Kernel, out: Sequence[int], fill: float = 0) -> np.ndarray:
    """x with pads before its last axes, and behind them as far as the `out` positions of the kernel reach."""
    axes = len(kernel.size)
    need = [(o - 1) * s + e for o, s, e in zip(out, kernel.stride, kernel.extent, strict=True)]
    size = [max(n, p + d) for n, p, d in zip(need, kernel.pad, x.shape[x.ndim - axes :], strict=True)]
    if list(x.shape[x.ndim - axes :]) == size:
        return x
    y = np.full((*x.shape[: x.ndim - axes], *size), fill, x.dtype)
    inner = tuple(slice(p, p + d) for p, d in zip(kernel.pad, x.shape[x.ndim - axes :], strict=True))
    y[(..., *inner)] = x
    return y


def patches(x: np.ndarray, kernel: Kernel, out: Sequence[int], fill: float = 0) -> np.ndarray:
    """A view of x [..., *spatial] as [..., *kernel.size, *out]: what each kernel element sees at each position."""
    y = padded(x, kernel, out, fill)
    lead = y.ndim - len(kernel.size)
    inner = [step * d for step, d in zip(y.strides[lead:], kernel.dilation, strict=True)]
    outer = [step * s for step, s in zip(y.strides[lead:], kernel.stride, strict=True)]
    shape = (*y.shape[:lead], *kernel.size, *out)
    return np.lib.stride_tricks.as_strided(y, shape, (*y.strides[:lead], *inner, *outer), writeable=False)


def scatter(columns: np.ndarray, kernel: Kernel, out: Sequence[int]) -> np.ndarray:
    """The sum of columns [..., *kernel.size, *positions] put where each patch lies: `patches` transposed."""
    axes = len(kernel.size)
    lead, positions = columns.shape[: columns.ndim - 2 * axes], columns.shape[columns.ndim - axes :]
    room = [(n - 1) * s + e for n, s, e in zip(positions, kernel.stride, kernel.extent, strict=True)]
    size = [max(r, p + o) for r, p, o in zip(room, kernel.pad, out, strict=True)]
    y = np.zeros((*lead, *size), columns.dtype)
    if math.prod(positions):
        for index in np.ndindex(*kernel.size):
            starts = [i * d for i, d in zip(index, kernel.dilation, strict=True)]
            spots = tuple(
                slice(b, b + (n - 1) * s + 1, s) for b, n, s in zip(starts, positions, kernel.stride, strict=True)
            )
            y[(..., *spots)] += columns[(..., *index, *(slice(None),) * axes)]
    return y[(..., *(slice(p, p + o) for p, o in zip(kernel.pad, out, strict=True)))]
