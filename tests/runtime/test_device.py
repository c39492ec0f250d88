"""Devices that a DeviceOption names."""

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2
from caffe2.runtime.device import torch_device
from caffe2.runtime.workspace import Workspace
from tests.runtime.nets import operator

ABSENT = caffe2_pb2.DeviceOption(device_type=caffe2_pb2.PROTO_CUDA, device_id=torch.cuda.device_count())


def test_devices():
    for kind in (caffe2_pb2.PROTO_CPU, caffe2_pb2.PROTO_IDEEP, caffe2_pb2.PROTO_MKLDNN):
        assert torch_device(caffe2_pb2.DeviceOption(device_type=kind, device_id=3)) == torch.device("cpu")


def test_devices_that_are_not_here():
    with pytest.raises(EnforceNotMet, match="the GPU number .* is asked for"):
        torch_device(ABSENT)
    with pytest.raises(EnforceNotMet, match="the device type 99 is not known"):
        torch_device(caffe2_pb2.DeviceOption(device_type=99))
    workspace = Workspace()
    workspace.feed("x", np.ones(2, dtype=np.float32))
    op = operator("Relu", "x", "y")
    op.device_option.CopyFrom(ABSENT)
    with pytest.raises(EnforceNotMet, match="GPU"):
        workspace.run_operator_once(op)
    assert workspace.names() == ["x"]
