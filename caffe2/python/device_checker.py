"""Operators and nets compared between devices."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from caffe2.proto import caffe2_pb2
from caffe2.python import workspace
from caffe2.python.core import InferOpBlobDevicesAsDict
from caffe2.python.test_util import switched_workspace


class DeviceChecker:
    """Checks that all of `device_options` give what the first one gives, up to `threshold`, also relatively."""

    def __init__(self, threshold: float, device_options: Sequence[caffe2_pb2.DeviceOption]) -> None:
        self._threshold = threshold
        self._device_options = device_options

    def CheckSimple(
        self,
        op: caffe2_pb2.OperatorDef,
        inputs: Sequence[Any],
        outputs_to_check: Sequence[int],
        input_device_options: Mapping[str, caffe2_pb2.DeviceOption] | None = None,
    ) -> bool:
        """Whether the outputs of an operator at these positions are equal on all devices; if not, prints them.

        input_device_options: devices of inputs that are not on the operator's device.
        """
        op = copy.deepcopy(op)
        results = []
        for device in self._device_options:
            op.device_option.CopyFrom(device)
            devices = input_device_options or InferOpBlobDevicesAsDict(op)[0]
            with switched_workspace("_device_check_"):
                for name, value in zip(op.input, inputs):
                    workspace.FeedBlob(name, np.array(value), devices.get(name, device))
                workspace.RunOperatorOnce(op)
                results.append([workspace.FetchBlob(op.output[i]) for i in outputs_to_check])
        return self._all_equal(results, [op.output[i] for i in outputs_to_check])

    def CheckNet(
        self,
        net: caffe2_pb2.NetDef,
        inputs: Mapping[str, Any] | None = None,
        blobs_to_check: Sequence[str] | None = None,
        ignore: Collection[str] | None = None,
    ) -> bool:
        """Whether blobs of a net, by default all outputs but those to ignore, are equal on all devices."""
        outputs = [name for op in net.op for name in op.output] if blobs_to_check is None else blobs_to_check
        blobs = [name for name in outputs if name not in (ignore or ())]
        results = []
        for device in self._device_options:
            for op in net.op:
                op.device_option.CopyFrom(device)
            with switched_workspace("_device_check_"):
                for name, value in (inputs or {}).items():
                    workspace.FeedBlob(name, value, device)
                workspace.RunNetOnce(net)
                results.append([workspace.FetchBlob(name) for name in blobs])
        return self._all_equal(results, blobs)

    def _all_equal(self, results: Sequence[Sequence[np.ndarray]], names: Sequence[str]) -> bool:
        success = True
        for i, result in enumerate(results[1:], 1):
            for name, x, y in zip(names, result, results[0]):
                if not np.allclose(x, y, atol=self._threshold, rtol=self._threshold):
                    print(f"Failure in checking device option {i} and output {name}. The outputs are:")
                    print(x.flatten(), y.flatten(), np.max(np.abs(x - y)), sep="\n")
                    success = False
        return success
