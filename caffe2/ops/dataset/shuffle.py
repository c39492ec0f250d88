"""The order that rows of a dataset are read in: sorted by a column, then shuffled in pieces."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor

from caffe2.opdef import REFUSED, UNKNOWN, EnforceNotMet, op
from caffe2.ops.dataset.tree import Column, TreeCursor, cursor_of

T = TypeVar("T")

MODULUS, FACTOR = 2**31 - 1, 16807
"""Of Lehmer's "minimal standard" generator, x -> 16807 x mod 2^31 - 1, whose first state is 1."""


class MinimalStandard:
    """C++'s default generator as GNU's library has it: the original shuffles with it, from the same seed every time."""

    def __init__(self) -> None:
        self._state = 1

    def below(self, limit: int) -> int:
        """A number from [0, limit), each as likely: the quotient of a draw, drawn anew beyond the last whole part."""
        scale = (MODULUS - 2) // limit
        while True:
            self._state = self._state * FACTOR % MODULUS
            if self._state - 1 < scale * limit:
                return (self._state - 1) // scale


def shuffle(items: list[T]) -> None:
    """std::shuffle as GNU's library has it, in place: one draw for two swaps, as long as draws are fine enough."""
    draw = MinimalStandard()
    pairs = len(items) ** 2 <= MODULUS - 2
    at = 1
    if pairs and items and len(items) % 2 == 0:
        _swap(items, at, draw.below(2))
        at = 2
    while at < len(items):
        if pairs:
            first, second = divmod(draw.below((at + 1) * (at + 2)), at + 2)
            _swap(items, at, first)
            _swap(items, at + 1, second)
        else:
            _swap(items, at, draw.below(at + 1))
        at += 2 if pairs else 1


def _swap(items: list[T], a: int, b: int) -> None:
    items[a], items[b] = items[b], items[a]


@op("SortAndShuffle: cursor *dataset -> indices", gradient=REFUSED, shape=UNKNOWN)
def sort_and_shuffle(
    cursor: TreeCursor, *columns: Column, sort_by_field_idx: int = 1, batch_size: int = 1, shuffle_size: int = 1
) -> Tensor:
    """An order of the rows of a dataset, the same at every call.

    Rows are sorted, then pieces of shuffle_size * batch_size rows are shuffled, then the batches, of batch_size rows;
    rows behind the last batch stay.

    indices: (N), int64.
    sort_by_field_idx: the number of the column, int32 and at the root, to sort by; -1: not at all.
    batch_size, shuffle_size: the sizes of batches, and of pieces in batches.
    """
    tree = cursor_of(cursor, columns).tree
    by = sort_by_field_idx
    if not -1 <= by < len(columns) or (by >= 0 and tree.domain[by]):
        raise EnforceNotMet(f"SortAndShuffle: column {by} is none of the {len(columns)} ones, or not at the root")
    if batch_size < 1 or shuffle_size < 1:
        raise EnforceNotMet(f"SortAndShuffle: batch_size {batch_size} and shuffle_size {shuffle_size} are positive")
    size = len(columns[max(by, 0)])
    rows = list(range(size)) if by < 0 else torch.sort(columns[by], stable=True).indices.tolist()
    piece = batch_size * min(shuffle_size, size // batch_size)
    if piece > 1:
        for begin in range(0, size - piece, piece):
            mixed = rows[begin : begin + piece]
            shuffle(mixed)
            rows[begin : begin + piece] = mixed
    batches = [rows[begin : begin + batch_size] for begin in range(0, size - batch_size + 1, batch_size)]
    rest = rows[len(batches) * batch_size :]
    shuffle(batches)
    return torch.tensor([row for batch in (*batches, rest) for row in batch], dtype=torch.int64)
