"""Operators that permute, stretch and repeat the dimensions of a tensor."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Gradient, Op, Site, gradient, op
from caffe2.ops import demand

TYPES = "int32 int64 float double"


@op("Transpose: X -> Y", types=f"X: {TYPES}", engines="CUDNN HPTT", view=True)
class Transpose(Op):
    """The dimensions in another order: dimension d of Y is dimension axes[d] of X.

    Y: X.shape[axes[0]], X.shape[axes[1]] ...
    axes: the order; reversed unless given.
    """

    axes: tuple[int, ...] = ()

    def bind(self, site: Site) -> None:
        if sorted(self.axes) != list(range(len(self.axes))):
            raise EnforceNotMet(f"Transpose\n  axes are a permutation of 0 ... n-1, not {self.axes}")

    def __call__(self, x: Tensor) -> Tensor:
        axes = self.axes or tuple(range(x.dim() - 1, -1, -1))
        if len(axes) != x.dim():
            raise EnforceNotMet(f"axes {axes} permute {len(axes)} dimensions; X has {x.dim()}")
        return x.permute(axes).contiguous()


@gradient("Transpose")
def _(g: Gradient) -> None:
    back = g.op("Transpose: dY -> dX").ops[-1]
    for a in back.arg:
        if a.name == "axes":  # where it stood
            a.ints[:] = np.argsort(a.ints).tolist()


@op("Expand: X shape -> Y", gradient="ExpandGradient: dY X -> dX", types=f"X: {TYPES}, shape: int64", view=True)
def expand(x: Tensor, shape: Tensor) -> Tensor:
    """X broadcast against a shape, as NumPy broadcasts.

    shape: a vector of integers; a dimension below 1 in it keeps that of X.
    Y: of the shape to which both broadcast.
    """
    return x.expand(torch.broadcast_shapes(x.shape, [max(d, 1) for d in shape.tolist()])).contiguous()


@op("ExpandGradient: dY X -> dX", types=f"dY: {TYPES}", like="X", view=True)
def expand_gradient(dy: Tensor, x: Tensor) -> Tensor:
    """dX = dY summed over the dimensions along which X was broadcast."""
    return dy.sum_to_size(x.shape).to(dy.dtype)


class _Tiles(Op):
    """How often and along which axis: arguments, unless blobs of one integer hold them."""

    tiles: int | None = None
    axis: int | None = None

    def bind(self, site: Site) -> None:
        for at, name in enumerate(("tiles", "axis"), 1):
            if getattr(self, name) is None and (len(site.inputs) <= at):
                raise EnforceNotMet(f"{site.op.type}\n  the argument {name} is missing, and no blob holds it")

    def settled(self, x: Tensor | np.ndarray, tiles: Tensor | None, axis: Tensor | None) -> tuple[int, int]:
        """The number of tiles, and the axis counted from the front."""
        count = self.tiles if tiles is None else _number(tiles, "tiles")
        at = self.axis if axis is None else _number(axis, "axis")
        if not -x.ndim <= at < x.ndim:
            raise EnforceNotMet(f"axis {at} is no dimension of a tensor of {x.ndim}")
        if count < 0:
            raise EnforceNotMet(f"tiles are {count}; they are no less than 0")
        return count, at % x.ndim


def _number(value: Tensor, name: str) -> int:
    demand.rank(value, 1, name)
    demand.one_number(value, name)
    return int(value[0])


@op(
    "Tile: X tiles? axis? -> Y",
    gradient="TileGradient: dY tiles? axis? -> dX",
    types=f"X: {TYPES} uint8 float16 string, tiles axis: index",
    host="tiles axis",
)
class Tile(_Tiles):
    """X repeated along a dimension.

    As in the original, int64 tiles without a blob for the axis mean axis 0.

    tiles: how many times: an argument or a blob of one integer, which comes first.
    axis: the dimension: an argument or a blob of one integer, which comes first.
    Y: the shape of X with `tiles` times as many elements along `axis`.
    """

    def __call__(
        self, x: Tensor | np.ndarray, tiles: Tensor | None = None, axis: Tensor | None = None
    ) -> Tensor | np.ndarray:
        count, at = self.settled(x, tiles, axis)
        if axis is None and tiles is not None and tiles.dtype == torch.int64:
            at = 0
        times = [count if d == at else 1 for d in range(x.ndim)]
        return x.repeat(times) if isinstance(x, Tensor) else np.tile(x, times)


@op("TileGradient: dY tiles? axis? -> dX", types=f"dY: {TYPES}, tiles axis: index", host="tiles axis", view=True)
class TileGradient(_Tiles):
    """dX = dY summed over the `tiles` repetitions along `axis`."""

    def __call__(self, dy: Tensor, tiles: Tensor | None = None, axis: Tensor | None = None) -> Tensor:
        count, at = self.settled(dy, tiles, axis)
        if not count or dy.shape[at] % count:
            raise EnforceNotMet(f"dimension {at} of dY is {dy.shape[at]}, no multiple of {count} tiles")
        apart = dy.reshape(*dy.shape[:at], count, dy.shape[at] // count, *dy.shape[at + 1 :])
        return apart.sum(at, dtype=dy.dtype) if count > 1 else dy


@op("NumpyTile: data repeats -> tiled_data", types="repeats: int64")
def numpy_tile(data: Tensor | np.ndarray, repeats: Tensor) -> Tensor | np.ndarray:
    """Data repeated repeats[d] times along each dimension d.

    repeats: (d): a number for each dimension of data.
    tiled_data: each dimension times its number.
    """
    demand.rank(repeats, 1, "repeats")
    times = repeats.tolist()
    if len(times) != data.ndim or min(times, default=0) < 0:
        raise EnforceNotMet(f"repeats are a count for each of data's {data.ndim} dimensions, not {times}")
    return np.tile(data, times) if isinstance(data, np.ndarray) else data.repeat(times)
