"""How much memory the devices' tensors take."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import op


@op("GetGPUMemoryUsage: -> stats", host="stats")
def get_gpu_memory_usage() -> Tensor:
    """How many bytes the tensors on each of n GPUs take, now and at most so far.

    stats: (2, n), int64: now in row 0, at most in row 1.
    """
    devices = range(torch.cuda.device_count())
    used = [[f(d) for d in devices] for f in (torch.cuda.memory_allocated, torch.cuda.max_memory_allocated)]
    return torch.tensor(used, dtype=torch.int64).reshape(2, len(devices))
