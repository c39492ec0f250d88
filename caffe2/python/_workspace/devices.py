"""Devices of this machine, and how this build was made."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from caffe2.proto import caffe2_pb2
from caffe2.runtime.flags import flags

has_hip_support: bool = torch.version.hip is not None and torch.cuda.device_count() > 0
has_cuda_support: bool = torch.version.hip is None and torch.cuda.device_count() > 0
has_gpu_support: bool = has_cuda_support or has_hip_support
GpuDeviceType: int = caffe2_pb2.HIP if has_hip_support else caffe2_pb2.CUDA
is_asan = False


def NumGpuDevices() -> int:
    """How many GPUs torch sees."""
    return torch.cuda.device_count()


def NumCudaDevices() -> int:
    """How many CUDA devices torch sees."""
    return torch.cuda.device_count() if has_cuda_support else 0


def GetCUDAVersion() -> int:
    """The CUDA version that torch was built with: 1000 major + 10 minor; 0 for none."""
    major, minor = ((torch.version.cuda or "0.0").split(".") + ["0"])[:2]
    return 1000 * int(major) + 10 * int(minor)


def GetHIPVersion() -> int:
    """The HIP version that torch was built with: 100 major + minor; 0 for none."""
    major, minor = ((torch.version.hip or "0.0").split(".") + ["0"])[:2]
    return 100 * int(major) + int(minor)


def GetCuDNNVersion() -> int:
    """The version of cuDNN that torch uses; 0 for none."""
    return torch.backends.cudnn.version() or 0 if has_cuda_support else 0


def GetGpuPeerAccessPattern() -> np.ndarray:
    """bool[n, n]: whether GPU i may read the memory of GPU j."""
    n = NumGpuDevices()
    pairs = [[i == j or torch.cuda.can_device_access_peer(i, j) for j in range(n)] for i in range(n)]
    return np.array(pairs, dtype=bool) if n else np.array([])


def GetDeviceProperties(device_id: int) -> dict[str, Any] | None:
    """Name, compute capability and memory of a GPU; None without one."""
    if not has_gpu_support:
        return None
    found = torch.cuda.get_device_properties(device_id)
    return {"name": found.name, "major": found.major, "minor": found.minor, "totalGlobalMem": found.total_memory}


def GetGPUMemoryInfo(device_id: int = 0) -> dict[str, int] | None:
    """Free and total bytes of a GPU's memory; None without one."""
    if not has_gpu_support:
        return None
    free, total = torch.cuda.mem_get_info(device_id)
    return {"free": free, "total": total}


def GetBuildOptions() -> dict[str, str]:
    """What torch, whose kernels run the operators, was built with."""
    return {
        "TORCH_VERSION": torch.__version__,
        "CUDA_VERSION": torch.version.cuda or "",
        "CUDNN_VERSION": str(torch.backends.cudnn.version() or ""),
        "USE_CUDA": "ON" if torch.backends.cuda.is_built() else "OFF",
        "USE_MKL": "ON" if torch.backends.mkl.is_available() else "OFF",
        "USE_MKLDNN": "ON" if torch.backends.mkldnn.is_available() else "OFF",
        "USE_OPENMP": "ON" if torch.backends.openmp.is_available() else "OFF",
    }


def IsNUMAEnabled() -> bool:
    """Whether operators are bound to NUMA nodes: never."""
    return False


def GetNumNUMANodes() -> int:
    """How many NUMA nodes are used: -1, none."""
    return -1


def GlobalInit(args: list[str]) -> bool:
    """Take command-line flags, as runtime.flags reads them: the program's name first; True."""
    flags.read(args)
    return True
