"""The device that a Caffe training runs on: the one that a user names, or the one that the solver asks for."""

from __future__ import annotations

import re

from google.protobuf.message import Message

from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2, caffe_pb2
from caffe2.python import core, workspace

CPU = core.DeviceOption(caffe2_pb2.CPU)


def device_option(name: str) -> caffe2_pb2.DeviceOption:
    """The device that "cpu", "cuda" or "cuda:1" names. Raises EnforceNotMet for another name, or a GPU not here."""
    found = re.fullmatch(r"cpu|cuda(?::(\d+))?", name)
    if found is None:
        raise EnforceNotMet(f'a device is called cpu, cuda or cuda:N, not "{name}"')
    if name == "cpu":
        return CPU
    number, count = int(found[1] or 0), workspace.NumGpuDevices()
    if number >= count:
        raise EnforceNotMet(f"{name} is not here: PyTorch sees {count} GPUs")
    return core.DeviceOption(workspace.GpuDeviceType, number)


def solvers_device(param: Message) -> tuple[caffe2_pb2.DeviceOption, list[str]]:
    """The device that a solver's solver_mode and device_id ask for, and a note where it is not here: then the CPU.

    Without a solver_mode it is the CPU, as with Caffe's own command.
    """
    if not param.HasField("solver_mode") or param.solver_mode == caffe_pb2.SolverParameter.CPU:
        return CPU, []
    if param.device_id < workspace.NumGpuDevices():
        return core.DeviceOption(workspace.GpuDeviceType, param.device_id), []
    return CPU, [f"the solver asks for the GPU {param.device_id}, which is not here: it trains on the CPU"]
