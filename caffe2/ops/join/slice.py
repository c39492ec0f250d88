"""Slices of a tensor, and the gradient that puts them back in place."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Gradient, Op, Site, gradient, op
from caffe2.ops import demand

Array = Tensor | np.ndarray


class _Bounds(Op):
    """Where slices start and end: arguments, unless blobs hold them."""

    starts: tuple[int, ...] | None = None
    ends: tuple[int, ...] | None = None

    def bind(self, site: Site) -> None:
        if len(site.inputs) > 2:  # the blobs are given
            return
        if self.starts is None or self.ends is None or len(self.starts) != len(self.ends):
            raise EnforceNotMet(f"{site.op.type}\n  takes starts and ends, as many of each: {self.starts}, {self.ends}")

    def window(self, shape: tuple[int, ...], starts: Tensor | None, ends: Tensor | None) -> tuple[slice, ...]:
        """The slice of each dimension that is bounded; bounds below 0 count from one past the end, -1."""
        if starts is None:
            first, last = self.starts, self.ends
        else:
            demand.rank(starts, 1, "starts")
            demand.rank(ends, 1, "ends")
            first, last = starts.tolist(), ends.tolist()
        if len(first) != len(last) or len(first) > len(shape):
            raise EnforceNotMet(f"starts {first} and ends {last} do not bound slices of the shape {tuple(shape)}")
        return tuple(_bounded(n, a, b) for n, a, b in zip(shape, first, last))


def _bounded(size: int, start: int, end: int) -> slice:
    if not size:
        return slice(0, 0)
    low, high = (min(b + size + 1 if b < 0 else b, size) for b in (start, end))
    if not 0 <= low <= high:
        raise EnforceNotMet(f"a slice from {start} to {end} of a dimension of {size} runs backwards or out of it")
    return slice(low, high)


@op(
    "Slice: X starts? ends? -> Y",
    types="starts ends: index",
    arity=lambda i, o: i != 2,
    host="starts ends",
    view=True,
    differs="slices in several dimensions at once, where the original takes one",
)
class Slice(_Bounds):
    """A box cut out of X: Y = X[starts[0]:ends[0], starts[1]:ends[1], ...].

    Bounds beyond a dimension stop at its end; negative ones count from it, -1 being the end itself. Dimensions without
    bounds stay whole.

    X: of any shape.
    Y: ends - starts along each dimension.
    """

    def __call__(self, x: Array, starts: Tensor | None = None, ends: Tensor | None = None) -> Array:
        return x[self.window(x.shape, starts, ends)]


@gradient("Slice")
def _(g: Gradient) -> None:
    g.op("SliceGradient: X starts? ends? dY -> dX")


@op(
    "SliceGradient: X starts? ends? dY -> dX",
    types="starts ends: index",
    arity=lambda i, o: i != 3,
    host="starts ends",
)
class SliceGradient(_Bounds):
    """dX is dY in the place of the slice and 0 elsewhere."""

    def __call__(self, x: Tensor, starts: Tensor | None, ends: Tensor | None, dy: Tensor) -> Tensor:
        dx = dy.new_zeros(x.shape)
        dx[self.window(x.shape, starts, ends)] = dy
        return dx
