"""Operators that give the elements of a tensor, in their order, another shape."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Gradient, Op, Site, gradient, op
from caffe2.ops import demand
from caffe2.ops.index.gather import Array


def resolved(wanted: list[int], held: torch.Size) -> list[int]:
    """A wanted shape made explicit: 0 keeps the dimension held there, one -1 takes what is left.

    Of an empty tensor 0 means 0, and -1 becomes 0.
    Raises EnforceNotMet where it does not hold the same number of elements.
    """
    total = prod(held)
    if wanted.count(-1) > 1:
        raise EnforceNotMet(f"the shape {wanted} leaves more than one dimension open")
    if any(d < -1 for d in wanted):
        raise EnforceNotMet(f"the shape {wanted} has a negative dimension")
    if total == 0:
        return [0 if d == -1 else d for d in wanted]
    made = [held[i] if d == 0 and i < len(held) else d for i, d in enumerate(wanted)]
    rest = prod(d for d in made if d != -1)
    if rest == 0 or total % rest or (rest != total and -1 not in made):
        raise EnforceNotMet(f"the shape {wanted} does not hold the {total} elements of shape {list(held)}")
    return [total // rest if d == -1 else d for d in made]


@op(
    "Reshape: data new_shape? -> reshaped old_shape",
    inplace="data -> reshaped",
    types="new_shape: index",
    host="new_shape old_shape",
    view=True,
)
class Reshape(Op):
    """The elements of data under another shape.

    new_shape: the shape, instead of the argument.
    reshaped: of that shape.
    old_shape: the shape that data had, int64 or of the type of new_shape.
    shape: the new shape; 0 keeps the dimension at that place, and one -1 is worked out from the others.
    """

    shape: tuple[int, ...] | None = None

    def bind(self, site: Site) -> None:
        if (self.shape is None) == (len(site.inputs) == 1):
            given = "both are given" if self.shape is not None else "neither is given"
            raise EnforceNotMet(f"Reshape\n  takes the argument shape or the blob new_shape; {given}")

    def __call__(self, data: Array, new_shape: Tensor | None = None) -> tuple[Array | None, Tensor]:
        if new_shape is None:
            wanted, kind = self.shape, torch.int64
        else:
            demand.rank(new_shape, 1, "new_shape")
            if new_shape.is_meta:  # only its data can tell the shape
                return None, torch.empty(data.ndim, dtype=new_shape.dtype, device="meta")
            wanted, kind = new_shape.tolist(), new_shape.dtype
        reshaped = data.reshape(resolved(list(wanted), data.shape))
        return reshaped, torch.tensor(data.shape, dtype=kind)


@gradient("Reshape")
def _(g: Gradient) -> None:
    made = g.grad_name("data")
    g.add("Reshape", [g.blob("dreshaped"), g.blob("old_shape")], [made, f"_{made}_dims"], copy=False).set("data", made)


@op("Flatten: X -> Y", gradient="ResizeLike: dY X -> dX", view=True)
def flatten(x: Array, *, axis: int = 1) -> Array:
    """X as a matrix: dimensions before `axis` make the rows, the others the columns.

    Y: (rows, columns).
    axis: where the columns begin.
    """
    if not 0 <= axis <= x.ndim:
        raise EnforceNotMet(f"axis {axis} is not between 0 and X's {x.ndim} dimensions")
    return x.reshape(prod(x.shape[:axis]), prod(x.shape[axis:]))


@op("FlattenToVec: input -> output", gradient="ResizeLike: doutput input -> dinput", view=True)
def flatten_to_vec(x: Array) -> Array:
    """The elements of the input as a vector.

    output: (N), N the number of elements.
    """
    demand.least_rank(x, 1, "input")
    return x.reshape(prod(x.shape))


@op("ResizeLike: data shape_tensor -> output", view=True)
def resize_like(data: Array, shape_tensor: Array) -> Array:
    """The elements of data under the shape of another tensor.

    shape_tensor: a tensor of as many elements.
    output: of the shape of shape_tensor.
    """
    if prod(data.shape) != prod(shape_tensor.shape):
        shapes = f"{tuple(data.shape)} and {tuple(shape_tensor.shape)}"
        raise EnforceNotMet(f"data and shape_tensor have the same number of elements, not {shapes}")
    return data.reshape(shape_tensor.shape)


class _Dims(Op):
    """Operators that take distinct, non-negative dimensions."""

    dims: tuple[int, ...] = ()

    def bind(self, site: Site) -> None:
        self.dims = tuple(sorted(set(self.dims)))
        if not self.dims or self.dims[0] < 0:
            raise EnforceNotMet(f"{site.op.type}\n  dims are one or more non-negative dimensions, not {self.dims}")


@op("Squeeze: data -> squeezed", inplace="data -> squeezed", gradient="ExpandDims: dsqueezed -> ddata", view=True)
class Squeeze(_Dims):
    """Data without some dimensions, each of which is 1.

    squeezed: the shape of data without them.
    dims: the dimensions.
    """

    def __call__(self, data: Array) -> Array:
        demand.least_rank(data, self.dims[-1] + 1, "data")
        if any(data.shape[d] != 1 for d in self.dims):
            raise EnforceNotMet(f"dims {self.dims} of data are 1; its shape is {tuple(data.shape)}")
        return data.reshape([n for d, n in enumerate(data.shape) if d not in self.dims])


@op("ExpandDims: data -> expanded", inplace="data -> expanded", gradient="Squeeze: dexpanded -> ddata", view=True)
class ExpandDims(_Dims):
    """Data with dimensions of 1 put in.

    expanded: the shape of data with dimensions of 1.
    dims: the places of these dimensions in the shape of expanded.
    """

    def __call__(self, data: Array) -> Array:
        shape = list(data.shape)
        if self.dims[-1] >= len(shape) + len(self.dims):
            raise EnforceNotMet(f"dims {self.dims} cannot be places in a tensor of {len(shape)} dimensions and those")
        for d in self.dims:
            shape.insert(d, 1)
        return data.reshape(shape)


@op("PrependDim: data -> reshaped", inplace="data -> reshaped", view=True)
class PrependDim(Op):
    """The first dimension n split in two, dim_size and n / dim_size.

    data: (n, ...).
    reshaped: (dim_size, n / dim_size, ...).
    dim_size: the new first dimension.
    """

    dim_size: int = 0

    def bind(self, site: Site) -> None:
        if self.dim_size <= 0:
            raise EnforceNotMet(f"PrependDim\n  dim_size is positive, not {self.dim_size}")

    def __call__(self, data: Array) -> Array:
        demand.least_rank(data, 1, "data")
        if data.shape[0] % self.dim_size:
            raise EnforceNotMet(f"data's first dimension {data.shape[0]} is no multiple of dim_size {self.dim_size}")
        return data.reshape(self.dim_size, data.shape[0] // self.dim_size, *data.shape[1:])


@gradient("PrependDim")
def _(g: Gradient) -> None:
    g.op("MergeDim: dreshaped -> ddata", copy=False)


@op("MergeDim: data -> reshaped", inplace="data -> reshaped", view=True)
def merge_dim(data: Array) -> Array:
    """The first two dimensions as one.

    data: (N, M, ...).
    reshaped: (N * M, ...).
    """
    demand.least_rank(data, 2, "data")
    return data.reshape(data.shape[0] * data.shape[1], *data.shape[2:])
