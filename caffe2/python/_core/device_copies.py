"""Copies between devices, put into nets whose operators want a blob elsewhere than it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from typing import Any

from caffe2.proto import caffe2_pb2
from caffe2.python._core.devices import (
    Device,
    InferOpBlobDevices,
    InferOpDeviceAsBlobDevices,
    IsGPUDeviceType,
    device_equal,
)
from caffe2.python._core.net import Net
from caffe2.python._core.remap import remap_input
from caffe2.python._misuse import demand
from caffe2.python.scope import DeviceScope


class RemapEntry:
    """A blob and a device where it is wanted."""

    def __init__(self, blob: str, device: Device) -> None:
        self.blob, self.device = blob, device

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemapEntry) and self.blob == other.blob and self.device == other.device

    def __hash__(self) -> int:
        return hash(self.blob + str(self.device))


def copy_func_between_devices(src: Device, dst: Device) -> Callable[..., Any] | None:
    """A function (net, input, output) that appends the operator copying from one device to another; None for the same.

    Raises ValueError where there is no such operator.
    """
    kinds = tuple("gpu" if IsGPUDeviceType(d.device_type) else d.device_type for d in (src, dst))
    if kinds == (caffe2_pb2.CPU, caffe2_pb2.CPU) or (kinds == ("gpu", "gpu") and src.device_id == dst.device_id):
        return None
    copies = {
        ("gpu", "gpu"): ("Copy", dst),
        ("gpu", caffe2_pb2.CPU): ("CopyGPUToCPU", src),
        (caffe2_pb2.CPU, "gpu"): ("CopyCPUToGPU", dst),
    }
    if kinds not in copies:
        raise ValueError(f"Non-supported devices: {src} and {dst}")
    operator, where = copies[kinds]

    def copy(net: Net, *args: Any, **kwargs: Any) -> Any:
        with DeviceScope(where):
            return getattr(net, operator)(*args, **kwargs)

    return copy


def update_placeholder_op_output(op: caffe2_pb2.OperatorDef, blob_to_device: dict[str, Device]) -> None:
    """Placeholders, such as a Recv, run on the CPU: outputs that live elsewhere are renamed `<blob>_cpu`."""
    on_cpu = Device()
    op.output[:] = [
        name if blob_to_device.get(name, on_cpu).device_type == caffe2_pb2.CPU else f"{name}_cpu" for name in op.output
    ]


def _name_on(blob: str, device: Device) -> str:
    if device.device_type == caffe2_pb2.CPU:
        return f"{blob}_cpu"
    if IsGPUDeviceType(device.device_type):
        return f"{blob}_gpu_{device.device_id}"
    raise RuntimeError(f"Unknown device type: {device.device_type}, wanted for blob {blob}")


class _Injection:
    """One net being rebuilt with copies in it."""

    def __init__(self, net: Net, blob_to_device: dict[str, Device], blob_remap: dict[RemapEntry, str]) -> None:
        self.net, self.where, self.copies = net, blob_to_device, blob_remap
        self.made = net.Clone(f"{net.Name()}_cross_device", keep_schema=True)
        del self.made.Proto().op[:]
        known = defaultdict(list)
        for entry, copy in blob_remap.items():
            known[entry.blob].append(copy)
        external = self.made.Proto().external_input
        external.extend([copy for name in list(external) for copy in known[name]])

    def add(self, op: caffe2_pb2.OperatorDef, placeholder: bool) -> None:
        """Append an operator, after copies of those of its inputs that are elsewhere."""
        wanted, given = (InferOpDeviceAsBlobDevices if placeholder else InferOpBlobDevices)(op)
        moved = {name: self._on(name, device) for name, device in zip(op.input, wanted)}
        if placeholder:
            update_placeholder_op_output(op, self.where)
        for name, device in zip(op.output, given):
            if name in self.where and name not in op.input and not device_equal(self.where[name], device):
                raise RuntimeError(
                    f"In-place blob: {name} is not supported between operators with different device option"
                    f" previous:{self.where[name]} now: {device}. Failed op:\n {op}"
                )
        new = caffe2_pb2.OperatorDef()
        new.CopyFrom(op)
        remap_input(new, moved)
        new.output[:] = [moved.get(name, name) for name in op.output]  # what was in place stays in place
        self.where.update(zip(new.output, given))
        self.made.extend_ops([new])

    def _on(self, name: str, device: Device) -> str:
        """The name of a blob on a device, copied there if need be."""
        demand(self.net.BlobIsDefined(name), f"input {name} should be defined in the net.")
        if name not in self.where:
            if not self.net.is_external_input(name):
                raise AttributeError(f"No device information found for blob {name}.")
            self.where[name] = self.net.Proto().device_option
        if device_equal(self.where[name], device):
            return name
        entry = RemapEntry(name, device)
        if entry in self.copies and self.where[self.copies[entry]] == device:
            return self.copies[entry]
        copy = copy_func_between_devices(self.where[name], device)
        new_name = self.copies[entry] = _name_on(name, device)
        copy(self.made, name, new_name)
        self.where[new_name] = device
        return new_name


def InjectCrossDeviceCopies(
    net: Net,
    blob_to_device: dict[str, Device] | None = None,
    blob_remap: dict[RemapEntry, str] | None = None,
    placeHolderOps: Collection[str] | None = None,
) -> tuple[Net, dict[str, Device]]:
    """A copy of a net in which blobs are copied to the device that an operator wants them on, and where each blob is.

    blob_to_device: where blobs are, updated; external inputs that it lacks are taken to be on the net's device.
    blob_remap: names of copies that were made before, updated; these serve again.
    placeHolderOps: types of operators without a definition; their blobs are on their own device.
    Raises RuntimeError where two operators write one blob on different devices.
    """
    where = {} if blob_to_device is None else blob_to_device
    injection = _Injection(net, where, {} if blob_remap is None else blob_remap)
    for op in net.Proto().op:
        injection.add(op, placeholder=op.type in (placeHolderOps or ()))
    return injection.made, where


def InjectDeviceCopiesAmongNets(
    nets: list[Net], blob_to_device_init: dict[str, Device] | None = None
) -> tuple[list[Net], dict[str, Device]]:
    """InjectCrossDeviceCopies over nets in the order they are run in, which share what was copied."""
    demand(isinstance(nets, list) and all(isinstance(n, Net) for n in nets), f"nets {nets} should be a list of nets.")
    where = blob_to_device_init or {}
    copies: dict[RemapEntry, str] = {}
    return [InjectCrossDeviceCopies(net, where, copies)[0] for net in nets], where


def InjectDeviceCopiesAmongNetsWithoutB2D(
    nets: list[Net], blob_to_device_init: dict[str, Device] | None = None
) -> list[Net]:
    """The nets of InjectDeviceCopiesAmongNets."""
    return InjectDeviceCopiesAmongNets(nets, blob_to_device_init)[0]
