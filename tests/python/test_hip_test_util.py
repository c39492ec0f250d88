"""Which tests run on ROCm."""

from __future__ import annotations

from caffe2.proto import caffe2_pb2
from caffe2.python.hip_test_util import run_in_hip


def test_run_in_hip():
    cpu, hip = (caffe2_pb2.DeviceOption(device_type=kind) for kind in (caffe2_pb2.CPU, caffe2_pb2.HIP))
    assert run_in_hip(hip, [cpu]) and run_in_hip(cpu, [cpu, hip]) and not run_in_hip(cpu, [cpu])
