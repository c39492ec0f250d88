"""Reductions over chosen dimensions: sum, mean, extremes and norms, with their gradients, and moments."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, op

Axes = tuple[int, ...]


def reduced(x: Tensor, axes: Axes) -> Axes:
    """The dimensions of X to reduce, counted from 0. Raises EnforceNotMet where X lacks one, or one comes twice."""
    if not axes:
        return tuple(range(x.dim()))
    found = tuple(a % x.dim() if -x.dim() <= a < x.dim() else -1 for a in axes)
    if -1 in found or len(set(found)) < len(found):
        raise EnforceNotMet(f"axes {list(axes)} are no distinct dimensions of a tensor of {x.dim()}")
    return found


def kept(x: Tensor, axes: Axes) -> list[int]:
    """The shape of X with one element along each of the reduced dimensions."""
    gone = reduced(x, axes)
    return [1 if k in gone else n for k, n in enumerate(x.shape)]


def limits(kind: torch.dtype) -> torch.finfo | torch.iinfo:
    """The least and the greatest finite number of an element type."""
    return torch.finfo(kind) if kind.is_floating_point else torch.iinfo(kind)


def of_some(function: Callable, of_none: Callable[[Tensor], float]) -> Callable:
    """A reduction that, of no elements, answers a number that the original answers instead of failing."""

    def body(x: Tensor, axes: Axes, keepdims: bool) -> Tensor:
        if x.numel():
            return function(x, axes, keepdims)
        return torch.sum(x, axes, keepdims).to(x.dtype).fill_(of_none(x))

    return body


mean = of_some(torch.mean, lambda x: 0)


def spread(dy: Tensor, x: Tensor) -> Tensor:
    return dy.expand(x.shape).clone(memory_format=torch.contiguous_format)


NUMBERS = "floating index"
ROWS = (
    (
        "Sum: X -> Y",
        "The sums of X over some of its dimensions.",
        NUMBERS,
        lambda x, axes, k: torch.sum(x, axes, keepdim=k, dtype=x.dtype),
        "dX = dY at every element that was summed.",
        lambda dy, x, y: spread(dy, x),
    ),
    (
        "Mean: X -> Y",
        "The means of X over some of its dimensions; 0 of no elements.",
        "floating",
        mean,
        "dX = dY / n at each of the n elements that were averaged.",
        lambda dy, x, y: spread(dy * (dy.numel() / max(x.numel(), 1)), x),
    ),
    (
        "Max: data -> reduced",
        "The maxima of data over some of its dimensions; the least finite number of no elements.",
        NUMBERS,
        of_some(torch.amax, lambda x: limits(x.dtype).min),
        "ddata = dreduced wherever an element is the maximum, else 0; ties get it all.",
        lambda dy, x, y: torch.where(x == y, dy, 0),
    ),
    (
        "Min: data -> reduced",
        "The minima of data over some of its dimensions; the greatest finite number of no elements.",
        NUMBERS,
        of_some(torch.amin, lambda x: limits(x.dtype).max),
        "ddata = dreduced wherever an element is the minimum, else 0; ties get it all.",
        lambda dy, x, y: torch.where(x == y, dy, 0),
    ),
    (
        "L1: X -> Y",
        "The sums of |X| over some of its dimensions.",
        "floating",
        lambda x, axes, k: torch.linalg.vector_norm(x, 1, axes, k),
        "dX = dY * sign(X).",
        lambda dy, x, y: dy * torch.sign(x),
    ),
    (
        "L2: X -> Y",
        "The square roots of the sums of X^2 over some of its dimensions.",
        "floating",
        lambda x, axes, k: torch.linalg.vector_norm(x, 2, axes, k),
        "dX = dY * X / Y, as in the original dY where Y is 0.",
        lambda dy, x, y: torch.where(y == 0, dy, dy * x / y),
    ),
)


def left(x: Tensor, *, axes: Axes = (), keepdims: bool = True) -> Tensor:
    """The shape that a reduction leaves."""
    gone = reduced(x, axes)
    return x.new_empty(kept(x, axes) if keepdims else [n for k, n in enumerate(x.shape) if k not in gone])


def forward(function: Callable) -> Callable:
    def body(x: Tensor, *, axes: Axes = (), keepdims: bool = True) -> Tensor:
        return function(x, reduced(x, axes), keepdims)

    return body


def backward(slope: Callable) -> Callable:
    def body(dy: Tensor, x: Tensor, y: Tensor, *, axes: Axes = (), keepdims: bool = True) -> Tensor:
        shape = kept(x, axes)
        return slope(dy.reshape(shape), x, y.reshape(shape))

    return body


for header, doc, types, function, slope_doc, slope in ROWS:
    name, x, y = header.replace(":", "").replace("->", "").split()
    op(
        f"Reduce{header}",
        doc=doc,
        types=f"{x}: {types}",
        gradient=f"Reduce{name}Gradient: d{y} {x} {y} -> d{x}",
        shape=left,
    )(forward(function))
    op(
        f"Reduce{name}Gradient: d{y} {x} {y} -> d{x}",
        doc=slope_doc,
        types=f"d{y}={x}={y}: {types}",
        like=x,
    )(backward(slope))


@op(
    "Moments: data -> mean variance",
    types="data: floating",
    gradient="MomentsGradient: dmean dvariance data mean -> ddata",
    shape=lambda data, **args: [left(data, **args)] * 2,
)
def moments(data: Tensor, *, axes: Axes = (), keepdims: bool = True) -> tuple[Tensor, Tensor]:
    """The means of data, and the means of (data - mean)^2, over some of its dimensions.

    mean, variance: the shape of data without those dimensions, or with 1 there.
    """
    gone = reduced(data, axes)
    center = mean(data, gone, True)
    variance = mean(torch.square(data - center), gone, keepdims)
    return (center if keepdims else center.reshape(variance.shape)), variance


@op("MomentsGradient: dmean dvariance data mean -> ddata", types="dmean=dvariance=data=mean: floating", like="data")
def moments_gradient(
    dmean: Tensor, dvariance: Tensor, data: Tensor, center: Tensor, *, axes: Axes = (), keepdims: bool = True
) -> Tensor:
    """ddata = (dmean + 2 (data - mean) dvariance) / n, n the number of elements of one mean."""
    shape = kept(data, axes)
    count = max(data.numel() // max(center.numel(), 1), 1)
    centered = data - center.reshape(shape)
    return torch.addcmul(dmean.reshape(shape), centered, dvariance.reshape(shape), value=2) / count
