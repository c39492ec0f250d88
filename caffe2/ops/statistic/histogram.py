"""Histograms, of one run and of all runs, and sums over runs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Op, Site, op


def counted(places: Tensor, count: int) -> Tensor:
    """How often each of 0 ... count-1 occurs among places, as int64."""
    flat = places.reshape(-1)
    return torch.zeros(count, dtype=torch.int64, device=flat.device).index_add_(0, flat, torch.ones_like(flat))


@op("Accumulate: input -> output", types="input: floating", like="input", stores=False)
class Accumulate(Op):
    """output = input + gamma * output, with the output of the run before, or 0 where it had another shape.

    input: of any shape.
    output: of the shape of input.
    gamma: the weight of the past.
    """

    gamma: float = 1.0

    def bind(self, site: Site) -> None:
        self.cell = site.workspace.cell(site.outputs[0])

    def __call__(self, x: Tensor) -> None:
        before = self.cell.value
        if isinstance(before, Tensor) and before.shape == x.shape and before.dtype == x.dtype:
            self.cell.value = torch.add(x, before, alpha=self.gamma)
        else:
            self.cell.value = x.clone()


@op("AccumulateHistogram: X -> CurHist AccHist", types="X: floating")
class AccumulateHistogram(Op):
    """How many elements lie in each of some buckets, in this run and in all runs so far.

    The first bucket is below lower_bound, the last one from upper_bound on, those between are equally wide.

    X: of any shape.
    CurHist, AccHist: (num_buckets + 2), int64: of this run, and of all.
    lower_bound, upper_bound: the ends of the buckets between.
    num_buckets: how many lie between.
    """

    lower_bound: float = 0.0
    upper_bound: float = 1.0
    num_buckets: int = 1

    def bind(self, site: Site) -> None:
        if self.num_buckets < 1:
            raise EnforceNotMet(f"num_buckets is at least 1, not {self.num_buckets}")
        self.width = float((np.float32(self.upper_bound) - np.float32(self.lower_bound)) / np.float32(self.num_buckets))
        self.total = torch.zeros(self.num_buckets + 2, dtype=torch.int64, device=site.device)

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        inner = ((x - self.lower_bound) / self.width).clamp(0, self.num_buckets).long() + 1
        places = torch.where(x < self.lower_bound, 0, torch.where(x < self.upper_bound, inner, self.num_buckets + 1))
        found = counted(places, self.num_buckets + 2)
        self.total = self.total + found
        return found, self.total.clone()


@op("Histogram: +X -> histogram", types="X: float double")
class Histogram(Op):
    """histogram[i] = how many elements of all X lie in [bin_edges[i], bin_edges[i+1]).

    X: of any shapes.
    histogram: (edges - 1), int64.
    bin_edges: at least two numbers, strictly increasing.
    """

    bin_edges: tuple[float, ...] = ()

    def bind(self, site: Site) -> None:
        if len(self.bin_edges) < 2:
            raise EnforceNotMet(f"Number of bin edges must be greater than or equal to 2; it is {len(self.bin_edges)}")
        if not all(a < b for a, b in zip(self.bin_edges, self.bin_edges[1:])):
            raise EnforceNotMet(f"bin_edges must be a strictly increasing sequence of values: {list(self.bin_edges)}")
        self.edges = torch.tensor(self.bin_edges, dtype=torch.float32, device=site.device)

    def __call__(self, *xs: Tensor) -> Tensor:
        edges = self.edges.to(xs[0].dtype)
        places = torch.cat([torch.bucketize(x.reshape(-1), edges, right=True) for x in same_type(xs)])
        return counted(places, len(self.bin_edges) + 1)[1:-1].clone()


def same_type(xs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The tensors. Raises EnforceNotMet unless all have one element type."""
    if any(x.dtype != xs[0].dtype for x in xs):
        raise EnforceNotMet(f"all inputs have one element type; they have {', '.join(str(x.dtype)[6:] for x in xs)}")
    return xs


RANGE_SCALING = 1.0001
"""The last edge lies this much further than the greatest value, so that the last count is 0."""


@op("SelfBinningHistogram: +X -> histogram_values histogram_counts", types="X: float double")
class SelfBinningHistogram(Op):
    """num_bins + 1 edges from the least to just above the greatest element of all X, and how many lie from each on.

    X: of any shapes.
    histogram_values: (num_bins + 1): the edges.
    histogram_counts: (num_bins + 1), int64; the last element is 0.
    num_bins: how many buckets.
    bin_spacing: linear or logarithmic, from logspace_start on.
    logspace_start: the least edge that is not 0, of logarithmic buckets.
    abs: of the absolute values.
    """

    num_bins: int = 0
    bin_spacing: str = "linear"
    logspace_start: float = 1e-24
    abs: bool = False

    def bind(self, site: Site) -> None:
        if self.num_bins < 1:
            raise EnforceNotMet(f"Number of bins must be greater than or equal to 1. num_bins is {self.num_bins}")
        if self.logspace_start <= 0:
            raise EnforceNotMet(f"logspace_start must be positive; it is {self.logspace_start}")
        if self.bin_spacing not in ("linear", "logarithmic"):
            raise EnforceNotMet(f"bin_spacing is linear or logarithmic, not {self.bin_spacing!r}")

    def __call__(self, *xs: Tensor) -> tuple[Tensor, Tensor]:
        values = torch.cat([x.reshape(-1) for x in same_type(xs)])
        values = values.abs() if self.abs else values
        if not values.numel():
            return values.new_zeros(self.num_bins + 1), values.new_zeros(self.num_bins + 1, dtype=torch.int64)
        edges, flat = self.edges(*values.aminmax())
        places = torch.bucketize(values, edges, right=True).sub_(1).clamp_(min=0)
        counts = counted(places, self.num_bins + 1)
        first = torch.arange(self.num_bins + 1, device=values.device) == 0
        whole = first * values.numel()
        inside = torch.where(torch.arange(self.num_bins + 1, device=values.device) < self.num_bins, counts, 0)
        return edges, torch.where(flat, whole, inside)

    def edges(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """The edges, and whether the range is too small to part: then every element belongs to the first bin."""
        steps = torch.arange(self.num_bins + 1, dtype=low.dtype, device=low.device) / self.num_bins
        if self.bin_spacing == "logarithmic":
            low, high = low.clamp(min=self.logspace_start), high.clamp(min=self.logspace_start)
        end = low + (high - low) * RANGE_SCALING
        if self.bin_spacing == "linear":
            edges = low + steps * (end - low)
        else:
            edges = low * torch.exp((torch.log(end) - torch.log(low)) * steps)
        flat = edges[-1] <= high
        return torch.where((steps == 1) & flat, end, edges), flat
