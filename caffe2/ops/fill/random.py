"""Fills with random numbers."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe2.opdef import NONE, UNKNOWN, DType, EnforceNotMet, Op, Site, op
from caffe2.ops.fill.sizes import Fill, inferred


class RandomFill(Fill):
    """A fill that draws from a generator of its own where the device option holds a seed."""

    generator: torch.Generator

    def uniform(self, sizes: tuple[int, ...], low: float, high: float) -> Tensor:
        """float32, evenly distributed between low and high."""
        return torch.empty(sizes, device=self.device).uniform_(low, high, generator=self.generator)

    def gaussian(self, sizes: tuple[int, ...], mean: float, std: float) -> Tensor:
        """float32, normally distributed."""
        return torch.empty(sizes, device=self.device).normal_(mean, std, generator=self.generator)


def one_of(blob: Tensor, name: str) -> float:
    """The one element of a blob. Raises EnforceNotMet where it has another number."""
    if blob.numel() != 1:
        raise EnforceNotMet(f"{name} is one number, not {blob.numel()}")
    return blob.item()


class Uniform(RandomFill):
    """Bounds as arguments or as blobs; where the blobs are the wrong way round there are no rows."""

    min: float = 0.0
    max: float = 1.0

    def bind(self, site: Site) -> None:
        super().bind(site)
        given = [a.name for a in site.op.arg if a.name in ("min", "max")]
        if len(site.inputs) == 3 and given:
            raise EnforceNotMet(f"{site.op.type}: {' and '.join(given)} are arguments or blobs, not both")
        if len(site.inputs) < 3 and not self.low_high_fit():
            raise EnforceNotMet(f"{site.op.type}: max has to be above min, and they are {self.max} and {self.min}")

    def low_high_fit(self) -> bool:
        return self.min < self.max

    def __call__(self, x: Tensor | None = None, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
        sizes, bounds = self.sizes(x), (self.min, self.max)
        if low is not None:
            bounds = one_of(low, "min"), one_of(high, "max")
            if bounds[0] > bounds[1]:
                sizes, bounds = (0, *sizes[1:]), (0, 1)
        return self.draw(sizes, *bounds)


ONE_OR_THREE = {"arity": lambda i, o: i in (0, 1, 3)}


@op(
    "UniformFill: shape? min? max? -> output",
    inplace="shape -> output",
    gradient=NONE,
    random=True,
    host="min max",
    shape=lambda *m, min=0, max=1, **s: inferred(torch.float32)(*m[:1], **s) if len(m) < 3 else None,
    **ONE_OR_THREE,
)
class UniformFill(Uniform):
    """Random numbers, float32, distributed uniformly over [min, max).

    shape: the shape, where there is no input; the blob settles the shape: it is that of the blob, or, with
        input_as_shape, the blob holds it.
    min, max: the ends of the interval: arguments, or blobs of one number. Where the blob min is above max the first
        dimension is empty.
    """

    def draw(self, sizes: tuple[int, ...], low: float, high: float) -> Tensor:
        return self.uniform(sizes, low, high)


@op(
    "UniformIntFill: shape? min? max? -> output",
    inplace="shape -> output",
    gradient=NONE,
    random=True,
    host="min max",
    shape=lambda *m, min=0, max=1, **s: inferred(torch.int32)(*m[:1], **s) if len(m) < 3 else None,
    **ONE_OR_THREE,
)
class UniformIntFill(Uniform):
    """Random integers, int32, distributed uniformly over min ... max, both included.

    shape: the shape, where there is no input; the blob settles the shape: it is that of the blob, or, with
        input_as_shape, the blob holds it.
    min, max: the ends of the interval: arguments, or blobs of one number. Where the blob min is above max the first
        dimension is empty.
    """

    min: int = 0
    max: int = 1

    def draw(self, sizes: tuple[int, ...], low: int, high: int) -> Tensor:
        made = torch.randint(int(low), int(high) + 1, sizes, generator=self.generator, device=self.device)
        return made.to(torch.int32)


@op("GaussianFill: input? -> output", inplace=None, gradient=NONE, random=True, shape=inferred(torch.float32))
class GaussianFill(RandomFill):
    """Random numbers, float32, distributed normally with mean `mean` and standard deviation `std`.

    mean, std: the mean and the standard deviation.
    """

    mean: float = 0.0
    std: float = 1.0

    def __call__(self, x: Tensor | None = None) -> Tensor:
        return self.gaussian(self.sizes(x), self.mean, self.std)


@op("XavierFill: input? -> output", inplace=None, gradient=NONE, random=True, shape=inferred(torch.float32))
class XavierFill(RandomFill):
    """Random numbers, float32, distributed uniformly within +-sqrt(3 / n) (Glorot and Bengio, 2010).

    n is the product of all dimensions but the first: the fan-in of filters (M, C, kH, kW) is C * kH * kW.
    """

    def __call__(self, x: Tensor | None = None) -> Tensor:
        sizes = self.sizes(x)
        bound = math.sqrt(3 / max(math.prod(sizes[1:]), 1))
        return self.uniform(sizes, -bound, bound)


@op("MSRAFill: input? -> output", inplace=None, gradient=NONE, random=True, shape=inferred(torch.float32))
class MSRAFill(RandomFill):
    """Random numbers, float32, distributed normally with mean 0 and standard deviation sqrt(2 / n) (He et al., 2015).

    n is the product of all dimensions but the second: the fan-out of filters (M, C, kH, kW) is M * kH * kW.
    """

    def __call__(self, x: Tensor | None = None) -> Tensor:
        sizes = self.sizes(x)
        fan_out = math.prod(sizes) / sizes[1] if len(sizes) > 1 and sizes[1] else 1
        return self.gaussian(sizes, 0.0, math.sqrt(2 / max(fan_out, 1)))


@op("Float16UniformFill: -> output", gradient=NONE, random=True)
class Float16UniformFill(Op):
    """Random numbers distributed uniformly over [min, max), as float16.

    output: of the shape given.
    shape: the shape.
    min, max: the ends of the interval.
    """

    shape: tuple[int, ...] = ()
    min: float = 0.0
    max: float = 1.0
    device: torch.device
    generator: torch.Generator

    def __call__(self) -> Tensor:
        made = torch.empty(self.shape, device=self.device).uniform_(self.min, self.max, generator=self.generator)
        return made.half()


@op("UniqueUniformFill: input? avoid? -> output", inplace=None, gradient=NONE, random=True, shape=UNKNOWN)
class UniqueUniformFill(Fill):
    """Random integers from min ... max, both included, no two alike and none of those in `avoid`.

    Raises EnforceNotMet where there are not enough such numbers.

    avoid: integers that are not drawn.
    min, max: the ends of the interval; min < max.
    dtype: int32 or int64.
    """

    min: int
    max: int
    dtype: DType = torch.int32
    generator: torch.Generator

    def bind(self, site: Site) -> None:
        super().bind(site)
        if self.dtype not in (torch.int32, torch.int64) or self.min >= self.max:
            raise EnforceNotMet(
                f"UniqueUniformFill: int32 or int64, min below max; got {self.dtype} {self.min} {self.max}"
            )

    def __call__(self, x: Tensor | None = None, avoid: Tensor | None = None) -> Tensor:
        sizes = self.sizes(x)
        count, taken = math.prod(sizes), set(avoid.reshape(-1).tolist()) if avoid is not None else set()
        span = self.max - self.min + 1
        free = span - sum(self.min <= t <= self.max for t in taken)
        if count > free:
            raise EnforceNotMet(f"UniqueUniformFill: {count} numbers are asked for, and {free} are free")
        if count * 4 > span:
            pool = [n for n in range(self.min, self.max + 1) if n not in taken]
            chosen = [pool[k] for k in torch.randperm(len(pool), generator=self.generator)[:count].tolist()]
        else:
            found: dict[int, None] = {}
            while len(found) < count:
                drawn = torch.randint(self.min, self.max + 1, (count,), generator=self.generator).tolist()
                found.update((n, None) for n in drawn if n not in taken)
            chosen = list(found)[:count]
        return torch.tensor(chosen, dtype=self.dtype, device=self.device).reshape(sizes)
