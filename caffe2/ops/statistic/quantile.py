"""Quantiles of data, and percentiles read off known distributions."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import NONE, EnforceNotMet, Op, Site, op
from caffe2.ops.demand import lengths as demand_lengths
from caffe2.ops.demand import rank
from caffe2.ops.ragged import padded
from caffe2.ops.statistic.histogram import same_type

PERCENTILE_EPSILON = 1e-10


@op("Quantile: +X -> quantile_value", types="X: float double", shape=lambda *xs, **_: xs[0].new_empty(1))
class Quantile(Op):
    """A value that the fraction `quantile` of all elements of all X do not exceed, found by bisection.

    X: of any shapes.
    quantile_value: (1).
    quantile: the fraction, 0 to 1.
    abs: of the absolute values.
    tol: bisection stops at bounds that differ by tol * (|low| + |high|).
    """

    quantile: float = -1.0
    abs: bool = True
    tol: float = 1e-3

    def bind(self, site: Site) -> None:
        if not 0 <= self.quantile <= 1 or self.tol <= 0:
            raise EnforceNotMet(f"quantile lies in [0, 1] and tol above 0; they are {self.quantile} and {self.tol}")

    def __call__(self, *xs: Tensor) -> Tensor:
        values = torch.cat([x.reshape(-1) for x in same_type(xs)])
        if not values.numel():
            raise EnforceNotMet("there is no quantile of no elements")
        ordered = (values.abs() if self.abs else values).sort().values.cpu().numpy()
        return values.new_tensor([self.bisect(ordered)])

    def bisect(self, ordered: np.ndarray) -> float:
        """The quantile of values in order, in steps of their own precision, as the original takes them."""
        wanted = math.ceil(np.float32(ordered.size) * np.float32(self.quantile))
        low, high = ordered[0], ordered[-1]
        if wanted == 0 or wanted == ordered.size:
            return float(high if wanted else low)
        if np.searchsorted(ordered, low, side="right") >= wanted:
            return float(low)
        while abs(high - low) > self.tol * (abs(high) + abs(low)):
            middle = ordered.dtype.type(low + (high - low) / 2)
            below = np.searchsorted(ordered, middle, side="right")
            if below == wanted:
                return float(middle)
            if middle in (low, high):
                raise EnforceNotMet(f"bisection between {low} and {high} is at the limit of precision; tol={self.tol}")
            low, high = (low, middle) if below > wanted else (middle, high)
        return float(high)


@op(
    "Percentile: original_values value_to_pct lengths -> percentile_values",
    gradient=NONE,
    types="original_values=value_to_pct: float, lengths: int32",
    like="original_values",
)
def percentile(x: Tensor, pairs: Tensor, lengths: Tensor) -> Tensor:
    """The percentile of every element in the distribution of its column, interpolated linearly.

    Below the first value the percentile is 0, above the last one 1.

    original_values: (N, F).
    value_to_pct: (values, 2): pairs of a value and its percentile, in order, for one feature after another.
    lengths: (F), int32: how many pairs each feature has.
    percentile_values: (N, F).
    """
    rank(x, 2, "original_values")
    rank(pairs, 2, "value_to_pct")
    if pairs.shape[1] != 2 or lengths.numel() != x.shape[1]:
        raise EnforceNotMet(
            f"value_to_pct{list(pairs.shape)} are pairs, lengths one for each of {x.shape[1]} columns,"
            f" not {list(lengths.shape)}"
        )
    demand_lengths(lengths, pairs.shape[0], "lengths")
    width = max(int(lengths.max()) if lengths.numel() else 0, 1)
    known, percentiles = (padded(pairs[:, k], lengths, width, fill) for k, fill in ((0, math.inf), (1, 1.0)))
    columns = x.t().contiguous()
    above = torch.searchsorted(known, columns).clamp_(max=width - 1)
    below = (above - 1).clamp_(min=0)
    upper, lower = known.gather(1, above), known.gather(1, below)
    to, start = percentiles.gather(1, above), percentiles.gather(1, below)
    between = torch.where(above == 0, 0, start + (columns - lower) / (upper - lower) * (to - start))
    last = known.gather(1, (lengths.long() - 1).clamp(min=0).unsqueeze(1))
    beyond = (columns > last) | (lengths == 0).unsqueeze(1)
    return torch.where(beyond, 1.0, torch.where(columns == upper, to, between)).t().contiguous()


@op("BisectPercentile: raw_values -> percentile", gradient=NONE, types="raw_values: float", like="raw_values")
class BisectPercentile(Op):
    """The percentile of every element in the distribution of its column, interpolated linearly.

    Below the first value the percentile is 0, above the last one 1.

    raw_values: (N, F).
    percentile: (N, F).
    percentile_raw: values, in order, for one feature after another.
    percentile_mapping, percentile_lower, percentile_upper: the percentile at each of these values, just below it and
        just above it.
    lengths: how many of these values each feature has.
    """

    percentile_raw: tuple[float, ...] = ()
    percentile_mapping: tuple[float, ...] = ()
    percentile_lower: tuple[float, ...] = ()
    percentile_upper: tuple[float, ...] = ()
    lengths: tuple[int, ...] = ()

    def bind(self, site: Site) -> None:
        lists = (self.percentile_raw, self.percentile_mapping, self.percentile_lower, self.percentile_upper)
        if {len(values) for values in lists} != {sum(self.lengths)} or any(n < 1 for n in self.lengths):
            counts = ", ".join(str(len(values)) for values in lists)
            raise EnforceNotMet(
                f"percentile_raw, _mapping, _lower and _upper are as many as positive lengths {list(self.lengths)} say;"
                f" they are {counts}"
            )
        width = max(self.lengths, default=1)
        of_each = torch.tensor(self.lengths, dtype=torch.int64)
        self.tables = [
            padded(torch.tensor(values, dtype=torch.float32), of_each, width, math.inf).to(site.device)
            for values in lists
        ]
        self.last = self.tables[0].gather(1, (of_each - 1).to(site.device).unsqueeze(1))

    def __call__(self, x: Tensor) -> Tensor:
        raw, mapping, lower, upper = self.tables
        if x.dim() != 2 or x.shape[1] != len(self.lengths):
            raise EnforceNotMet(f"raw_values has {len(self.lengths)} columns, as lengths say; it is {list(x.shape)}")
        columns = x.t().contiguous()
        at = (torch.searchsorted(raw, columns, right=True) - 1).clamp(0, raw.shape[1] - 1)
        after = (at + 1).clamp(max=raw.shape[1] - 1)
        start = raw.gather(1, at)
        share = (columns - start) / (raw.gather(1, after) - start + PERCENTILE_EPSILON)
        between = (1 - share) * upper.gather(1, at) + share * lower.gather(1, after)
        found = torch.where(columns == start, mapping.gather(1, at), between)
        found = torch.where(columns < raw[:, :1], 0.0, torch.where(columns > self.last, 1.0, found))
        return found.t().contiguous()
