"""Operator headers: the one-line type of an operator, parsed.

Conv: X filter bias? -> Y                      an optional blob
Sum: +inputs -> Y                              one blob or more
EnqueueBlobs: queue *blobs -> *blobs           a run; the same name on both sides means the same count
WeightedSum: *(X weight) -> Y                  a run of groups
ReluGradient: Y dY -> dX                       dX: the gradient of X, dDATA[INDICES] a sparse one
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from caffe2.opdef.errors import SchemaError

TOKEN = re.compile(r"([*+])\(([^)]*)\)|([*+]?)([\w./-]+)(\[\w+\])?(\??)")


@dataclass(frozen=True)
class Slot:
    """A place for one blob, or for a run of them."""

    name: str
    kind: str = ""  # "" one blob, "?" one or none, "*" any number, "+" at least one
    members: tuple[str, ...] = ()  # the names within a group
    index: str = ""  # I of a sparse gradient dX[I]

    @property
    def run(self) -> bool:
        return self.kind in ("*", "+")

    @property
    def width(self) -> int:
        """How many blobs one repetition of the slot takes."""
        return max(1, len(self.members))

    def __str__(self) -> str:
        name = f"({' '.join(self.members)})" if self.members else self.name + (self.index and f"[{self.index}]")
        return self.kind + name if self.run else name + self.kind


Bound = dict[str, "str | list[str] | None"]


@dataclass(frozen=True)
class Side:
    """The blobs before or after the arrow."""

    slots: tuple[Slot, ...]

    def __iter__(self) -> Iterator[Slot]:
        return iter(self.slots)

    def __len__(self) -> int:
        return len(self.slots)

    def __str__(self) -> str:
        return " ".join(map(str, self.slots))

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(s.name for s in self.slots)

    @cached_property
    def least(self) -> int:
        return sum(s.width for s in self.slots if s.kind in ("", "+"))

    @cached_property
    def most(self) -> float:
        return float("inf") if self.run else len(self.slots)

    @cached_property
    def run(self) -> Slot | None:
        return next((s for s in self.slots if s.run), None)

    def accepts(self, count: int) -> bool:
        if not self.least <= count <= self.most:
            return False
        return self.run is None or (count - self._single(count)) % self.run.width == 0

    def _single(self, count: int) -> int:
        """How many of `count` blobs fall on slots that are no runs."""
        singles = [s for s in self.slots if not s.run]
        return min(len(singles), max(count - (self.run.width if self.run and self.run.kind == "+" else 0), 0))

    def assign(self, names: Sequence[str]) -> Bound:
        """Each slot's blob name: None for an absent optional one, a list for a run."""
        spare = len(names) - self.least
        at, bound = 0, {}
        optional = sum(s.kind == "?" for s in self.slots)
        run_length = max(0, spare - optional) + (self.run.width if self.run and self.run.kind == "+" else 0)
        for slot in self.slots:
            if slot.run:
                bound[slot.name] = list(names[at : at + run_length])
                at += run_length
            elif slot.kind == "?" and spare <= 0:
                bound[slot.name] = None
            else:
                spare -= slot.kind == "?"
                bound[slot.name] = names[at]
                at += 1
        return bound


@dataclass(frozen=True)
class Header:
    """The parsed form of `Name: inputs -> outputs`."""

    name: str
    inputs: Side
    outputs: Side

    def __str__(self) -> str:
        return f"{self.name}: {self.inputs} -> {self.outputs}".replace(":  ->", ": ->").rstrip()


@cache
def parse(text: str) -> Header:
    """Parse `Name: inputs -> outputs`."""
    name, colon, rest = text.partition(":")
    left, arrow, right = rest.partition("->")
    if not colon or not arrow:
        raise SchemaError(f"not an operator header: {text!r}\n  it reads 'Name: inputs -> outputs'")
    return Header(name.strip(), _side(left, text), _side(right, text))


def _side(text: str, header: str) -> Side:
    slots, at = [], 0
    for found in TOKEN.finditer(text):
        if text[at : found.start()].strip():
            raise SchemaError(f"cannot read {text[at : found.start()].strip()!r} in the operator header {header!r}")
        at = found.end()
        star, group, kind, name, index, optional = found.groups()
        if group is not None:
            slots.append(Slot("_".join(group.split()), star, tuple(group.split())))
        else:
            slots.append(Slot(name, kind or optional, (), (index or "")[1:-1]))
    if text[at:].strip() or sum(s.run for s in slots) > 1:
        raise SchemaError(f"cannot read the operator header {header!r}: one run of blobs a side, nothing after it")
    return Side(tuple(slots))
