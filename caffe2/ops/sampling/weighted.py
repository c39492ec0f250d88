"""Sampling with given weights."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Op, Site, op
from caffe2.ops.demand import rank, readable


def drawn(cumulative: Tensor, count: int, generator: torch.Generator | None) -> Tensor:
    """`count` indices for every row of a cumulative distribution, int32: index k with probability c[k] - c[k-1]."""
    shape = (*cumulative.shape[:-1], count)
    random = torch.rand(shape, device=cumulative.device, generator=generator, dtype=cumulative.dtype)
    found = torch.searchsorted(cumulative, random * cumulative[..., -1:], out_int32=True)
    return found.clamp(max=cumulative.shape[-1] - 1)


@op(
    "WeightedSample: sampling_weights sampling_values? -> sampled_indexes sampled_values?",
    types="sampling_weights=sampling_values: float",
    same="sampling_weights sampling_values",
    arity=lambda i, o: i == o,
    random=True,
)
def weighted_sample(
    weights: Tensor, values: Tensor | None = None, *, generator: torch.Generator
) -> tuple[Tensor, Tensor | None]:
    """One index for each row of weights, drawn with probability weight / sum of the row.

    Both outputs are empty, of shape (0), where the weights are.

    sampling_weights: (N, D).
    sampling_values: (N, D).
    sampled_indexes: (N, 1), int32.
    sampled_values: (N, 1): the elements of sampling_values at these indices.
    """
    rank(weights, 2, "sampling_weights")
    if readable(weights) and bool((weights < 0).any()):
        raise EnforceNotMet("sampling_weights must not be negative")
    if not weights.numel():
        return weights.new_empty(0, dtype=torch.int32), weights.new_empty(0)
    index = drawn(weights.cumsum(1), 1, generator)
    return index, None if values is None else values.gather(1, index.long())


@op(
    "WeightedMultiSampling: sampling_cdf shape_tensor? -> sampled_indexes",
    types="sampling_cdf: float",
    random=True,
)
class WeightedMultiSampling(Op):
    """Indices drawn at random with given weights.

    sampling_cdf: (D), cumulative weights: index k is drawn with probability (cdf[k] - cdf[k-1]) / cdf[D-1].
    shape_tensor: a tensor whose shape sampled_indexes takes.
    sampled_indexes: (num_samples), or of the shape of shape_tensor, int32.
    num_samples: how many, without shape_tensor.
    """

    num_samples: int = 0
    generator: torch.Generator

    def bind(self, site: Site) -> None:
        given = any(a.name == "num_samples" for a in site.op.arg)
        if self.num_samples < 0 or (given and len(site.inputs) == 2):
            raise EnforceNotMet("the samples are num_samples, not negative, or those of shape_tensor, not both")

    def __call__(self, cdf: Tensor, like: Tensor | None = None) -> Tensor:
        rank(cdf, 1, "sampling_cdf")
        if not cdf.numel():
            return cdf.new_empty(0, dtype=torch.int32)
        shape = (self.num_samples,) if like is None else tuple(like.shape)
        return drawn(cdf, like.numel() if like is not None else self.num_samples, self.generator).reshape(shape)
