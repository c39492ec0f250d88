"""Summaries of blobs while a net runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from caffe2.python import core
from caffe2.python.modeling.net_modifier import BlobMonitor


class ComputeStatisticsForBlobs(BlobMonitor):
    """Adds the minimum, maximum, mean and standard deviation of each blob's elements."""

    def __init__(self, blobs: Iterable[Any], logging_frequency: int) -> None:
        super().__init__(blobs, logging_frequency)
        self._field_name_suffix = "_summary"

    def _compute(self, net: core.Net, blob: core.BlobReference) -> tuple[core.BlobReference, core.BlobReference]:
        floats = net.Cast(blob, to=core.DataType.FLOAT)
        return blob, net.Summarize(floats, net.NextScopedBlob(prefix=blob + self._field_name_suffix), to_file=0)

    def _field_type(self) -> Any:
        return float, (1,)
