"""Concatenation along an axis, and the splits that undo it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Gradient, Op, OutputCount, Site, gradient, op
from caffe2.ops import demand

Array = Tensor | np.ndarray
CHANNEL = {"NCHW": 1, "NHWC": 3}
"""The axis of the channels, by the order of an image's dimensions."""


class _Axis(Op):
    """The axis, given by number or as that of the channels in an order."""

    axis: int | None = None
    order: str | None = None
    add_axis: bool = False

    def bind(self, site: Site) -> None:
        if self.axis is not None and self.order is not None:
            raise EnforceNotMet(f"{site.op.type}\n  takes the argument axis or the argument order, not both")
        if self.axis is None:
            if (self.order or "NCHW") not in CHANNEL:
                raise EnforceNotMet(f"{site.op.type}\n  order is NCHW or NHWC, not {self.order!r}")
            self.axis, self.add_axis = CHANNEL[self.order or "NCHW"], False

    def at(self, count: int) -> int:
        """The axis among `count` dimensions, counted from the front."""
        if not -count <= self.axis < count:
            raise EnforceNotMet(f"axis {self.axis} is no dimension of a tensor of {count}")
        return self.axis % count


class Concat(_Axis):
    """The inputs one after another along `axis`, or along the channels in `order`; NCHW without either.

    add_axis: the inputs lie along an axis of their own, put in at `axis`, and have all dimensions alike.
    """

    def __call__(self, *inputs: Array) -> tuple[Array, Tensor]:
        first = inputs[0]
        at = self.at(first.ndim + self.add_axis)
        for k, x in enumerate(inputs):
            if x.dtype != first.dtype or x.ndim != first.ndim:
                raise EnforceNotMet(f"input {k} is {_told(x)}, input 0 {_told(first)}: types and ranks must agree")
            if x.shape != first.shape and (self.add_axis or _without(x.shape, at) != _without(first.shape, at)):
                along = "" if self.add_axis else f" but for axis {at}"
                raise EnforceNotMet(f"input {k} is {_told(x)}, input 0 {_told(first)}: shapes must agree{along}")
        sizes = [1] * len(inputs) if self.add_axis else [x.shape[at] for x in inputs]
        return self.joined(inputs, at), torch.IntTensor(sizes)

    def joined(self, inputs: tuple[Array, ...], at: int) -> Array:
        """All inputs as one, along the axis or a new one."""
        if isinstance(inputs[0], np.ndarray):
            return (np.stack if self.add_axis else np.concatenate)(inputs, at)
        return (torch.stack if self.add_axis else torch.cat)(inputs, at)


class Split(_Axis):
    """The input cut along `axis`, or along the channels in `order`; NCHW without either.

    input: of any shape.
    split: the dimensions of the parts along the axis: an argument or a blob, which comes first; without both the parts
        are equal.
    outputs: the parts.
    add_axis: the parts, one a slice, lose the axis: the inverse of Concat's.
    """

    outputs: OutputCount
    split: tuple[int, ...] = ()

    def __call__(self, x: Array, split: Tensor | None = None) -> tuple[Array, ...]:
        at = self.at(x.ndim)
        parts = cut(x, self.sizes(x.shape[at], split), at)
        return tuple(part.reshape(_without(part.shape, at)) for part in parts) if self.add_axis else parts

    def sizes(self, total: int, split: Tensor | None) -> list[int]:
        """The dimensions of the parts of `total`."""
        if split is not None and self.split:
            raise EnforceNotMet("the sizes of the parts stand in the blob split or in the argument, not in both")
        count = self.outputs
        sizes = list(self.split) if split is None else split.tolist()
        if not sizes and total % count == 0:
            sizes = [total // count] * count
        if self.add_axis:
            sizes = [1] * len(sizes)
        if len(sizes) != count or sum(sizes) != total or min(sizes) < 0:
            shown = f"sizes {sizes}" if sizes else "equal sizes"
            raise EnforceNotMet(f"a dimension of {total} does not split in {count} parts of {shown}")
        return sizes


def cut(x: Array, sizes: list[int], at: int) -> tuple[Array, ...]:
    """Copies of the parts of x along an axis, one after another of the given sizes."""
    if isinstance(x, np.ndarray):
        return tuple(part.copy() for part in np.split(x, np.cumsum(sizes[:-1], dtype=int), at))
    return tuple(torch.split_with_sizes_copy(x, sizes, at))


def _without(shape: tuple[int, ...], at: int) -> tuple[int, ...]:
    return tuple(shape[:at] + shape[at + 1 :])


def _told(x: Array) -> str:
    return f"{str(x.dtype).removeprefix('torch.')}{list(x.shape)}"


for _name in ("Concat", "DepthConcat"):
    op(
        f"{_name}: +inputs -> concat_result split_info",
        gradient="Split: dconcat_result split_info -> dinputs",
        host="split_info",
    )(Concat)
for _name in ("Split", "DepthSplit"):
    op(f"{_name}: input split? -> +outputs", types="split: int32", host="split")(Split)


@op("SplitByLengths: input lengths -> +outputs", types="lengths: int32")
class SplitByLengths(_Axis):
    """The input cut along `axis` into parts as long as equal groups of lengths, in order, add up to.

    input: of any shape.
    lengths: (L), int32, L a multiple of the number of outputs.
    outputs: the parts.
    use_scaling_lengths: the axis may be a multiple of the sum of the lengths, which then count in that unit.
    add_axis: accepted and ignored.
    """

    outputs: OutputCount
    use_scaling_lengths: bool = False

    def __call__(self, x: Array, lengths: Tensor) -> tuple[Array, ...]:
        at = self.at(x.ndim)
        demand.lengths(lengths, None, "lengths")
        if lengths.numel() % self.outputs:
            raise EnforceNotMet(f"{lengths.numel()} lengths do not make {self.outputs} equal groups")
        sizes = lengths.reshape(self.outputs, -1).sum(1).tolist()
        total = sum(sizes)
        unit = x.shape[at] // total if self.use_scaling_lengths and total else 1
        if total * unit != x.shape[at]:
            raise EnforceNotMet(f"lengths add up to {total}, and dimension {at} of input is {x.shape[at]}")
        return cut(x, [n * unit for n in sizes], at)


@gradient("Split", "DepthSplit", "SplitByLengths")
def _(g: Gradient) -> None:
    """Where nothing depends on a part, zeros stand for its gradient; the original leaves the part out."""
    grads = g.blob("doutputs")
    if not any(grads):
        return
    for k, name in enumerate(g.outputs["outputs"]):
        if grads[k] is None:
            grads[k] = f"{name}_grad"
            g.add("ConstantFill", [name], [grads[k]], copy=False, value=0.0)
    made = g.grad_name("input")
    g.add("Concat", grads, [made, f"_{made}_dims"]).set("input", made)
