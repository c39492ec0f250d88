"""Net modifiers: objects that add operators to a net under construction."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import Any

from caffe2.proto import caffe2_pb2
from caffe2.python import core, schema
from caffe2.python._misuse import demand


class NetModifier(abc.ABC):
    """Adds operators to a net when it is called."""

    @abc.abstractmethod
    def modify_net(
        self,
        net: core.Net,
        init_net: core.Net | None = None,
        grad_map: Mapping[Any, Any] | None = None,
        blob_to_device: Mapping[Any, caffe2_pb2.DeviceOption] | None = None,
        modify_output_record: bool = False,
    ) -> None:
        """Add the operators to `net`.

        grad_map: gradients by blob, where the modifier is about gradients.
        blob_to_device: where blobs live, so that operators on them are put there.
        modify_output_record: add what is computed to the net's output record.
        """

    def __call__(
        self,
        net: core.Net,
        init_net: core.Net | None = None,
        grad_map: Mapping[Any, Any] | None = None,
        blob_to_device: Mapping[Any, caffe2_pb2.DeviceOption] | None = None,
        modify_output_record: bool = False,
    ) -> None:
        """Do modify_net."""
        self.modify_net(net, init_net, grad_map, blob_to_device, modify_output_record=modify_output_record)


class BlobMonitor(NetModifier):
    """Base of modifiers that compute, print and report something of each of some blobs.

    blobs: names or references.
    logging_frequency: print what is computed at every so manieth run; below 1 never.
    """

    _field_name_suffix: str

    def __init__(self, blobs: Iterable[Any], logging_frequency: int) -> None:
        self._blobs = blobs
        self._logging_frequency = logging_frequency

    def field_name_suffix(self) -> str:
        """What is appended to a blob's name for the field of the output record."""
        return self._field_name_suffix

    @abc.abstractmethod
    def _compute(self, net: core.Net, blob: core.BlobReference) -> tuple[core.BlobReference, core.BlobReference]:
        """The blob that is reported on, which may be part of the given one, and what is computed of it."""

    @abc.abstractmethod
    def _field_type(self) -> Any:
        """The type of the field in the output record."""

    def _device(self, blob: core.BlobReference, devices: Mapping[Any, Any]) -> caffe2_pb2.DeviceOption | None:
        return None

    def modify_net(
        self,
        net: core.Net,
        init_net: core.Net | None = None,
        grad_map: Mapping[Any, Any] | None = None,
        blob_to_device: Mapping[Any, caffe2_pb2.DeviceOption] | None = None,
        modify_output_record: bool = False,
    ) -> None:
        for blob in map(core.BlobReference, self._blobs):
            demand(net.BlobIsDefined(blob), f"blob {blob} is not defined in net {net.Name()}")
            device = self._device(blob, blob_to_device or {})
            with core.DeviceScope(device) if device else nullcontext():
                reported, value = self._compute(net, blob)
                if self._logging_frequency >= 1:
                    net.Print(value, [], every_n=self._logging_frequency)
            if modify_output_record:
                _append_to_output_record(net, str(reported) + self._field_name_suffix, self._field_type(), value)


def _append_to_output_record(net: core.Net, name: str, dtype: Any, value: core.BlobReference) -> None:
    field = schema.Scalar(dtype, value)
    if net.output_record() is None:
        net.set_output_record(schema.Struct((name, field)))
    else:
        net.AppendOutputRecordField(name, field)
