"""What optimizers share: rates as scalars, tensors of one shape, and dense rules on the rows that a gradient names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet
from caffe2.ops import demand


def scalar(rate: Tensor, name: str = "lr") -> Tensor:
    """A tensor of one number as a scalar. Raises EnforceNotMet where it holds more or none."""
    demand.one_number(rate, name)
    return rate.reshape(())


def fitted(x: Tensor, like: Tensor, name: str) -> Tensor:
    """x under the shape of another tensor. Raises EnforceNotMet where it has another number of elements."""
    if x.shape == like.shape:
        return x
    if x.numel() != like.numel():
        raise EnforceNotMet(f"{name} has as many elements as the parameter, {like.numel()}, not {x.numel()}")
    return x.view(like.shape)


def in_order(rule: Callable[..., None], *held: Tensor, grad: Tensor) -> None:
    """Call rule(*held, grad), which writes over `held`, with all elements lying in memory in one order.

    Torch's fused optimizers go by places in memory, and filters of convolutions may lie with their channels last.
    """
    plain = [x.contiguous() for x in held]
    rule(*plain, grad.contiguous())
    for x, changed in zip(held, plain):
        if changed is not x:
            x.copy_(changed)


def turns(rows: Tensor, size: int) -> Iterator[Tensor | None]:
    """The places of row numbers below `size` in turns: no row comes twice in one, and its places keep their order.

    None stands for all places: the one turn where no row comes twice.
    """
    left = torch.arange(rows.numel(), device=rows.device)
    seen = rows.new_empty(size)
    seen[rows] = left
    if (seen[rows] == left).all():
        yield None
        return
    while left.numel():
        now = rows[left]
        seen[now] = rows.numel()
        seen.scatter_reduce_(0, now, left, "amin")
        first = seen[now] == left
        yield left[first]
        left = left[~first]


def rows_of(grad: Tensor, indices: Tensor, table: Tensor) -> Tensor:
    """grad as rows of a table, one for each index. Raises EnforceNotMet where it does not hold as many."""
    demand.least_rank(table, 1, "the parameter")
    shape = torch.Size((indices.numel(), *table.shape[1:]))
    if grad.numel() != shape.numel():
        raise EnforceNotMet(f"grad holds a row for each index, {tuple(shape)} in all, not {tuple(grad.shape)}")
    return grad.reshape(shape)


def update_rows(
    rule: Callable[..., Tensor | None], tables: Sequence[Tensor], indices: Tensor, *given: Tensor
) -> Tensor | None:
    """Apply a rule to the rows of tables that indices name and to the rows given for each index.

    The rule changes the former in place; a row that comes again is changed again. What it answers, a row for each
    index, is gathered in their order. Raises EnforceNotMet where an index is out of range.
    """
    rows, size, found = indices.reshape(-1), tables[0].shape[0], None
    demand.in_range(rows, size, "indices")
    rows = rows.long()
    for turn in turns(rows, size):
        named = rows if turn is None else rows[turn]
        held = [t.index_select(0, named) for t in tables]
        answer = rule(*held, *(given if turn is None else [g[turn] for g in given]))
        for t, h in zip(tables, held):
            t.index_copy_(0, named, h)
        if answer is None or turn is None:
            found = answer
            continue
        found = answer.new_empty(rows.numel(), *answer.shape[1:]) if found is None else found
        found[turn] = answer
    return found
