"""Reductions of the first, or of the last dimensions, of as many elements as `lengths` say: sums, means, maxima."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, op
from caffe2.ops.demand import readable

NUMBERS = "floating index"
ARGUMENTS = """
    lengths: for each element of {y} how many elements count, from the first on, where one dimension is reduced; int32.
        As in the original, of no elements the first counts all the same.
"""


class Cut:
    """A tensor as a matrix whose dimension `along` is reduced, and which of its elements count."""

    def __init__(self, shape: tuple[int, ...], front: bool, count: int, lengths: Tensor | None) -> None:
        if not 0 <= count <= len(shape):
            raise EnforceNotMet(f"num_reduce_dim={count} of a tensor of {len(shape)} dimensions")
        at = count if front else len(shape) - count
        head, tail = torch.Size(shape[:at]), torch.Size(shape[at:])
        self.matrix = (head.numel(), tail.numel())
        self.result = tail if front else head
        self.along = 0 if front else 1
        self.lengths = self.counting = None
        if lengths is not None:
            self._demand(lengths, count)
            self.lengths = lengths.unsqueeze(self.along)
            steps = torch.arange(self.matrix[self.along], device=lengths.device).unsqueeze(1 - self.along)
            self.counting = steps < self.lengths

    def _demand(self, lengths: Tensor, count: int) -> None:
        least, most = self.result.numel(), self.matrix[self.along]
        if count != 1 or tuple(lengths.shape) != (least,):
            raise EnforceNotMet(
                f"lengths go with num_reduce_dim=1 and are {least}, one for each result; "
                f"they are {list(lengths.shape)}, with num_reduce_dim={count}"
            )
        if readable(lengths) and lengths.numel() and not 0 <= int(lengths.min()) <= int(lengths.max()) <= most:
            raise EnforceNotMet(f"lengths lie between 0 and {most}; they are {lengths.tolist()[:8]}")

    @property
    def counted(self) -> Tensor | int:
        """How many elements each result is made of."""
        return self.matrix[self.along] if self.lengths is None else self.lengths

    def first(self) -> Tensor | None:
        """Which elements count, the first ones always."""
        if self.counting is None:
            return None
        counting = self.counting.clone()
        counting.select(self.along, 0).fill_(True)
        return counting

    def line(self, y: Tensor) -> Tensor:
        """A result, or its gradient, as a matrix with one element along the reduced dimension."""
        if y.numel() != self.result.numel():
            raise EnforceNotMet(f"a result has the shape {list(self.result)}, not {list(y.shape)}")
        return y.reshape(1, -1) if self.along == 0 else y.reshape(-1, 1)


def summed(x: Tensor, cut: Cut) -> Tensor:
    """The sums along the reduced dimension, which it keeps."""
    counting = cut.first() if x.numel() else None
    kept = x if counting is None else torch.where(counting, x, 0)
    return kept.sum(cut.along, keepdim=True, dtype=x.dtype)


def averaged(x: Tensor, cut: Cut) -> Tensor:
    total = summed(x, cut)
    return divided(total, cut) if x.numel() else total


def divided(x: Tensor, cut: Cut) -> Tensor:
    return x / cut.counted if x.is_floating_point() else torch.div(x, cut.counted, rounding_mode="trunc").to(x.dtype)


def greatest(x: Tensor, cut: Cut) -> Tensor:
    if not x.numel():
        return x.sum(cut.along, keepdim=True)
    counting = cut.first()
    return torch.amax(x if counting is None else torch.where(counting, x, float("-inf")), cut.along, keepdim=True)


def spread(dy: Tensor, cut: Cut) -> Tensor:
    """dY at every element that counts, else 0."""
    wide = dy.expand(cut.matrix)
    return wide.clone(memory_format=torch.contiguous_format) if cut.counting is None else wide * cut.counting


def spread_mean(dy: Tensor, cut: Cut) -> Tensor:
    if cut.counting is None:
        return spread(divided(dy, cut), cut)
    return torch.where(cut.counting, divided(dy, cut), 0)


def reduction(front: bool, function: Callable) -> Callable:
    def body(x: Tensor, lengths: Tensor | None = None, *, num_reduce_dim: int = 1) -> Tensor:
        cut = Cut(x.shape, front, num_reduce_dim, lengths)
        return function(x.reshape(cut.matrix), cut).reshape(cut.result)

    return body


def of_x(dy: Tensor, x: Tensor, lengths: Tensor | None = None, **_: object) -> Tensor | None:
    """The shape of X where X is itself and not its shape, which only the data can tell."""
    return None if x.dim() == 1 and x.dtype is torch.int64 else dy.new_empty(x.shape)


def gradient_of_sum(front: bool, function: Callable) -> Callable:
    def body(dy: Tensor, x: Tensor, lengths: Tensor | None = None, *, num_reduce_dim: int = 1) -> Tensor:
        shape = tuple(x.tolist()) if x.dim() == 1 and x.dtype is torch.int64 else tuple(x.shape)
        cut = Cut(shape, front, num_reduce_dim, lengths)
        return function(cut.line(dy), cut).reshape(shape)

    return body


def gradient_of_max(front: bool) -> Callable:
    def body(dy: Tensor, x: Tensor, y: Tensor, lengths: Tensor | None = None, *, num_reduce_dim: int = 1) -> Tensor:
        cut = Cut(x.shape, front, num_reduce_dim, lengths)
        found = x.reshape(cut.matrix) == cut.line(y)
        if cut.counting is not None:
            found &= cut.counting
        return torch.where(found, cut.line(dy), 0).reshape(x.shape)

    return body


def result(front: bool) -> Callable:
    def shape(x: Tensor, lengths: Tensor | None = None, *, num_reduce_dim: int = 1) -> Tensor:
        return x.new_empty(Cut(x.shape, front, num_reduce_dim, None).result)

    return shape


for place, front in (("Front", True), ("Back", False)):
    over = f"over the {'first' if front else 'last'} dimensions"
    for name, word, function, slope, of_slope in (
        ("Sum", "sums", summed, spread, "dY at every element that was summed"),
        ("Mean", "means", averaged, spread_mean, "dY / n at each of the n elements that were averaged"),
    ):
        op(
            f"Reduce{place}{name}: X lengths? -> Y",
            doc=f"The {word} of X {over}.\n{ARGUMENTS.format(y='Y')}",
            types=f"X: {NUMBERS}, lengths: int32",
            gradient=f"Reduce{place}{name}Gradient: dY X lengths? -> dX",
            shape=result(front),
        )(reduction(front, function))
        op(
            f"Reduce{place}{name}Gradient: dY X lengths? -> dX",
            doc=f"dX = {of_slope} {over}, else 0.\n{ARGUMENTS.format(y='dY')}\n    X: it, or its shape as int64.",
            types=f"dY: {NUMBERS}, lengths: int32",
            shape=of_x,
        )(gradient_of_sum(front, slope))
    op(
        f"Reduce{place}Max: X lengths? -> Y",
        doc=f"The maxima of X {over}; 0 of an empty tensor.\n{ARGUMENTS.format(y='Y')}",
        types="X: floating, lengths: int32",
        gradient=f"Reduce{place}MaxGradient: dY X Y lengths? -> dX",
        shape=result(front),
    )(reduction(front, greatest))
    op(
        f"Reduce{place}MaxGradient: dY X Y lengths? -> dX",
        doc=f"dX = dY wherever X is its maximum Y {over}, else 0.\n{ARGUMENTS.format(y='Y')}",
        types="dY=X=Y: floating, lengths: int32",
        like="X",
    )(gradient_of_max(front))
