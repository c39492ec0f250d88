"""Norms of blobs while a net runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from caffe2.proto import caffe2_pb2
from caffe2.python import core
from caffe2.python.modeling.net_modifier import BlobMonitor


class ComputeNormForBlobs(BlobMonitor):
    """Adds sum |x|^p over the elements x of each blob, on the blob's device.

    compute_averaged_norm: the mean instead of the sum.
    row_index: over this row alone; the original's row 0 means all rows, which is kept.
    """

    def __init__(
        self,
        blobs: Iterable[Any],
        logging_frequency: int,
        p: int = 2,
        compute_averaged_norm: bool = False,
        row_index: int | None = None,
    ) -> None:
        super().__init__(blobs, logging_frequency)
        self._p = p
        self._compute_averaged_norm = compute_averaged_norm
        self._field_name_suffix = f"{'_averaged' if compute_averaged_norm else ''}_l{p}_norm"
        if row_index and row_index < 0:
            raise ValueError(f"a row index is not negative: {row_index}")
        self.row_index = row_index

    def _device(self, blob: core.BlobReference, devices: Mapping[Any, Any]) -> caffe2_pb2.DeviceOption:
        return devices.get(blob) or caffe2_pb2.DeviceOption(device_type=caffe2_pb2.CPU)

    def _compute(self, net: core.Net, blob: core.BlobReference) -> tuple[core.BlobReference, core.BlobReference]:
        if self.row_index:
            name = net.NextScopedBlob(prefix=blob + f"_row_{self.row_index}")
            blob = net.Slice([blob], name, starts=[self.row_index, 0], ends=[self.row_index + 1, -1])
        floats = net.Cast(blob, net.NextScopedBlob(prefix=blob + "_float"), to=core.DataType.FLOAT)
        name = net.NextScopedBlob(prefix=blob + self._field_name_suffix)
        norm = net.LpNorm(floats, name, p=self._p, average=self._compute_averaged_norm)
        net.StopGradient(norm, net.NextScopedBlob(name + "_stop_gradient"))
        return blob, norm

    def _field_type(self) -> Any:
        return float, (1,)
