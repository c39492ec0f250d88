"""What the C extension of the original offers on workspaces, nets and databases, under its names."""

from __future__ import annotations

from typing import Any

import torch

from caffe2.proto import caffe2_pb2
from caffe2.python._workspace import blobs as _blobs
from caffe2.python._workspace import devices as _devices
from caffe2.python._workspace import inference as _inference
from caffe2.python._workspace import named as _named
from caffe2.python._workspace import running as _running
from caffe2.python._workspace import timing as _timing
from caffe2.python._workspace.names import message
from caffe2.runtime import db, shapes
from caffe2.runtime.workspaces import workspaces as _workspaces

blobs, local_blobs, has_blob = _blobs.Blobs, _named.LocalBlobs, _blobs.HasBlob
create_blob, reset_blob = _blobs.CreateBlob, _blobs.ResetBlob
serialize_blob, deserialize_blob = _blobs.SerializeBlob, _blobs.DeserializeBlob
get_blob_size_bytes, get_blob_numa_node = _blobs.GetBlobSizeBytes, _blobs.GetBlobNUMANode
create_offline_tensor = _blobs.CreateOfflineTensor

current_workspace, switch_workspace = _named.CurrentWorkspace, _named.SwitchWorkspace
workspaces, reset_workspace, root_folder = _named.Workspaces, _named.ResetWorkspace, _named.RootFolder

run_net, run_net_once = _running.RunNet, _running.RunNetOnce
run_operator_once, run_operator_multiple = _running.RunOperatorOnce, _running.RunOperatorMultiple
run_plan, run_plan_in_background = _running.RunPlan, _running.RunPlanInBackground
create_net, registered_operators = _running.CreateNet, _running.RegisteredOperators

benchmark_net, benchmark_net_once = _timing.BenchmarkNet, _timing.BenchmarkNetOnce
clear_global_net_observer, get_stats = _timing.ClearGlobalNetObserver, _timing.GetStats
get_operator_cost = _inference.GetOperatorCost

global_init, is_numa_enabled = _devices.GlobalInit, _devices.IsNUMAEnabled
get_num_numa_nodes, get_build_options = _devices.GetNumNUMANodes, _devices.GetBuildOptions
num_cuda_devices, get_cuda_version = _devices.NumCudaDevices, _devices.GetCUDAVersion
get_cudnn_version, get_device_properties = _devices.GetCuDNNVersion, _devices.GetDeviceProperties
get_cuda_peer_access_pattern, get_gpu_memory_info = _devices.GetGpuPeerAccessPattern, _devices.GetGPUMemoryInfo
has_cuda_support, has_hip_support = _devices.has_cuda_support, _devices.has_hip_support
has_gpu_support, is_asan = _devices.has_gpu_support, _devices.is_asan

Mode, registered_dbs = db.Mode, db.registered


def nets() -> list[str]:
    """Names of the nets of the current workspace."""
    return _workspaces.current.net_names()


def delete_net(name: str) -> bool:
    """Forget a net of the current workspace; True."""
    _workspaces.current.delete_net(name)
    return True


def create_child_workspace(parent: str, name: str) -> None:
    """Make a workspace that sees the blobs of another."""
    _workspaces.add_child(parent, name)


def fetch_blob(name: Any) -> Any:
    """The value of a blob: an array of its own, an Int8Tensor, or bytes."""
    return _blobs.fetch(_workspaces.current, str(name))


def feed_blob(name: Any, value: Any, device_option: bytes | None = None) -> bool:
    """Put a value into a blob, on the device of a serialized DeviceOption; True."""
    option = None if device_option is None else message(device_option, caffe2_pb2.DeviceOption)
    return _blobs.feed(_workspaces.current, str(name), value, option)


def infer_shapes_and_types_from_workspace(net_protos: list[bytes]) -> bytes:
    """A serialized TensorShapes: what nets make of the current workspace."""
    definitions = [message(proto, caffe2_pb2.NetDef) for proto in net_protos]
    return shapes.from_workspace(definitions, _workspaces.current).SerializeToString()


def infer_shapes_and_types_from_map(
    net_protos: list[bytes], dims: dict[str, list[int]], types: dict[str, int] | None = None
) -> bytes:
    """A serialized TensorShapes: what nets make of blobs of given shapes and types."""
    definitions = [message(proto, caffe2_pb2.NetDef) for proto in net_protos]
    return shapes.from_map(definitions, dims, types).SerializeToString()


def op_registry_key(op_type: str, engine: str) -> str:
    """The key of an operator for an engine: TYPE_ENGINE_ENGINE, the bare type without one."""
    return f"{op_type}_ENGINE_{engine}" if engine and engine != "DEFAULT" else op_type


def builtin_cpu_supports_avx2() -> bool:
    """Whether torch's kernels use AVX2 on this processor."""
    return torch.backends.cpu.get_cpu_capability() not in ("DEFAULT", "NO AVX")


class Transaction:
    """Records on their way into a database; keys and values are bytes or text."""

    def __init__(self, held: db.Transaction) -> None:
        self._held = held

    def put(self, key: bytes | str, value: bytes | str) -> None:
        key, value = (part.encode() if isinstance(part, str) else part for part in (key, value))
        self._held.put(key, value)

    def commit(self) -> None:
        self._held.commit()


class DB:
    """An open database."""

    def __init__(self, held: db.Database) -> None:
        self._held = held

    def new_transaction(self) -> Transaction:
        return Transaction(self._held.new_transaction())

    def new_cursor(self) -> db.Cursor:
        """A cursor at the first record."""
        return self._held.new_cursor()

    def close(self) -> None:
        self._held.close()


def create_db(db_type: str, name: str, mode: db.Mode) -> DB:
    """Open a database. Raises DatabaseError where it cannot be opened."""
    return DB(db.open_db(db_type, name, mode))
