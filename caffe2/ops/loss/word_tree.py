"""Trees of words: the likeliest words in one, and the tree that makes frequent words' paths short."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import torch
from google.protobuf.message import DecodeError
from torch import Tensor

from caffe2.opdef import UNKNOWN, EnforceNotMet, Op, Site, op
from caffe2.ops.demand import rank
from caffe2.ops.loss.hierarchical import SMALLEST
from caffe2.proto import hsm_pb2


@dataclass
class Scored:
    """A node or a word and its -ln P; the greatest comes first in a heap of them."""

    score: float
    name: bytes

    def __lt__(self, other: Scored) -> bool:
        return self.score > other.score


def least(found: list[Scored], count: int) -> list[Scored]:
    """The `count` of the least scores, rising; equal ones come as the original's heap leaves them."""
    among = count if count < len(found) else len(found) - 1
    heap, spare = found[:among], found[among:]
    heapq.heapify(heap)
    for k, one in enumerate(spare):
        if heap and one.score < heap[0].score:
            spare[k] = heapq.heapreplace(heap, one)
    return ([heapq.heappop(heap) for _ in range(len(heap))][::-1] + spare)[:count]


@op("HSoftmaxSearch: X W b -> Y_names Y_scores", types="X=W=b: float", shape=UNKNOWN)
class HSoftmaxSearch(Op):
    """The topN nodes and words of the least -ln P for every row of X, found from the root down.

    X: (M, K).
    W: (N, K): the weights of every inner node, from its offset on.
    b: (N): the biases.
    Y_names: (M, topN), strings: names of inner nodes and numbers of words.
    Y_scores: (M, topN): their -ln P, rising; where fewer are found, empty names and 0.
    tree: a TreeProto; each inner node has an offset, where its scores start in W and b, and a name.
    beam: a branch is left where its -ln P exceeds that of its parent by as much.
    topN: how many.
    """

    tree: bytes = b""
    topN: int = 5
    beam: float = 0.01

    def bind(self, site: Site) -> None:
        try:
            self.root = hsm_pb2.TreeProto.FromString(self.tree).root_node
        except DecodeError as error:
            raise EnforceNotMet("the argument tree holds no TreeProto") from error

    def __call__(self, x: Tensor, w: Tensor, b: Tensor) -> tuple[np.ndarray, Tensor]:
        rank(w, 2, "W")
        rank(b, 1, "b")
        rows = x.reshape(x.shape[0] if x.dim() > 1 else 1, -1)
        if rows.shape[1] != w.shape[1] or w.shape[0] != b.shape[0]:
            raise EnforceNotMet(f"X{list(x.shape)}, W{list(w.shape)} and b{list(b.shape)} are (M, K), (N, K) and (N)")
        scores = (rows @ w.t() + b).cpu()
        names = np.full((rows.shape[0], self.topN), b"", dtype=object)
        found = torch.zeros(rows.shape[0], self.topN)
        for m, line in enumerate(scores):
            for k, one in enumerate(least(self.below(self.root, line, 0.0), self.topN)):
                names[m, k], found[m, k] = one.name, one.score
        return names, found.to(x.device)

    def below(self, node: hsm_pb2.NodeProto, scores: Tensor, so_far: float) -> list[Scored]:
        """All nodes and words under a node that the beam reaches, with their -ln P."""
        if not node.HasField("offset") or not node.HasField("name"):
            raise EnforceNotMet(f"every node needs an offset and a name; one lacks them: {str(node)[:80]!r}")
        count = len(node.children) + len(node.word_ids)
        if node.offset < 0 or node.offset + count > len(scores):
            raise EnforceNotMet(f"node {node.name} has {count} scores from {node.offset} on, and W {len(scores)} rows")
        shares = torch.softmax(scores[node.offset : node.offset + count], 0)
        costs = (so_far - torch.log(shares.clamp(min=SMALLEST))).tolist()
        reached = [(cost, child) for cost, child in zip(costs, node.children) if cost < so_far + self.beam]
        words = zip(costs[len(node.children) :], node.word_ids)
        here = [Scored(cost, child.name.encode()) for cost, child in reached]
        here += [Scored(cost, str(word).encode()) for cost, word in words if cost < so_far + self.beam]
        return here + [one for cost, child in reached for one in self.below(child, scores, cost)]


@dataclass
class Branch:
    """A word, or two branches, and how often its words occur; the heap compares that alone, as the original's does."""

    count: int
    label: int = -1
    left: Branch | None = None
    right: Branch | None = None

    def __lt__(self, other: Branch) -> bool:
        return self.count < other.count


def huffman(counts: list[int]) -> Branch:
    """The binary tree that joins the two rarest branches until one is left."""
    heap: list[Branch] = []
    for label, count in enumerate(counts):
        heapq.heappush(heap, Branch(count, label))
    while len(heap) > 1:
        left, right = heapq.heappop(heap), heapq.heappop(heap)
        heapq.heappush(heap, Branch(left.count + right.count, -1, left, right))
    return heap[0]


@op("HuffmanTreeHierarchy: Labels -> Hierarch", types="Labels: int64", shape=UNKNOWN)
def huffman_tree_hierarchy(labels: Tensor, *, num_classes: int = -1) -> np.ndarray:
    """The Huffman tree of the labels 0 ... num_classes - 1, by how often each occurs.

    Labels: (N), int64.
    Hierarch: a TreeProto in one string.
    num_classes: how many labels there are.
    """
    rank(labels, 1, "Labels")
    if num_classes < 1:
        raise EnforceNotMet(f"num_classes is at least 1, not {num_classes}")
    if labels.numel() and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
        raise EnforceNotMet(f"Labels lie between 0 and {num_classes - 1}; they are {labels.tolist()[:8]}")
    tree = hsm_pb2.TreeProto()
    tree.root_node.offset = 0
    written(huffman(torch.bincount(labels, minlength=num_classes).tolist()), tree.root_node, 2)
    made = np.empty(1, dtype=object)
    made[0] = tree.SerializeToString()
    return made


def written(branch: Branch, node: hsm_pb2.NodeProto, offset: int) -> int:
    """Write what is below a branch into a node; the offset of the next node, counted as the original counts it."""
    for side in (branch.left, branch.right):
        if side is None:
            continue
        if side.left is None:
            node.word_ids.append(side.label)
            offset += side is branch.right  # only the right word takes a place
        else:
            child = node.children.add(offset=offset)
            offset = written(side, child, offset + 2)
    return offset
