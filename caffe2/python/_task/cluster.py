"""Nodes that tasks run on, by name, and the cluster that knows them."""

from __future__ import annotations

from typing import Any

from caffe2.python import context


class Cluster(context.DefaultManaged):
    """The nodes named within it; one is there by itself where a Node is first used."""

    def __init__(self) -> None:
        self._node_kwargs: dict[str, dict[str, Any]] = {}

    def add_node(self, node: Node) -> None:
        """Note a node; what was known of one of that name wins over what it says."""
        self._node_kwargs[str(node)] = {**node.kwargs(), **self._node_kwargs.get(str(node), {})}

    def nodes(self) -> list[str]:
        """The names of the nodes, in the order of their first use."""
        return list(self._node_kwargs)

    def node_kwargs(self) -> dict[str, dict[str, Any]]:
        """What is known of each node."""
        return self._node_kwargs

    def __repr__(self) -> str:
        return f"Cluster(nodes={self.nodes()}, node_kwargs={self.node_kwargs()})"


class Node(context.DefaultManaged):
    """The node on which tasks made within it run: tasks on nodes of one name share a workspace.

    kwargs: properties of the node, for sessions that know what they mean.
    """

    def __init__(self, node: Any = "local", **kwargs: Any) -> None:
        self._name, self._kwargs = str(node), kwargs
        Cluster.current().add_node(self)

    def __str__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"Node(name={self._name}, kwargs={self._kwargs})"

    def kwargs(self) -> dict[str, Any]:
        """The properties of the node."""
        return self._kwargs


class WorkspaceType:
    """Where the tasks of a group run: in a workspace of their own that goes with the run, or in the session's."""

    PRIVATE = "private"
    GLOBAL = "global"
