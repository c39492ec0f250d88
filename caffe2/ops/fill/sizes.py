"""The shape of what a fill makes: an argument, the shape of an input, or the values of one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Op, Site


class Fill(Op):
    """The arguments that every fill takes.

    input: settles the shape: it is that of the input, or, with input_as_shape, the input holds it.
    output: the tensor.
    shape: the shape, where there is no input.
    extra_shape: dimensions added behind those that the input says.
    input_as_shape: the values of the input, a vector of int64, are the shape; otherwise its own shape is.
    """

    shape: tuple[int, ...] = ()
    extra_shape: tuple[int, ...] = ()
    input_as_shape: bool = False
    device: torch.device

    def bind(self, site: Site) -> None:
        name, given = site.op.type, bool(site.inputs)
        if given and self.shape:
            raise EnforceNotMet(f"{name}: the shape is an argument or an input, not both")
        if not given and (self.extra_shape or self.input_as_shape):
            raise EnforceNotMet(f"{name}: extra_shape and input_as_shape need an input")
        if any(a.name == "shape" and a.HasField("i") for a in site.op.arg):
            raise EnforceNotMet(f"{name}: the argument shape is a list, not one number")

    def sizes(self, like: Tensor | None) -> tuple[int, ...]:
        """The shape to make."""
        if like is None:
            return self.shape
        if not self.input_as_shape:
            return (*like.shape, *self.extra_shape)
        if like.dim() != 1 or like.dtype not in (torch.int64, torch.int32):
            raise EnforceNotMet(
                f"with input_as_shape the input is a vector of int64, not {like.dtype}{list(like.shape)}"
            )
        return (*like.tolist(), *self.extra_shape)


def inferred(dtype: torch.dtype):
    """The shape inference of a fill that makes elements of one type."""

    def infer(
        *metas: Any, shape: tuple = (), extra_shape: tuple = (), input_as_shape: bool = False, **others: Any
    ) -> Tensor | None:
        if not metas:
            return torch.empty(shape, dtype=dtype, device="meta")
        if input_as_shape or metas[0] is None:
            return None
        return torch.empty((*metas[0].shape, *extra_shape), dtype=dtype, device="meta")

    return infer
