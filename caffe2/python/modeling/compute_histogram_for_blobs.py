"""Histograms of blobs while a net runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from caffe2.python import core
from caffe2.python._misuse import demand
from caffe2.python.modeling.net_modifier import BlobMonitor


class ComputeHistogramForBlobs(BlobMonitor):
    """Adds the share of each blob's elements in each of `num_buckets` + 2 buckets.

    The first bucket is below `lower_bound`, the last from `upper_bound` on, those between are of equal width.
    accumulate: over all runs so far instead of the present one.
    """

    def __init__(
        self,
        blobs: Iterable[Any],
        logging_frequency: int,
        num_buckets: int = 30,
        lower_bound: float = 0.0,
        upper_bound: float = 1.0,
        accumulate: bool = False,
    ) -> None:
        super().__init__(blobs, logging_frequency)
        self._accumulate = accumulate
        self._field_name_suffix = "_acc_normalized_hist" if accumulate else "_curr_normalized_hist"
        self._num_buckets = int(num_buckets)
        demand(self._num_buckets > 0, f"a histogram has at least one bucket, not {num_buckets}")
        self._lower_bound = float(lower_bound)
        self._upper_bound = float(upper_bound)

    def _compute(self, net: core.Net, blob: core.BlobReference) -> tuple[core.BlobReference, core.BlobReference]:
        floats = net.Cast(blob, net.NextScopedBlob(prefix=blob + "_float"), to=core.DataType.FLOAT)
        current, accumulated = net.AccumulateHistogram(
            [floats],
            [net.NextScopedBlob(prefix=blob + "_curr_hist"), net.NextScopedBlob(prefix=blob + "_acc_hist")],
            num_buckets=self._num_buckets,
            lower_bound=self._lower_bound,
            upper_bound=self._upper_bound,
        )
        counts = net.Cast(
            accumulated if self._accumulate else current,
            net.NextScopedBlob(prefix=blob + "_cast_hist"),
            to=core.DataType.FLOAT,
        )
        return blob, net.NormalizeL1(counts, net.NextScopedBlob(prefix=blob + self._field_name_suffix))

    def _field_type(self) -> Any:
        return np.float32, (self._num_buckets + 2,)
