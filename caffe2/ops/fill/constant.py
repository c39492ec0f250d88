"""Fills with constants, given values, ranges and diagonals."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import NONE, STRING, UNKNOWN, DType, EnforceNotMet, Reals, Site, op, shape
from caffe2.ops.fill.sizes import Fill, inferred


class Constant(Fill):
    """A fill with one value: a float, unless dtype or the kind of value say otherwise."""

    dtype: DType | None = None
    value: Any = None

    def bind(self, site: Site) -> None:
        super().bind(site)
        self.kind = kind_of(self.dtype, self.value)
        self.number = constant(self.value, self.kind)


def kind_of(dtype: DType | None, value: Any) -> DType:
    """The element type of a constant fill: dtype, else int64 for a whole value, else float32."""
    if dtype is not None or value is None:
        return dtype or torch.float32
    if value.HasField("f"):
        return torch.float32
    if value.HasField("i"):
        return torch.int64
    raise EnforceNotMet("the argument value is a number, unless dtype says that it is a string")


def constant(value: Any, kind: DType) -> Any:
    """The value that an Argument holds for an element type; zero, or an empty string, where there is none."""
    if kind is STRING:
        return value.s if value is not None else b""
    if value is None:
        return 0
    if value.HasField("f"):
        return value.f
    if value.HasField("i"):
        return value.i
    raise EnforceNotMet(f"the argument value holds no number for elements of {kind}")


@op("ConstantFill: X? value? -> Y", inplace="X -> Y", gradient=NONE, host="value")
class ConstantFill(Constant):
    """A tensor whose elements are all `value`.

    X: settles the shape: it is that of X, or, with input_as_shape, X holds it.
    value: the value, a number or a string; 0 unless given. The blob, of one element, comes before the argument.
    Y: the tensor.
    dtype: the element type; unless given int64 for an integer and float32 else.
    """

    def __call__(self, x: Tensor | None = None, value: Tensor | None = None) -> Tensor | np.ndarray:
        sizes, number = self.sizes(x), self.number
        if value is not None:
            if value.numel() != 1:
                raise EnforceNotMet(f"value is one element, not {value.numel()}")
            number = value.item()
        if self.kind is STRING:
            return np.full(sizes, number, dtype=object)
        return torch.full(sizes, number, dtype=self.kind, device=self.device)


@shape("ConstantFill")
def _(*metas: Any, dtype: Any = None, value: Any = None, **sizes: Any) -> Tensor | None:
    kind = kind_of(dtype, value)
    return None if kind is STRING else inferred(kind)(*metas[:1], **sizes)


@op("DiagonalFill: input? -> output", inplace=None, gradient=NONE)
class DiagonalFill(Constant):
    """Zeros, with `value` where all indices are equal.

    As in the original the diagonal of a matrix with more rows than columns goes on below its end, one column apart.

    output: of at least two dimensions; if of more, all of one size.
    value: the number on the diagonal; 0 unless given.
    dtype: the element type; unless given int64 for an integer value and float32 else.
    """

    def bind(self, site: Site) -> None:
        super().bind(site)
        if self.kind is STRING:
            raise EnforceNotMet("DiagonalFill: it fills with numbers, not strings")

    def __call__(self, x: Tensor | None = None) -> Tensor:
        sizes = self.sizes(x)
        if len(sizes) < 2 or (len(sizes) > 2 and len(set(sizes)) > 1):
            raise EnforceNotMet(f"a diagonal needs two dimensions, or more of one size, not {list(sizes)}")
        out = torch.zeros(sizes, dtype=self.kind, device=self.device)
        step = 1 + sum(math.prod(sizes[k:]) for k in range(1, len(sizes)))
        out.view(-1)[::step] = self.number
        return out


@shape("DiagonalFill")
def _(*metas: Any, dtype: Any = None, value: Any = None, **sizes: Any) -> Tensor | None:
    return inferred(kind_of(dtype, value))(*metas, **sizes)


@op("RangeFill: input? -> output", inplace=None, gradient=NONE, shape=inferred(torch.float32))
class RangeFill(Fill):
    """The numbers 0, 1, 2 ... in order, as float32."""

    def __call__(self, x: Tensor | None = None) -> Tensor:
        sizes = self.sizes(x)
        return torch.arange(math.prod(sizes), dtype=torch.float32, device=self.device).reshape(sizes)


@op("LengthsRangeFill: lengths -> range_sequence", gradient=NONE, types="lengths: int32", shape=UNKNOWN)
def lengths_range_fill(lengths: Tensor) -> Tensor:
    """For every length n the numbers 0 ... n - 1, one after another.

    lengths: (S).
    range_sequence: (sum of lengths), int32.
    """
    if lengths.dim() != 1:
        raise EnforceNotMet(f"lengths are a vector, not {list(lengths.shape)}")
    if bool((lengths < 0).any()):
        raise EnforceNotMet(f"lengths are not negative: {lengths.tolist()[:8]}")
    starts = lengths.cumsum(0, dtype=torch.int32).sub_(lengths).repeat_interleave(lengths)
    return torch.arange(starts.numel(), dtype=torch.int32, device=lengths.device).sub_(starts)


@op("Float16ConstantFill: -> output", gradient=NONE)
def float16_constant_fill(*, shape: tuple[int, ...] = (), value: float = 0.0, device: torch.device) -> Tensor:
    """A tensor of float16 whose elements are all `value`.

    output: of the shape given.
    shape: the shape.
    value: the number.
    """
    return torch.full(shape, value, dtype=torch.float16, device=device)


def _given(kind: torch.dtype) -> Callable:
    class Given(Fill):
        __doc__ = f"""A tensor of given {str(kind)[6:]} numbers.

        values: the elements, in order, as many as the shape has.
        dtype: accepted and ignored.
        """

        def bind(self, site: Site) -> None:
            super().bind(site)
            self.held = torch.as_tensor(self.values, dtype=kind, device=self.device)

        def __call__(self, x: Tensor | None = None) -> Tensor:
            return shaped(self.held, self.sizes(x)).clone()

    Given.__annotations__ = {"values": Reals if kind.is_floating_point else tuple[int, ...], "dtype": Any}
    Given.dtype = None
    return Given


def shaped(values: Any, sizes: tuple[int, ...]) -> Any:
    """Values under a shape. Raises EnforceNotMet where it holds another number of them."""
    count = values.numel() if isinstance(values, Tensor) else values.size
    if count != math.prod(sizes):
        raise EnforceNotMet(f"the shape {list(sizes)} holds {math.prod(sizes)} elements, and `values` are {count}")
    return values.reshape(sizes)


GIVEN = {
    "": torch.float32,
    "Double": torch.float64,
    "Bool": torch.bool,
    "Int16": torch.int16,
    "Int": torch.int32,
    "Int64": torch.int64,
}
for _name, _kind in GIVEN.items():
    op(f"GivenTensor{_name}Fill: input? -> output", inplace=None, gradient=NONE, shape=inferred(_kind))(_given(_kind))


@op("GivenTensorStringFill: input? -> output", inplace=None, gradient=NONE, shape=UNKNOWN)
class GivenTensorStringFill(Fill):
    """A tensor of given strings.

    values: the strings, in order, as many as the shape has elements.
    dtype: accepted and ignored.
    """

    values: tuple[bytes, ...]
    dtype: Any = None

    def bind(self, site: Site) -> None:
        super().bind(site)
        self.held = np.empty(len(self.values), dtype=object)
        self.held[:] = self.values

    def __call__(self, x: Tensor | None = None) -> np.ndarray:
        return shaped(self.held, self.sizes(x)).copy()


@op("GivenTensorByteStringToUInt8Fill: input? -> output", inplace=None, gradient=NONE, shape=inferred(torch.uint8))
class GivenTensorByteStringToUInt8Fill(Fill):
    """The bytes of a string as uint8.

    values: one string, with as many bytes as the shape has elements.
    dtype: accepted and ignored.
    """

    values: tuple[bytes, ...]
    dtype: Any = None

    def bind(self, site: Site) -> None:
        super().bind(site)
        if len(self.values) != 1:
            raise EnforceNotMet(f"GivenTensorByteStringToUInt8Fill: values is one string, not {len(self.values)}")
        self.held = torch.tensor(list(self.values[0]), dtype=torch.uint8, device=self.device)

    def __call__(self, x: Tensor | None = None) -> Tensor:
        return shaped(self.held, self.sizes(x)).clone()
