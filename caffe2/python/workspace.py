"""The current workspace: feed and fetch blobs, run nets, plans and operators, ask about shapes and devices."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import caffe2.ops  # noqa: F401
from caffe2.python._workspace import immediate
from caffe2.python._workspace.blobs import (
    Blobs,
    CreateBlob,
    CreateOfflineTensor,
    DeserializeBlob,
    FeedBlob,
    FetchBlob,
    FetchBlobs,
    FetchInt8Blob,
    FetchInt8BlobRealVal,
    FetchTorch,
    GetBlobNUMANode,
    GetBlobSizeBytes,
    HasBlob,
    Int8Tensor,
    RemoveBlob,
    ResetBlob,
    SerializeBlob,
    _BlobDict,
    blobs,
)
from caffe2.python._workspace.devices import (
    GetBuildOptions,
    GetCUDAVersion,
    GetCuDNNVersion,
    GetDeviceProperties,
    GetGPUMemoryInfo,
    GetGpuPeerAccessPattern,
    GetHIPVersion,
    GetNumNUMANodes,
    GlobalInit,
    GpuDeviceType,
    IsNUMAEnabled,
    NumCudaDevices,
    NumGpuDevices,
    has_cuda_support,
    has_gpu_support,
    has_hip_support,
    is_asan,
)
from caffe2.python._workspace.immediate import (
    FeedImmediate,
    FetchImmediate,
    ImmediateBlobs,
    IsImmediate,
    RunOperatorImmediate,
    StartImmediate,
    StopImmediate,
)
from caffe2.python._workspace.inference import (
    FillRandomNetworkInputs,
    GetOperatorCost,
    InferShapesAndTypes,
)
from caffe2.python._workspace.named import (
    CurrentWorkspace,
    GetNameScope,
    LocalBlobs,
    ResetWorkspace,
    RootFolder,
    SwitchWorkspace,
    WorkspaceGuard,
    Workspaces,
)
from caffe2.python._workspace.names import GetNetName, StringifyBlobName, StringifyNetName, StringifyProto
from caffe2.python._workspace.objects import Predictor, Workspace
from caffe2.python._workspace.running import (
    CallWithExceptionIntercept,
    CreateNet,
    RegisteredOperators,
    RunNet,
    RunNetOnce,
    RunOperatorMultiple,
    RunOperatorOnce,
    RunOperatorsOnce,
    RunPlan,
    RunPlanInBackground,
    operator_tracebacks,
)
from caffe2.python._workspace.timing import (
    BenchmarkNet,
    BenchmarkNetOnce,
    ClearGlobalNetObserver,
    GetStats,
)
from caffe2.python._workspace.transforms import ApplyTransform, ApplyTransformIfFaster

__all__ = [
    "ApplyTransform",
    "ApplyTransformIfFaster",
    "BenchmarkNet",
    "BenchmarkNetOnce",
    "Blobs",
    "CallWithExceptionIntercept",
    "ClearGlobalNetObserver",
    "CreateBlob",
    "CreateNet",
    "CreateOfflineTensor",
    "CurrentWorkspace",
    "DeserializeBlob",
    "FeedBlob",
    "FeedImmediate",
    "FetchBlob",
    "FetchBlobs",
    "FetchImmediate",
    "FetchInt8Blob",
    "FetchInt8BlobRealVal",
    "FetchTorch",
    "FillRandomNetworkInputs",
    "GetBlobNUMANode",
    "GetBlobSizeBytes",
    "GetBuildOptions",
    "GetCUDAVersion",
    "GetCuDNNVersion",
    "GetDeviceProperties",
    "GetGPUMemoryInfo",
    "GetGpuPeerAccessPattern",
    "GetHIPVersion",
    "GetNameScope",
    "GetNetName",
    "GetNumNUMANodes",
    "GetOperatorCost",
    "GetStats",
    "GlobalInit",
    "GpuDeviceType",
    "HasBlob",
    "ImmediateBlobs",
    "InferShapesAndTypes",
    "Int8Tensor",
    "IsImmediate",
    "IsNUMAEnabled",
    "LocalBlobs",
    "NumCudaDevices",
    "NumGpuDevices",
    "Predictor",
    "RegisteredOperators",
    "RemoveBlob",
    "ResetBlob",
    "ResetWorkspace",
    "RootFolder",
    "RunNet",
    "RunNetOnce",
    "RunOperatorImmediate",
    "RunOperatorMultiple",
    "RunOperatorOnce",
    "RunOperatorsOnce",
    "RunPlan",
    "RunPlanInBackground",
    "SerializeBlob",
    "StartImmediate",
    "StopImmediate",
    "StringifyBlobName",
    "StringifyNetName",
    "StringifyProto",
    "SwitchWorkspace",
    "Workspace",
    "WorkspaceGuard",
    "Workspaces",
    "_BlobDict",
    "blobs",
    "has_cuda_support",
    "has_gpu_support",
    "has_hip_support",
    "is_asan",
    "operator_tracebacks",
]

_immediate_workspace_name = immediate.WORKSPACE


def __getattr__(name: str) -> Any:
    """C, the engine's own interface, is imported when first asked for; the state of immediate mode changes."""
    if name == "C":
        return import_module("caffe2.python._import_c_extension")
    if name == "_immediate_root_folder":
        return immediate.Mode.folder
    if name == "_immediate_mode":
        return immediate.IsImmediate()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
