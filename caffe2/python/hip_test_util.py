"""Whether a test of an operator runs on ROCm."""

from __future__ import annotations

from collections.abc import Sequence

from caffe2.proto import caffe2_pb2


def run_in_hip(gc: caffe2_pb2.DeviceOption, dc: Sequence[caffe2_pb2.DeviceOption]) -> bool:
    """Whether the device of a gradient check, or one of those that are compared, is of type HIP."""
    return caffe2_pb2.HIP in {d.device_type for d in (gc, *dc)}
