"""Word trees of a hierarchical softmax, and the paths from the root to each word."""

from __future__ import annotations

from collections.abc import Iterable

from caffe2.proto import hsm_pb2

Decision = tuple[int, int, int]
"""Of one node on a path: where its scores start, how many there are, and which one leads on."""


def create_node_with_words(words: Iterable[int], name: str = "node") -> hsm_pb2.NodeProto:
    """A node that decides between words, given by their ids."""
    return hsm_pb2.NodeProto(name=name, word_ids=words)


def create_node_with_nodes(nodes: Iterable[hsm_pb2.NodeProto], name: str = "node") -> hsm_pb2.NodeProto:
    """A node that decides between copies of `nodes`."""
    return hsm_pb2.NodeProto(name=name, children=nodes)


def create_hierarchy(tree_proto: hsm_pb2.TreeProto) -> hsm_pb2.HierarchyProto:
    """The path of every word of a tree, and the number of scores of all its nodes together.

    Scores of a node stand side by side, those of its children before those of its words; nodes stand in the order of a
    walk that meets a node before its children. Writes each node's `offset` into the tree.
    """
    hierarchy = hsm_pb2.HierarchyProto()
    _walk(tree_proto.root_node, (), hierarchy)
    return hierarchy


def _walk(node: hsm_pb2.NodeProto, path: tuple[Decision, ...], hierarchy: hsm_pb2.HierarchyProto) -> None:
    start, count = hierarchy.size, len(node.children) + len(node.word_ids)
    node.offset = start
    hierarchy.size += count
    for target, child in enumerate(node.children):
        _walk(child, (*path, (start, count, target)), hierarchy)
    for target, word in enumerate(node.word_ids, start=len(node.children)):
        decisions = (*path, (start, count, target))
        nodes = [hsm_pb2.PathNodeProto(index=i, length=n, target=t) for i, n, t in decisions]
        hierarchy.paths.add(word_id=word, path_nodes=nodes)
