"""Single rows and entries of matrices while a net runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from caffe2.python import core
from caffe2.python.modeling.net_modifier import BlobMonitor


class GetEntryFromBlobs(BlobMonitor):
    """Adds entry (i1, i2) of each blob, a matrix, or all of row i1 where i2 is -1."""

    def __init__(self, blobs: Iterable[Any], logging_frequency: int, i1: int = 0, i2: int = 0) -> None:
        super().__init__(blobs, logging_frequency)
        self._i1 = i1
        self._i2 = i2
        self._field_name_suffix = f"_{i1}_{i2}" if i2 >= 0 else f"_{i1}_all"

    def _compute(self, net: core.Net, blob: core.BlobReference) -> tuple[core.BlobReference, core.BlobReference]:
        i1, i2 = self._i1, self._i2
        if i1 < 0:
            raise ValueError(f"a row index is not negative: {i1}")
        row = net.Slice([blob], starts=[i1, 0], ends=[i1 + 1, -1])
        if i2 == -1:
            return blob, net.Copy([row], [net.NextScopedBlob(prefix=blob + f"_{i1}_all")])
        name = net.NextScopedBlob(prefix=blob + f"_{i1}_{i2}")
        return blob, net.Slice([row], name, starts=[0, i2], ends=[-1, i2 + 1])

    def _field_type(self) -> Any:
        return float
