"""The loss of connectionist temporal classification: how likely labels are, however they align with the steps."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Gradient, Op, OutputCount, gradient, op
from caffe2.ops import demand


@op(
    "CTC: inputs labels label_lengths input_lengths? -> gradients costs workspace?",
    types="inputs: float, labels: int32, label_lengths: int32, input_lengths: int32",
    host="labels label_lengths input_lengths costs",
    shape=lambda inputs, labels, lengths, *_, is_test=False, outputs=3: (
        (lengths.new_empty(lengths.shape, dtype=torch.float32), inputs.new_empty(0, dtype=torch.uint8))
        if is_test
        else (inputs, lengths.new_empty(lengths.shape, dtype=torch.float32), inputs.new_empty(0, dtype=torch.uint8))
    ),
    differs="workspace, the scratch memory of another library, is empty",
)
class CTC(Op):
    """The negative log-likelihood of sequences of labels: connectionist temporal classification (Graves et al., 2006).

    costs[n] = -log of the probability of the labels of sequence n, over all their alignments; label 0 is the blank.
    With is_test the outputs are costs and workspace alone.

    inputs: (steps, batch, labels), before the softmax.
    labels: those of all sequences, one after another, int32.
    label_lengths: (batch), int32: how many labels each sequence has.
    input_lengths: (batch), int32: the steps of each sequence; all unless given.
    gradients: the gradient of the sum of the costs, of the shape of inputs.
    costs: (batch).
    workspace: empty.
    is_test: no gradients are computed.
    """

    is_test: bool = False
    outputs: OutputCount

    def bind(self, site: object) -> None:
        if self.outputs != (2 if self.is_test else 3):
            raise EnforceNotMet(f"is_test={self.is_test:d} goes with {2 if self.is_test else 3} outputs")

    def __call__(
        self, x: Tensor, labels: Tensor, label_lengths: Tensor, input_lengths: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        demand.rank(x, 3, "inputs")
        steps, batch, count = x.shape
        if input_lengths is None:
            input_lengths = torch.full((batch,), steps)
        if label_lengths.shape != (batch,) or input_lengths.shape != (batch,):
            raise EnforceNotMet(f"label_lengths and input_lengths hold one number for each of {batch} sequences")
        demand.lengths(label_lengths, labels.numel(), "label_lengths")
        demand.in_range(input_lengths, steps + 1, "input_lengths")
        demand.in_range(labels, count, "labels")
        with torch.enable_grad():
            given = x.detach().requires_grad_(not self.is_test)
            found = given.log_softmax(2), labels.long(), input_lengths.long(), label_lengths.long()
            costs = F.ctc_loss(*found, reduction="none", zero_infinity=True) if batch else x.new_empty(0)
        blank = x.new_empty(0, dtype=torch.uint8)
        if self.is_test:
            return costs.detach().cpu(), blank, None
        slopes = torch.autograd.grad(costs.sum(), given)[0] if batch else torch.zeros_like(x)
        return slopes, costs.detach().cpu(), blank


@gradient("CTC")
def _(g: Gradient) -> None:
    made = g.grad_name("inputs")
    g.add("Copy", [g.blob("gradients")], [made])
    g.set("inputs", made)
