"""Tests of operators on random inputs: profiles, strategies, devices and checks, all as `hu.*`.

class TestRelu(hu.HypothesisTestCase):
    @given(X=hu.tensor(), **hu.gcs)
    def test_relu(self, X, gc, dc):
        op = core.CreateOperator("Relu", ["X"], ["Y"])
        self.assertReferenceChecks(gc, op, [X], lambda X: [np.maximum(X, 0)])
        self.assertGradientChecks(gc, op, [X], 0, [0])
"""

from __future__ import annotations

from caffe2.python._hypothesis_test.checks import (
    HypothesisTestCase,
    runOpBenchmark,
    runOpOnInput,
    temp_workspace,
)
from caffe2.python._hypothesis_test.devices import (
    _cuda_do_list,
    _device_options_no_hip,
    _gpu_do_list,
    _hip_do_list,
    cpu_do,
    cuda_do,
    device_checker_device_options,
    device_options,
    expanded_device_options,
    gcs,
    gcs_cpu_only,
    gcs_cuda_only,
    gcs_gpu_only,
    gcs_no_hip,
    gpu_do,
    gradient_checker_device_option,
    hip_do,
)
from caffe2.python._hypothesis_test.profiles import is_sandcastle, is_travis, settings
from caffe2.python._hypothesis_test.strategies import (
    arrays,
    dims,
    elements_of_type,
    floats,
    lengths,
    lengths_tensor,
    segment_ids,
    segmented_tensor,
    sparse_lengths_tensor,
    sparse_segmented_tensor,
    tensor,
    tensor1d,
    tensors,
    tensors1d,
    to_float32,
)

__all__ = [
    "HypothesisTestCase",
    "_cuda_do_list",
    "_device_options_no_hip",
    "_gpu_do_list",
    "_hip_do_list",
    "arrays",
    "cpu_do",
    "cuda_do",
    "device_checker_device_options",
    "device_options",
    "dims",
    "elements_of_type",
    "expanded_device_options",
    "floats",
    "gcs",
    "gcs_cpu_only",
    "gcs_cuda_only",
    "gcs_gpu_only",
    "gcs_no_hip",
    "gpu_do",
    "gradient_checker_device_option",
    "hip_do",
    "is_sandcastle",
    "is_travis",
    "lengths",
    "lengths_tensor",
    "runOpBenchmark",
    "runOpOnInput",
    "segment_ids",
    "segmented_tensor",
    "settings",
    "sparse_lengths_tensor",
    "sparse_segmented_tensor",
    "temp_workspace",
    "tensor",
    "tensor1d",
    "tensors",
    "tensors1d",
    "to_float32",
]
