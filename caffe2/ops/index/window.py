"""The ends of sequences, and blobs kept together."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Op, Site, op
from caffe2.ops import demand


@op(
    "VariableLengthSequencePadding: input seq_lengths -> output",
    inplace="input -> output",
    types="input: float, seq_lengths: int32",
)
class VariableLengthSequencePadding(Op):
    """The input with 0 at the times t >= seq_lengths[b] of each sequence b.

    As in the original this is done in place alone: another output stays empty.

    input: (time, batch, features).
    seq_lengths: (batch), int32.
    output: the input, overwritten.
    """

    def bind(self, site: Site) -> None:
        self._in_place = site.outputs[0] == site.inputs[0]

    def __call__(self, x: Tensor, seq_lengths: Tensor) -> Tensor:
        demand.rank(x, 3, "input")
        demand.rank(seq_lengths, 1, "seq_lengths")
        if seq_lengths.numel() != x.shape[1]:
            raise EnforceNotMet(f"there are {seq_lengths.numel()} seq_lengths for {x.shape[1]} sequences")
        if not self._in_place:
            return x.new_empty(0)
        late = torch.arange(x.shape[0], device=x.device)[:, None] >= seq_lengths
        return x.masked_fill(late[:, :, None], 0)


@op("DataCouple: *blobs -> *coupled", inplace="blobs => coupled", arity=lambda i, o: o <= i)
def data_couple(*blobs: Any) -> tuple[Any, ...]:
    """The first blobs as they are: who writes one of them has to wait for all.

    blobs: any blobs.
    coupled: as many as there are outputs.
    """
    return blobs
