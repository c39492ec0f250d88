"""An ONNX graph under construction: nodes, constants and names, without a need for the package onnx."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from caffe2.bridge.fresh import fresh_name

SMALL = 64
"""Constants of at most so many elements are shared where they are equal."""

BATCH = "N"
"""The name of a batch of any size, in shapes."""

ROWS = 1009
"""Stands, while a graph is made, for a number of rows that only running tells; an unlikely size otherwise."""

Shape = tuple[int | str, ...]


@dataclass(frozen=True)
class Node:
    """One node: its operator, the names of its blobs, and attributes as Python values, arrays or graphs."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)


class Graph:
    """Nodes in running order; `constants` are arrays by name; inputs and outputs are types and shapes by name.

    opset: the version of ONNX's operators that the nodes are of.
    """

    def __init__(self, name: str, opset: int, taken: Iterable[str] = ()) -> None:
        self.name, self.opset = name, opset
        self.nodes: list[Node] = []
        self.constants: dict[str, np.ndarray] = {}
        self.inputs: dict[str, tuple[np.dtype, Shape]] = {}
        self.outputs: dict[str, tuple[np.dtype, Shape]] = {}
        self.open_rows = False  # whether there are ROWS among the sizes
        self._taken, self._equal = set(taken), {}

    def fresh(self, stem: str) -> str:
        """A name that nothing has yet."""
        name = fresh_name(stem, self._taken)
        self._taken.add(name)
        return name

    def add(self, kind: str, inputs: Sequence[str], outputs: Sequence[str] = (), **attributes: Any) -> str:
        """Add a node; the name of its first output, a new one where none is given. Attributes that are None go."""
        outputs = tuple(outputs) or (self.fresh(inputs[0] if inputs and inputs[0] else kind.lower()),)
        given = {name: value for name, value in attributes.items() if value is not None}
        self.nodes.append(Node(kind, tuple(inputs), outputs, given))
        return outputs[0]

    def constant(self, value: Any, stem: str = "constant") -> str:
        """The name of a constant; small equal ones are one."""
        array = np.asarray(value)
        key = (array.dtype.str, array.shape, array.tobytes()) if array.size <= SMALL else None
        if key in self._equal:
            return self._equal[key]
        name = self.fresh(stem)
        self.constants[name] = array
        if key is not None:
            self._equal[key] = name
        return name

    def add_split(self, x: str, count: int, axis: int = 1) -> list[str]:
        """The equal parts of x along an axis."""
        parts = [self.fresh(x) for _ in range(count)]
        extra = {"num_outputs": count} if self.opset >= 18 else {}
        self.add("Split", [x], parts, axis=axis, **extra)
        return parts

    def rename(self, old: str, new: str) -> None:
        """Give the output of a node, which no node reads yet, another name."""
        for k in reversed(range(len(self.nodes))):
            node = self.nodes[k]
            if old in node.outputs:
                self.nodes[k] = replace(node, outputs=tuple(new if o == old else o for o in node.outputs))
                return

    def inner(self, name: str) -> Graph:
        """A graph to be an attribute of a node of this one; what it reads of this one needs no declaration."""
        made = Graph(name, self.opset)
        made._taken = self._taken  # the names of both are one set
        return made

    def prune(self, wanted: Iterable[str]) -> None:
        """Take out the nodes and constants that none of the wanted blobs depends on."""
        needed, kept = set(wanted), []
        for node in reversed(self.nodes):
            if needed.intersection(node.outputs):
                kept.append(node)
                needed.update(reads(node))
        self.nodes = kept[::-1]
        self.constants = {name: array for name, array in self.constants.items() if name in needed}


def reads(node: Node) -> set[str]:
    """Names that a node reads, those within its graphs included."""
    found = set(node.inputs)
    for graph in (value for value in node.attributes.values() if isinstance(value, Graph)):
        found |= set().union(*map(reads, graph.nodes), graph.outputs)
    return found
