"""The graph of a net's operators by the blobs they share, and orders that keep to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from caffe2.proto import caffe2_pb2


class Graph:
    """A directed graph of integers without cycles: an edge says who has to come first."""

    def __init__(self, count: int) -> None:
        self._successors: list[dict[int, set[str]]] = [{} for _ in range(count)]
        self._predecessors: list[list[int]] = [[] for _ in range(count)]

    def add_edge(self, first: int, then: int, blob: str) -> None:
        """Have `then` come after `first`, for a blob."""
        if then not in self._successors[first]:
            self._predecessors[then].append(first)
        self._successors[first].setdefault(then, set()).add(blob)

    def __len__(self) -> int:
        return len(self._successors)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def edges(self) -> list[tuple[int, int]]:
        """All edges, in order."""
        return [(first, then) for first in self for then in sorted(self._successors[first])]

    def deps(self, first: int, then: int) -> set[str]:
        """The blobs of an edge."""
        return self._successors[first][then]

    def successors(self, node: int) -> list[int]:
        """Those that come after a node, in order."""
        return sorted(self._successors[node])

    def predecessors(self, node: int) -> list[int]:
        """Those that come before a node, in order."""
        return sorted(self._predecessors[node])


def compute_interference_graph(ops: Iterable[caffe2_pb2.OperatorDef]) -> Graph:
    """Operators by position; one comes after all earlier ones that write what it reads or touch what it writes."""
    ops = list(ops)
    graph = Graph(len(ops))
    readers: defaultdict[str, list[int]] = defaultdict(list)
    writers: defaultdict[str, list[int]] = defaultdict(list)
    for position, op in enumerate(ops):
        for blob in dict.fromkeys((*op.input, *op.output)):
            earlier = writers[blob] + (readers[blob] if blob in op.output else [])
            for first in dict.fromkeys(earlier):
                graph.add_edge(first, position, blob)
        for blob in set(op.input):
            readers[blob].append(position)
        for blob in set(op.output):
            writers[blob].append(position)
    return graph


def topological_sort_traversal(g: Graph) -> list[int]:
    """The nodes in an order that keeps to the edges: those reached from the first node come last."""
    return _postorder(g, g, g.successors)[::-1]


def topological_sort_traversal_longest_path(g: Graph) -> list[int]:
    """The nodes in an order that keeps to the edges, long chains first, so that what waits for them is young."""
    height = [0] * len(g)
    for node in topological_sort_traversal(g):
        for successor in g.successors(node):
            height[successor] = max(height[successor], height[node] + 1)

    def tallest_first(nodes: Iterable[int]) -> list[int]:
        return sorted(nodes, key=lambda node: -height[node])

    targets = tallest_first(node for node in g if not g.successors(node))
    return _postorder(g, targets, lambda node: tallest_first(g.predecessors(node)))


def _postorder(g: Graph, starts: Iterable[int], following: object) -> list[int]:
    """The nodes reached from `starts`, each after all that follow it."""
    order: list[int] = []
    seen: set[int] = set()
    for start in starts:
        stack = [(start, iter(following(start)))] if start not in seen else []
        seen.add(start)
        while stack:
            node, rest = stack[-1]
            new = next((n for n in rest if n not in seen), None)
            if new is None:
                order.append(node)
                stack.pop()
            else:
                seen.add(new)
                stack.append((new, iter(following(new))))
    return order
