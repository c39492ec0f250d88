"""Devices of operators and of the blobs they read and write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from caffe2.opdef import verify
from caffe2.opdef.header import Side
from caffe2.proto import caffe2_pb2
from caffe2.python._misuse import demand

if TYPE_CHECKING:
    from caffe2.python._core.net import Net

Device = caffe2_pb2.DeviceOption


def DeviceOption(
    device_type: int,
    device_id: int = 0,
    random_seed: int | None = None,
    node_name: str | None = None,
    numa_node_id: int | None = None,
    extra_info: Iterable[str] | None = None,
) -> Device:
    """A DeviceOption message; type and id are always set, the rest where given. NUMA nodes are the CPU's alone."""
    demand(numa_node_id is None or device_type == caffe2_pb2.CPU, f"a NUMA node is given for device type {device_type}")
    return Device(
        device_type=device_type,
        device_id=device_id,
        random_seed=random_seed,
        node_name=node_name,
        numa_node_id=numa_node_id,
        extra_info=extra_info,
    )


def IsGPUDeviceType(device_type: int) -> bool:
    """Whether a device type is CUDA's or HIP's."""
    return device_type in (caffe2_pb2.CUDA, caffe2_pb2.HIP)


def device_equal(src: Device, dst: Device) -> bool:
    """Whether two options name the same device, a field left unset counting as its default."""
    return src.device_type == dst.device_type and src.device_id == dst.device_id


def device_option_equal(
    opt1: Device | None, opt2: Device | None, ignore_node_name: bool = True, ignore_random_seed: bool = True
) -> bool:
    """Whether two options mean the same place: of CPUs the id does not count, of other devices the type does not.

    The last is a quirk of the original: CUDA 1 equals HIP 1.
    """
    if not opt1 or not opt2:
        return opt1 == opt2
    if not ignore_node_name and opt1.node_name != opt2.node_name:
        return False
    if not ignore_random_seed and opt1.random_seed != opt2.random_seed:
        return False
    if not opt1.device_type or not opt2.device_type:
        return opt1.device_type == opt2.device_type
    return opt1.device_id == opt2.device_id


def InferBlobDevices(net: Net) -> dict[str, Device]:
    """The device of every blob that the net writes: that of the last operator to write it."""
    return {blob: op.device_option for op in net.Proto().op for blob in op.output}


def InferOpBlobDevicesAsDict(op: caffe2_pb2.OperatorDef) -> tuple[dict[str, Device], dict[str, Device]]:
    """InferOpBlobDevices with the names of the blobs."""
    ins, outs = InferOpBlobDevices(op)
    return dict(zip(op.input, ins)), dict(zip(op.output, outs))


def InferOpDeviceAsBlobDevices(op: caffe2_pb2.OperatorDef) -> tuple[list[Device], list[Device]]:
    """The operator's own device for each of its inputs and outputs."""
    return [op.device_option] * len(op.input), [op.device_option] * len(op.output)


def InferOpBlobDevices(op: caffe2_pb2.OperatorDef) -> tuple[list[Device], list[Device]]:
    """The device of each input and of each output: the operator's own, or the CPU for blobs kept in host memory.

    Raises UnknownOperator, or SchemaError where the operator has too many or too few blobs.
    """
    definition = verify(op)
    sides = ((definition.header.inputs, op.input), (definition.header.outputs, op.output))
    return tuple(_side_devices(op, definition.host, side, names) for side, names in sides)


def _side_devices(op: caffe2_pb2.OperatorDef, host: frozenset[str], side: Side, names: Sequence[str]) -> list[Device]:
    on_host: set[int] = set()
    for slot, positions in side.assign(range(len(names))).items():
        if slot in host and positions is not None:
            on_host.update(positions if isinstance(positions, list) else [positions])
    return [Device() if i in on_host else op.device_option for i in range(len(names))]
