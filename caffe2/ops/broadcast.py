"""Caffe2's two ways to combine tensors of unlike shape: NumPy's, and the older one of the argument `broadcast`.

A: of any shape.
B: of the shape of A, or of one that broadcasts against it.
C: of the shape to which A and B broadcast.
broadcast: B lies within the dimensions of A from `axis` on, and C has the shape of A; without it, shapes follow NumPy's
    rules.
axis: with `broadcast`, the dimension of A where those of B begin; -1: B has the last ones.
axis_str, order: instead of `axis`, a letter of order, such as C of NCHW.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet

Binary = Callable[[Tensor, Tensor], Tensor]


def first_dimension(a: Tensor, b: Tensor, axis: int = -1, axis_str: str = "", order: str = "NCHW") -> int:
    """The dimension of A at which B's first one lies: `axis`, or that of the letter axis_str in order, or B is last.

    Raises EnforceNotMet where both are given, the letter is unknown, or B would stick out of A.
    """
    if axis != -1 and axis_str:
        raise EnforceNotMet(f"axis={axis} and axis_str={axis_str!r} say the same thing; give one")
    if axis_str:
        axis = order.find(axis_str)
        if axis < 0 or len(axis_str) != 1:
            raise EnforceNotMet(f"axis_str={axis_str!r} is no letter of order={order!r}")
    room = a.dim() - b.dim()
    first = room if axis == -1 else axis
    if not 0 <= first <= room:
        raise EnforceNotMet(f"B{list(b.shape)} does not lie within A{list(a.shape)} at axis {axis}")
    return first


def align(a: Tensor, b: Tensor, axis: int = -1, axis_str: str = "", order: str = "NCHW") -> Tensor:
    """A view of B that NumPy's rules broadcast against A as `broadcast=1` says: from dimension `axis` of A on."""
    if b.numel() == 1:
        return b.reshape(())
    first = first_dimension(a, b, axis, axis_str, order)
    after = a.dim() - b.dim() - first
    return b.reshape(b.shape + (1,) * after) if after else b


def reduce_to(x: Tensor, like: Tensor) -> Tensor:
    """X summed over the dimensions along which a tensor of the shape of `like` was broadcast; X itself if none."""
    return x if x.shape == like.shape else x.sum_to_size(like.shape).to(like.dtype)


def in_shape(x: Tensor, like: Tensor) -> Tensor:
    """X in the shape of `like`; X itself, which no view is, where it has that shape."""
    return x if x.shape == like.shape else x.reshape(like.shape)


def binary(function: Binary) -> Callable[..., Tensor]:
    """The body of an operator C = function(A, B), with the arguments that say how B is broadcast."""

    def body(
        a: Tensor, b: Tensor, *, broadcast: bool = False, axis: int = -1, axis_str: str = "", order: str = "NCHW"
    ) -> Tensor:
        if not broadcast:
            return function(a, b)
        c = function(a, align(a, b, axis, axis_str, order))
        if c.shape != a.shape:
            raise EnforceNotMet(f"broadcast=1 keeps the shape of A{list(a.shape)}; B is {list(b.shape)}")
        return c

    return body


def binary_gradient(slopes: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]) -> Callable[..., tuple]:
    """The body of the gradient operator: slopes(dC, A, B), each summed to the shape of its input."""

    def body(
        dc: Tensor,
        a: Tensor,
        b: Tensor,
        *,
        broadcast: bool = False,
        axis: int = -1,
        axis_str: str = "",
        order: str = "NCHW",
    ) -> tuple[Tensor, Tensor]:
        view = align(a, b, axis, axis_str, order) if broadcast else b
        da, db = slopes(dc, a, view)
        return reduce_to(da, a), in_shape(reduce_to(db, view), b)

    return body


def broadcast_shape(kind: torch.dtype | None = None) -> Callable[..., Tensor]:
    """The shape inference of C = function(A, B): the shape that both broadcast to; the type is `kind`, or that of A."""

    def shape(
        a: Tensor, b: Tensor, *, broadcast: bool = False, axis: int = -1, axis_str: str = "", order: str = "NCHW"
    ) -> Tensor:
        try:
            sizes = torch.broadcast_shapes(a.shape, (align(a, b, axis, axis_str, order) if broadcast else b).shape)
        except RuntimeError as error:
            raise EnforceNotMet(f"A{list(a.shape)} and B{list(b.shape)} do not broadcast") from error
        return a.new_empty(sizes, dtype=kind or a.dtype)

    return shape
