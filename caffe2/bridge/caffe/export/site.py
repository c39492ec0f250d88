"""An operator of a net on its way to Caffe: its arguments with their defaults, and the shapes that a run showed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from caffe2.opdef import OpDef, registry
from caffe2.opdef.arguments import REQUIRED
from caffe2.proto import caffe2_pb2

Shape = tuple[int, ...]


class Refusal(Exception):
    """An operator that no layer of Caffe can stand for; the exporters' own, never seen by a caller."""

    def __init__(self, what: str, *, argument: str = "", advice: str = "") -> None:
        super().__init__(what)
        self.what, self.argument, self.advice = what, argument, advice


@dataclass(frozen=True)
class Obstacle:
    """One operator that cannot be written, with the place, the reason, and what to do about it."""

    index: int
    type: str
    name: str
    blob: str
    argument: str
    what: str
    advice: str = ""

    def __str__(self) -> str:
        called = f" {self.name!r}" if self.name else ""
        place = f"operator {self.index} ({self.type}{called}, blob {self.blob!r})" if self.type else "the net"
        argument = f", argument {self.argument}" if self.argument else ""
        return f"{place}{argument}: {self.what}" + (f"; {self.advice}" if self.advice else "")


@dataclass(eq=False)
class Site:
    """An operator, with the shapes of its inputs before, and of its outputs after a run."""

    index: int
    op: caffe2_pb2.OperatorDef
    before: dict[str, Shape | None] = field(default_factory=dict)
    after: dict[str, Shape | None] = field(default_factory=dict)

    @property
    def type(self) -> str:
        return self.op.type

    @property
    def inputs(self) -> list[str]:
        return list(self.op.input)

    @property
    def outputs(self) -> list[str]:
        return list(self.op.output)

    @property
    def x(self) -> str:
        return self.op.input[0]

    @property
    def y(self) -> str:
        return self.op.output[0]

    @property
    def in_shape(self) -> Shape:
        """The shape of the first input."""
        return self.shape(self.x)

    @property
    def out_shape(self) -> Shape:
        """The shape of the first output."""
        return self.after[self.y]

    def shape(self, name: str) -> Shape:
        """The shape of an input."""
        return self.before[name]

    @property
    def definition(self) -> OpDef | None:
        return registry.get(self.type)

    @cached_property
    def args(self) -> dict[str, Any]:
        """Every argument that the operator declares, by name."""
        d = self.definition
        values = {a.name: a.default for a in d.args.values() if not a.injected and a.default is not REQUIRED}
        return {**values, **d.arguments(self.op)}

    def obstacle(self, error: Refusal) -> Obstacle:
        """What to tell of an operator that was refused."""
        blob = self.y if self.outputs else self.x if self.inputs else ""
        return Obstacle(self.index, self.type, self.op.name, blob, error.argument, error.what, error.advice)
