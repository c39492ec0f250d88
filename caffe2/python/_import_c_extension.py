"""What programs know as the C extension: the names of it that they use, over the runtime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from caffe2.python._workspace.engine import (
    DB,
    Mode,
    Transaction,
    benchmark_net,
    benchmark_net_once,
    blobs,
    builtin_cpu_supports_avx2,
    clear_global_net_observer,
    create_blob,
    create_child_workspace,
    create_db,
    create_net,
    create_offline_tensor,
    current_workspace,
    delete_net,
    deserialize_blob,
    feed_blob,
    fetch_blob,
    get_blob_numa_node,
    get_blob_size_bytes,
    get_build_options,
    get_cuda_peer_access_pattern,
    get_cuda_version,
    get_cudnn_version,
    get_device_properties,
    get_gpu_memory_info,
    get_num_numa_nodes,
    get_operator_cost,
    get_stats,
    global_init,
    has_blob,
    has_cuda_support,
    has_gpu_support,
    has_hip_support,
    infer_shapes_and_types_from_map,
    infer_shapes_and_types_from_workspace,
    is_asan,
    is_numa_enabled,
    local_blobs,
    nearby_opnames,
    nets,
    num_cuda_devices,
    op_registry_key,
    registered_dbs,
    registered_operators,
    reset_blob,
    reset_workspace,
    root_folder,
    run_net,
    run_net_once,
    run_operator_multiple,
    run_operator_once,
    run_plan,
    run_plan_in_background,
    serialize_blob,
    switch_workspace,
    workspaces,
)
from caffe2.python._workspace.objects import Blob, Net, Predictor, Workspace
from caffe2.runtime import observe
from caffe2.runtime.access import DLPackTensor, TensorCPU
from caffe2.runtime.functions import functions
from caffe2.runtime.observe import Observer
from caffe2.runtime.plan import BackgroundPlan
from caffe2.runtime.workspaces import workspaces as _workspaces

use_mkldnn = has_mkldnn = use_trt = use_rocm = False
DLPackTensorCPU = DLPackTensorCUDA = DLPackTensor


def register_python_op(function: Callable, pass_workspace: bool, name: str) -> str:
    """Register a function for Python operators; the token that names it."""
    return functions.register(function, pass_workspace, name)


def register_python_gradient_op(token: str, function: Callable) -> None:
    """Register the gradient of a registered function."""
    functions.register_gradient(token, function)


def add_observer_to_net(name: str, kind: str) -> Any:
    """Attach an observer to a net of the current workspace."""
    return observe.attach(_workspaces.current.net(name), kind)


def remove_observer_from_net(name: str, observer: Any) -> None:
    """Take an observer off a net."""
    observe.detach(observer)


def num_observers_on_net(name: str) -> int:
    """How many observers a net of the current workspace has."""
    return len(observe.watching(_workspaces.current.net(name)))


def builtin_cpu_supports_avx() -> bool:
    """Whether torch's kernels use AVX on this processor."""
    return torch.backends.cpu.get_cpu_capability() != "DEFAULT"


def set_global_init(args: list[str]) -> None:
    """Accept the command-line flags of the original, which have no meaning here."""


__all__ = [
    "BackgroundPlan",
    "Blob",
    "DB",
    "Mode",
    "Net",
    "Observer",
    "Predictor",
    "TensorCPU",
    "Transaction",
    "Workspace",
    "benchmark_net",
    "benchmark_net_once",
    "blobs",
    "builtin_cpu_supports_avx2",
    "clear_global_net_observer",
    "create_blob",
    "create_child_workspace",
    "create_db",
    "create_net",
    "create_offline_tensor",
    "current_workspace",
    "delete_net",
    "deserialize_blob",
    "feed_blob",
    "fetch_blob",
    "get_blob_numa_node",
    "get_blob_size_bytes",
    "get_build_options",
    "get_cuda_peer_access_pattern",
    "get_cuda_version",
    "get_cudnn_version",
    "get_device_properties",
    "get_gpu_memory_info",
    "get_num_numa_nodes",
    "get_operator_cost",
    "get_stats",
    "global_init",
    "has_blob",
    "has_cuda_support",
    "has_gpu_support",
    "has_hip_support",
    "infer_shapes_and_types_from_map",
    "infer_shapes_and_types_from_workspace",
    "is_asan",
    "is_numa_enabled",
    "local_blobs",
    "nearby_opnames",
    "nets",
    "num_cuda_devices",
    "op_registry_key",
    "registered_dbs",
    "registered_operators",
    "reset_blob",
    "reset_workspace",
    "root_folder",
    "run_net",
    "run_net_once",
    "run_operator_multiple",
    "run_operator_once",
    "run_plan",
    "run_plan_in_background",
    "serialize_blob",
    "switch_workspace",
    "workspaces",
]


def set_engine_pref(*preferences: Any) -> None:
    """Accept engines to prefer, by operator or for all: the names of one kernel's engines mean the same here."""


set_global_engine_pref = set_op_engine_pref = set_per_op_engine_pref = set_engine_pref
