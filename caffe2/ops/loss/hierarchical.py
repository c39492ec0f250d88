"""The hierarchical softmax: the probability of a word as a product of decisions on its path from the root of a tree."""

from __future__ import annotations

from typing import NamedTuple

import torch
from google.protobuf.message import DecodeError
from torch import Tensor

from caffe2.opdef import UNKNOWN, EnforceNotMet, Gradient, Op, Site, gradient, op
from caffe2.ops.demand import rank
from caffe2.ops.ragged import places, segments, starts, valid
from caffe2.proto import hsm_pb2

SMALLEST = 1e-20
"""Probabilities below count as this one, so that their logarithm is finite."""


class Steps(NamedTuple):
    """All decisions on the paths of a batch, sample by sample; T of them, of at most L alternatives."""

    sample: Tensor  # (T)
    target: Tensor  # (T)
    filled: Tensor  # (T, L), which alternatives there are
    row: Tensor  # (T, L), where they stand in W


class Paths(Op):
    """The paths of all words, as a HierarchyProto in the argument `hierarchy`."""

    hierarchy: bytes = b""

    def bind(self, site: Site) -> None:
        try:
            tree = hsm_pb2.HierarchyProto.FromString(self.hierarchy)
        except DecodeError as error:
            raise EnforceNotMet("the argument hierarchy holds no HierarchyProto") from error
        # of two paths to one word the first counts
        known = {path.word_id: path.path_nodes for path in reversed(tree.paths)}
        nodes = [node for word in sorted(known) for node in known[word]]

        def whole(values: list[int]) -> Tensor:
            return torch.tensor(values, dtype=torch.int64, device=site.device)

        self.words, self.depth = whole(sorted(known)), whole([len(known[word]) for word in sorted(known)])
        self.index, self.length, self.target = (
            whole([getattr(node, field) for node in nodes]) for field in ("index", "length", "target")
        )

    def steps(self, labels: Tensor) -> Steps:
        """The decisions that lead to the labels. Raises EnforceNotMet for a label that is no word of the hierarchy."""
        wanted = labels.reshape(-1).long()
        at = torch.searchsorted(self.words, wanted).clamp(max=max(len(self.words) - 1, 0))
        unknown = self.words[at] != wanted if len(self.words) else torch.ones_like(wanted, dtype=torch.bool)
        if bool(unknown.any()):
            raise EnforceNotMet(f"the hierarchy has no path to the label {int(wanted[unknown][0])}")
        depth = self.depth[at]
        total = int(depth.sum())
        node = places(depth, total, starts(self.depth)[at])
        length = self.length[node]
        width = int(length.max()) if total else 0
        filled = valid(length, width)
        row = self.index[node].unsqueeze(1) + torch.arange(width, device=labels.device)
        return Steps(segments(depth, total), self.target[node], filled, torch.where(filled, row, 0))


def demand(x: Tensor, w: Tensor, b: Tensor, labels: Tensor) -> Tensor:
    """X as (M, K). Raises EnforceNotMet unless W is (N, K), b (N) and labels are M."""
    rank(b, 1, "b")
    rows = x if x.dim() == 2 else x.reshape(x.shape[0] if x.dim() > 1 else 1, -1)
    if w.dim() < 2 or w.shape[1:].numel() != rows.shape[1] or w.shape[0] != b.shape[0]:
        raise EnforceNotMet(f"X{list(x.shape)}, W{list(w.shape)} and b{list(b.shape)} are (M, K), (N, K) and (N)")
    if labels.numel() != rows.shape[0]:
        raise EnforceNotMet(f"there is one label for each of {rows.shape[0]} samples, not {labels.numel()}")
    return rows


TYPES = "X=W=b: floating, labels: int32"


@op("HSoftmax: X W b labels -> Y intermediate_output", types=TYPES, shape=UNKNOWN)
class HSoftmax(Paths):
    """Hierarchical softmax: Y[m] = -ln P(labels[m] | X[m]), the sum over the decisions on its path.

    A decision at node n adds -ln softmax(W_n X[m] + b_n)[target]. Morin and Bengio, Hierarchical probabilistic neural
    network language model, 2005.

    X: (M, K).
    W: (N, K): the weights of every inner node, from its index on.
    b: (N): the biases.
    labels: (M), int32: words of the hierarchy.
    Y: (M).
    intermediate_output: for every decision in turn the scores and their softmax.
    hierarchy: a HierarchyProto: the path of every word.
    """

    def __call__(self, x: Tensor, w: Tensor, b: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        rows = demand(x, w, b, labels)
        steps = self.steps(labels)
        weights = w.reshape(w.shape[0], -1)[steps.row]
        scores = torch.einsum("tlk,tk->tl", weights, rows[steps.sample]) + b[steps.row]
        shares = torch.softmax(scores.masked_fill(~steps.filled, float("-inf")), 1)
        chosen = shares.gather(1, steps.target.unsqueeze(1)).squeeze(1)
        y = rows.new_zeros(rows.shape[0]).index_add_(0, steps.sample, -torch.log(chosen.clamp(min=SMALLEST)))
        return y, torch.stack((scores, shares), 1)[steps.filled.unsqueeze(1).expand(-1, 2, -1)]


@op(
    "HSoftmaxGradient: X W b labels intermediate_output dY -> dX dW db dintermediate_output",
    types=f"{TYPES}, intermediate_output dY: floating",
    like="X W b intermediate_output",
)
class HSoftmaxGradient(Paths):
    """The gradients of X, W and b, and for every decision those of its scores and of its softmax."""

    def __call__(
        self, x: Tensor, w: Tensor, b: Tensor, labels: Tensor, held: Tensor, dy: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        rows = demand(x, w, b, labels)
        steps = self.steps(labels)
        both = steps.filled.unsqueeze(1).expand(-1, 2, -1)
        if held.numel() != int(both.sum()) or dy.numel() != rows.shape[0]:
            raise EnforceNotMet(f"intermediate_output{list(held.shape)} or dY{list(dy.shape)} does not fit the labels")
        pairs = held.new_zeros(both.shape)
        pairs[both] = held.reshape(-1)
        shares, target = pairs[:, 1], steps.target.unsqueeze(1)
        chosen = shares.gather(1, target).clamp(min=SMALLEST)
        pull = torch.zeros_like(shares).scatter_(1, target, -dy.reshape(-1)[steps.sample].unsqueeze(1) / chosen)
        slope = (pull - (shares * pull).sum(1, keepdim=True)) * shares
        at, flat = steps.row[steps.filled], slope[steps.filled]
        sample = steps.sample.unsqueeze(1).expand_as(steps.row)[steps.filled]
        matrix = w.reshape(w.shape[0], -1)
        dw = torch.zeros_like(matrix).index_add_(0, at, flat.unsqueeze(1) * rows[sample])
        dx = torch.zeros_like(rows).index_add_(0, sample, flat.unsqueeze(1) * matrix[at])
        db = torch.zeros_like(b).index_add_(0, at, flat)
        return dx.reshape(x.shape), dw.reshape(w.shape), db, torch.stack((slope, pull), 1)[both].reshape(held.shape)


@gradient("HSoftmax")
def _(g: Gradient) -> None:
    inside = g.outputs["intermediate_output"]
    slots = ("X", "W", "b")
    taken = [*g.forward.input, inside, g.blob("dY")]
    g.add("HSoftmaxGradient", taken, [*map(g.grad_name, slots), f"{inside}_grad"])
    for slot in slots:
        g.set(slot, g.grad_name(slot))
