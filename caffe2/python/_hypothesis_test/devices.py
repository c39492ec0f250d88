"""Devices to test on, as strategies: `@given(**hu.gcs)` draws one, `gc`, and gives all, `dc`."""

from __future__ import annotations

from collections.abc import Sequence

import hypothesis.strategies as st

from caffe2.proto import caffe2_pb2
from caffe2.python import workspace

Device = caffe2_pb2.DeviceOption

cpu_do = Device()
cuda_do = Device(device_type=caffe2_pb2.CUDA)
hip_do = Device(device_type=caffe2_pb2.HIP)
gpu_do = Device(device_type=workspace.GpuDeviceType)

_cuda_do_list = [cuda_do] if workspace.has_cuda_support else []
_hip_do_list = [hip_do] if workspace.has_hip_support else []
_gpu_do_list = [gpu_do] if workspace.has_gpu_support else []
_device_options_no_hip = [cpu_do, *_cuda_do_list]
device_options = [*_device_options_no_hip, *_hip_do_list]
expanded_device_options = [
    cpu_do,
    *(Device(device_type=workspace.GpuDeviceType, device_id=i) for i in range(workspace.NumGpuDevices())),
]


def device_checker_device_options() -> st.SearchStrategy:
    """All devices."""
    return st.just(device_options)


def gradient_checker_device_option() -> st.SearchStrategy:
    """One of the devices."""
    return st.sampled_from(device_options)


def _given(devices: Sequence[Device]) -> dict[str, st.SearchStrategy]:
    return {"gc": st.sampled_from(devices) if devices else st.nothing(), "dc": st.just(devices)}


gcs = _given(device_options)
gcs_cpu_only = _given([cpu_do])
gcs_cuda_only = _given(_cuda_do_list)
gcs_gpu_only = _given(_gpu_do_list)
gcs_no_hip = _given(_device_options_no_hip)
