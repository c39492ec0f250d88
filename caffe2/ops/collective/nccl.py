"""Collectives over the devices of one process, under the names of NCCL, which torch uses where the devices are GPUs."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import REFUSED, EnforceNotMet, op

MOST = 16
"""How many devices the original takes."""

INPUTS, OUTPUTS = (" ".join(f"{name}{i}" + "?" * (i > 0) for i in range(MOST)) for name in "XY")
ALIKE = "=".join(f"X{i}" for i in range(MOST)) + ": floating"


def _in_place(arrow: str) -> str:
    return ", ".join(f"X{i} {arrow} Y{i}" for i in range(MOST))


def _as_many(i: int, o: int) -> bool:
    return i == o


def _one_shape(xs: tuple[Tensor, ...]) -> None:
    if len({x.shape for x in xs}) > 1:
        raise EnforceNotMet(f"all inputs have one shape, not {', '.join(str(tuple(x.shape)) for x in xs)}")


def _total(xs: tuple[Tensor, ...], root: int) -> Tensor:
    """The sum of all, on the device of xs[root], in new storage."""
    _one_shape(xs)
    if not 0 <= root < len(xs):
        raise EnforceNotMet(f"root is {root}; there are the inputs 0 to {len(xs) - 1}")
    device = xs[root].device
    if device.type == "cuda" and len({x.device for x in xs}) == len(xs) > 1:
        return torch.cuda.comm.reduce_add(xs, device.index)
    total = xs[0].to(device, copy=True)
    for x in xs[1:]:
        total += x.to(device)
    return total


def _to_each(value: Tensor, xs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The value on the device of each input, in storage of its own."""
    return tuple(value.to(x.device, copy=True) for x in xs)


@op(
    f"NCCLAllreduce: {INPUTS} -> {OUTPUTS}",
    inplace=_in_place("->"),
    types=ALIKE,
    arity=_as_many,
    gradient=REFUSED,
)
def nccl_allreduce(*xs: Tensor) -> tuple[Tensor, ...]:
    """Y_i = the sum of all X, on the device of X_i."""
    return _to_each(_total(xs, 0), xs)


@op(
    f"NCCLBroadcast: {INPUTS} -> {OUTPUTS}",
    inplace=_in_place("=>"),
    types=ALIKE,
    arity=_as_many,
    gradient=REFUSED,
)
def nccl_broadcast(*xs: Tensor, root: int = 0) -> tuple[Tensor, ...]:
    """Y_i = X_root, on the device of X_i, whose blob it overwrites."""
    _one_shape(xs)
    if not 0 <= root < len(xs):
        raise EnforceNotMet(f"root is {root}; there are the inputs 0 to {len(xs) - 1}")
    return _to_each(xs[root], xs)


@op(
    f"NCCLReduce: {INPUTS} -> Y",
    inplace=", ".join(f"X{i} -> Y" for i in range(MOST)),
    types=ALIKE,
    gradient=REFUSED,
)
def nccl_reduce(*xs: Tensor, root: int = 0) -> Tensor:
    """Y = the sum of all X, on the device of X_root."""
    return _total(xs, root)


@op(f"NCCLAllGather: {INPUTS} -> {OUTPUTS}", types=ALIKE, arity=_as_many, gradient=REFUSED)
def nccl_all_gather(*xs: Tensor) -> tuple[Tensor, ...]:
    """Y_i = X_0, X_1 ... stacked along a new first dimension, on the device of X_i."""
    _one_shape(xs)
    return tuple(torch.stack([other.to(x.device) for other in xs]) for x in xs)


@op(f"NCCLReduceScatter: {INPUTS} -> {OUTPUTS}", types=ALIKE, arity=_as_many, gradient=REFUSED)
def nccl_reduce_scatter(*xs: Tensor) -> tuple[Tensor, ...]:
    """Y_i = row i of the sum of all X, on the device of X_i; the first dimension of X is the number of inputs."""
    if any(x.dim() < 1 or x.shape[0] != len(xs) for x in xs):
        raise EnforceNotMet(f"{len(xs)} inputs share out as many rows, not {[tuple(x.shape) for x in xs]}")
    total = _total(xs, 0)
    return tuple(row.to(x.device, copy=True) for row, x in zip(total, xs))
