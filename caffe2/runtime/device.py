"""Devices: what a DeviceOption means to torch."""

from __future__ import annotations

import torch

from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2

CPU = torch.device("cpu")
TORCH_NAMES = {
    caffe2_pb2.PROTO_CPU: "cpu",
    caffe2_pb2.PROTO_CUDA: "cuda",
    caffe2_pb2.PROTO_HIP: "cuda",
    caffe2_pb2.PROTO_MKLDNN: "cpu",
    caffe2_pb2.PROTO_IDEEP: "cpu",
    9: "xla",
    12: "xpu",
    13: "mps",
}
"""Device types of the wire format, continued with torch's own numbers; IDEEP and MKL-DNN are kernels of torch's CPU."""


def torch_device(option: caffe2_pb2.DeviceOption) -> torch.device:
    """The torch device that a DeviceOption names. Raises EnforceNotMet for a type or a number that is not here."""
    name = TORCH_NAMES.get(option.device_type)
    if name is None:
        raise EnforceNotMet(f"the device type {option.device_type} is not known; known are {sorted(TORCH_NAMES)}")
    if name == "cuda" and option.device_id >= torch.cuda.device_count():
        have = f"there are {torch.cuda.device_count()} of them here"
        raise EnforceNotMet(f"the GPU number {option.device_id} is asked for, from 0 on, and {have}")
    return CPU if name == "cpu" else torch.device(name, option.device_id)


def operator_device(op: caffe2_pb2.OperatorDef, default: caffe2_pb2.DeviceOption | None) -> torch.device:
    """Where an operator runs: its own device option, else its net's, else the CPU."""
    if op.HasField("device_option"):
        return torch_device(op.device_option)
    return torch_device(default) if default is not None else CPU
