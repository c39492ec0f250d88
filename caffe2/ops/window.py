"""Sliding windows: the arguments and the geometry that convolutions, poolings and their kin share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Op

Axes = tuple[int, ...]
"""One number for each spatial axis."""

AXES = {"1D": " along one spatial axis", "2D": " along two spatial axes", "3D": " along three spatial axes"}
"""What the end of an operator's name says of its windows."""

EXPLICIT, VALID, SAME, CAFFE_POOLING = range(4)
"""Values of the argument legacy_pad: caffe2.LegacyPadding."""


class Frame(NamedTuple):
    """A window settled for one size of image, each field with one number a spatial axis."""

    kernel: Axes
    stride: Axes
    dilation: Axes
    head: Axes  # zeros or blanks before the image
    tail: Axes  # and after it

    @property
    def even(self) -> bool:
        """Whether both sides of every axis are padded alike."""
        return self.head == self.tail

    def out(self, size: Sequence[int]) -> Axes:
        """How many windows fit along each axis of an image. Raises EnforceNotMet where none does."""
        found = []
        for n, k, s, d, head, tail in zip(size, *self):
            span = d * (k - 1) + 1
            if n + head + tail < span:
                raise EnforceNotMet(f"a window spanning {span} does not fit an axis of {n} padded by {head} and {tail}")
            found.append((n + head + tail - span) // s + 1)
        return tuple(found)

    def pad(self, x: Tensor, first: int, value: float = 0.0) -> Tensor:
        """x with its spatial axes, of which `first` is the first, padded."""
        if not any(self.head) and not any(self.tail):
            return x
        widths = [0, 0] * (x.dim() - first - len(self.kernel))
        for head, tail in zip(reversed(self.head), reversed(self.tail)):
            widths += head, tail
        return F.pad(x, widths, value=value)

    def unpad(self, x: Tensor, first: int, size: Sequence[int]) -> Tensor:
        """The image of a size within its padding."""
        for axis, (head, n) in enumerate(zip(self.head, size), first):
            if x.shape[axis] != n:
                x = F.pad(x, [0, 0] * (x.dim() - axis - 1) + [-head, n + head - x.shape[axis]])
        return x


class Window(Op):
    """Base of operators that slide a window over the spatial axes of a batch of images.

    kernel, kernel_h, kernel_w, kernels: the size of the window: kernel for both axes of an image, kernel_h with
        kernel_w for each, or kernels, one number for every spatial axis; required without global_pooling.
    stride, stride_h, stride_w, strides: how far apart neighbouring windows are, in elements of X, given like the
        kernel; 1 by default.
    dilation, dilation_h, dilation_w, dilations: how far apart neighbouring elements of a window are, given like the
        kernel; 1 by default.
    pad, pad_t, pad_l, pad_b, pad_r, pads: how many elements are added around the image: pad at all four sides, all of
        pad_t, pad_l, pad_b, pad_r (top, left, bottom, right) at each, or pads, before each spatial axis and then behind
        each; 0 by default.
    legacy_pad: 0: the padding is as given; 1 (VALID): none; 2 (SAME): such that H' = ceil(H / stride), the larger half
        behind; 3: as Caffe pools, the padding given and behind it as much as a last, partial window needs.
    global_pooling: the window is the whole image, whatever its size; kernel, stride, dilation and padding are not
        given.
    order: NCHW: channels before the spatial axes; NHWC: after them.
    """

    kernel: int | None = None
    kernels: tuple[int, ...] = ()
    kernel_h: int | None = None
    kernel_w: int | None = None
    stride: int | None = None
    strides: tuple[int, ...] = ()
    stride_h: int | None = None
    stride_w: int | None = None
    dilation: int | None = None
    dilations: tuple[int, ...] = ()
    dilation_h: int | None = None
    dilation_w: int | None = None
    pad: int | None = None
    pads: tuple[int, ...] = ()
    pad_t: int | None = None
    pad_l: int | None = None
    pad_b: int | None = None
    pad_r: int | None = None
    legacy_pad: int = EXPLICIT
    global_pooling: bool = False
    order: str = "NCHW"

    def bind(self, site: object) -> None:
        self.last = channels_last(self.order)
        if self.legacy_pad not in range(4):
            raise EnforceNotMet(f"legacy_pad is 0, 1, 2 or 3, not {self.legacy_pad}")
        self.first_axis = 1 if self.last else 2
        kernel = self._per_axis("kernel", ())
        if not kernel and not self.global_pooling:
            raise EnforceNotMet("the window's size is missing: give kernel, kernel_h and kernel_w, or kernels")
        self.rank = len(kernel)
        fill = (1,) * self.rank
        stride, dilation = self._per_axis("stride", fill), self._per_axis("dilation", fill)
        pads = self._pads()
        if not self.global_pooling:
            self._check(kernel, stride, dilation, pads)
        elif any(pads) or any(v != 1 for v in stride + dilation):
            raise EnforceNotMet("global_pooling takes the whole image: give no stride, dilation or padding with it")
        self.settled = Frame(kernel, stride, dilation, pads[: self.rank], pads[self.rank :])

    def frame(self, x: Tensor) -> Frame:
        """The window for an image of the size of x. Raises EnforceNotMet where x has another rank."""
        if self.global_pooling:
            size = self.size(x)
            ones, zeros = (1,) * len(size), (0,) * len(size)
            return Frame(size, ones, ones, zeros, zeros)
        settled = self.settled if x.dim() == self.rank + 2 else self._of_rank(x.dim() - 2)
        return self._legacy(settled, self.size(x)) if self.legacy_pad else settled

    def size(self, x: Tensor) -> Axes:
        """The spatial part of the shape of x."""
        return tuple(x.shape[1:-1] if self.last else x.shape[2:])

    def _per_axis(self, name: str, default: Axes) -> Axes:
        one, many = getattr(self, name), getattr(self, name + "s")
        if one is not None:
            return (*many, one, one)[:2]  # the list goes first, and is cut, as in the original
        high, wide = getattr(self, name + "_h"), getattr(self, name + "_w")
        if high is not None and wide is not None:  # one of them alone says nothing, as in the original
            return (*many, high, wide)
        return many or default

    def _pads(self) -> Axes:
        sides = (self.pad_t, self.pad_l, self.pad_b, self.pad_r)
        if self.pad is not None:
            pads = (self.pads + (self.pad,) * 4)[:4]
        else:
            pads = self.pads + (sides if None not in sides else ())
        if pads and self.legacy_pad in (VALID, SAME):
            raise EnforceNotMet("legacy_pad VALID and SAME settle the padding: give none with them")
        return pads or (0,) * (2 * self.rank)

    def _check(self, kernel: Axes, stride: Axes, dilation: Axes, pads: Axes) -> None:
        counts = {"kernel": len(kernel), "stride": len(stride), "dilation": len(dilation), "pads": len(pads) / 2}
        if len(set(counts.values())) > 1:
            raise EnforceNotMet(f"the window's arguments are of different ranks: {counts}")
        for name, values in (("kernel", kernel), ("stride", stride), ("dilation", dilation)):
            if min(values) < 1:
                raise EnforceNotMet(f"{name} is {values}; it must be positive")

    def _of_rank(self, rank: int) -> Frame:
        """The window for another number of axes, where one number for all of them was given."""
        if rank < 1 or self.kernel is None or any(len(set(field)) > 1 for field in self.settled):
            raise EnforceNotMet(f"the window has {self.rank} axes and X {rank} besides the batch and the channels")
        return Frame(*(field[:1] * rank for field in self.settled))

    def _legacy(self, settled: Frame, size: Axes) -> Frame:
        kernel, stride, dilation, head, _ = settled
        if self.legacy_pad == VALID:
            return settled
        if self.legacy_pad == SAME:
            need = [(math.ceil(n / s) - 1) * s + k - n for n, k, s in zip(size, kernel, stride)]
            head = tuple(int(p / 2) for p in need)
            return Frame(kernel, stride, dilation, head, tuple(p - h for p, h in zip(need, head)))
        return Frame(kernel, stride, dilation, head, tuple(map(_caffe_tail, size, kernel, stride, head)))


def _caffe_tail(n: int, kernel: int, stride: int, head: int) -> int:
    """The padding after an axis with which rounding down gives the count that Caffe, rounding up, would."""
    room = n + 2 * head - kernel
    count = math.ceil(room / stride) + 1
    if head > 0 and (count - 1) * stride >= n + head:  # the last window would start outside the image
        count -= 1
    return head + stride * (count - (room // stride + 1))


def channels_last(order: str) -> bool:
    """Whether a storage order has the channels last. Raises EnforceNotMet for an unknown order."""
    if order.upper() not in ("NCHW", "NHWC"):
        raise EnforceNotMet(f"the storage order {order!r} is unknown; it is NCHW or NHWC")
    return order.upper() == "NHWC"


def lies_last(x: Tensor) -> bool:
    """Whether images N C H W lie in memory with their channels last, as convolutions on the CPU leave them."""
    return x.dim() == 4 and not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)


def steps(x: Tensor, axis: int, kernel: int, stride: int, dilation: int, count: int) -> list[Tensor]:
    """Views of x that hold, for each position within a window, that element of all `count` windows along an axis."""
    before = (slice(None),) * axis
    reach = (count - 1) * stride + 1
    return [x[(*before, slice(k * dilation, k * dilation + reach, stride))] for k in range(kernel)]
