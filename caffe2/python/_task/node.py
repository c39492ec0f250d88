"""Nodes: the machines, by name, that tasks run on."""

from __future__ import annotations

from typing import Any

from caffe2.python import context


class Cluster(context.DefaultManaged):
    """The names of all nodes that were made within, in order, and the keywords that they were made with."""

    def __init__(self) -> None:
        self._node_kwargs: dict[str, dict[str, Any]] = {}

    def add_node(self, node: Node) -> None:
        """Take a node in; keywords of an earlier node of that name win over its own."""
        self._node_kwargs[str(node)] = {**node.kwargs(), **self._node_kwargs.get(str(node), {})}

    def nodes(self) -> list[str]:
        """The names of the nodes."""
        return list(self._node_kwargs)

    def node_kwargs(self) -> dict[str, dict[str, Any]]:
        """The keywords of each node."""
        return self._node_kwargs

    def __repr__(self) -> str:
        return f"Cluster(nodes={self.nodes()}, node_kwargs={self.node_kwargs()})"


class Node(context.DefaultManaged):
    """Where tasks that are made within run: a name, and keywords for who runs them. By default, the node "local"."""

    def __init__(self, node: Any = "local", **kwargs: Any) -> None:
        self._name = str(node)
        self._kwargs = kwargs
        Cluster.current().add_node(self)

    def __str__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"Node(name={self._name}, kwargs={self._kwargs})"

    def kwargs(self) -> dict[str, Any]:
        """The keywords that the node was made with."""
        return self._kwargs
