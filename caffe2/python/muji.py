"""Sums over GPUs as operators of one net, without a communication library: for GPUs that read each other's memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe2.proto import caffe2_pb2
from caffe2.python import workspace
from caffe2.python._core.devices import DeviceOption
from caffe2.python._core.net import Net

Blobs = Sequence[Any]


def OnGPU(gpu_id: int) -> caffe2_pb2.DeviceOption:
    """The device option of a GPU."""
    return DeviceOption(workspace.GpuDeviceType, gpu_id)


def OnCPU() -> caffe2_pb2.DeviceOption:
    """The device option of the CPU."""
    return caffe2_pb2.DeviceOption(device_type=caffe2_pb2.CPU)


def Allreduce(net: Net, blobs: Blobs, reduced_affix: str = "_reduced", gpu_indices: Sequence[int] | None = None) -> Any:
    """The sum of `blobs`, one on each GPU, as blobs <blob><reduced_affix> on the same GPUs.

    Which GPUs can read each other's memory decides how. Raises RuntimeError where blobs and GPUs do not pair up.
    """
    gpus = list(range(len(blobs))) if gpu_indices is None else gpu_indices
    if len(gpus) != len(blobs):
        raise RuntimeError(f"gpu_indices length and blobs length mismatch: {len(gpus)} vs {len(blobs)}")
    pattern = workspace.GetGpuPeerAccessPattern()

    def peers(start: int, stop: int) -> bool:
        return len(pattern) >= stop and bool(np.all(pattern[start:stop, start:stop]))

    if len(blobs) == 2 and peers(0, 2):
        reduce = Allreduce2
    elif len(blobs) == 4 and peers(0, 4):
        reduce = Allreduce4
    elif len(blobs) == 4 and peers(0, 2) and peers(2, 4):
        reduce = Allreduce4Group2
    elif len(blobs) == 8 and peers(0, 8):
        reduce = Allreduce8
    else:
        reduce = AllreduceFallback
    return reduce(net, blobs, reduced_affix, gpus)


def Allreduce2(net: Net, blobs: Blobs, reduced_affix: str, gpu_indices: Sequence[int]) -> tuple:
    """The sum over two GPUs: added on the first, copied to the second."""
    tree = _Tree(net, blobs, reduced_affix, gpu_indices)
    tree.add(0, 1)
    tree.copy(0, 1)
    return tuple(tree.reduced)


def Allreduce4(net: Net, blobs: Blobs, reduced_affix: str, gpu_indices: Sequence[int]) -> tuple:
    """The sum over four GPUs: in pairs, then over both pairs on the first, and back the same way."""
    return _four(_Tree(net, blobs, reduced_affix, gpu_indices), through_copy=False)


def Allreduce4Group2(net: Net, blobs: Blobs, reduced_affix: str, gpu_indices: Sequence[int]) -> tuple:
    """The sum over four GPUs that read each other's memory in two pairs: Allreduce4 with a copy between the pairs."""
    return _four(_Tree(net, blobs, reduced_affix, gpu_indices), through_copy=True)


def Allreduce8(net: Net, blobs: Blobs, reduced_affix: str, gpu_indices: Sequence[int]) -> list:
    """The sum over eight GPUs: in pairs, fours, then over both fours on the first, and back the same way."""
    tree = _Tree(net, blobs, reduced_affix, gpu_indices)
    for k in (0, 2, 4, 6):
        tree.add(k, k + 1)
    for k in (0, 4):
        tree.merge(k, k + 2)
    tree.merge(0, 4, through_copy=True)
    for source, target in ((0, 4), (0, 2), (4, 6), (0, 1), (2, 3), (4, 5), (6, 7)):
        tree.copy(source, target)
    return tree.reduced


def AllreduceFallback(net: Net, blobs: Blobs, reduced_affix: str, gpu_indices: Sequence[int]) -> list:
    """The sum over any GPUs: each blob is copied to the first, added there, and the sum copied to all others."""
    tree = _Tree(net, blobs, reduced_affix, gpu_indices)
    total = tree.names[0]
    tree.reduced[0] = net.Copy(blobs[0], total, device_option=OnGPU(gpu_indices[0])) if reduced_affix else blobs[0]
    for blob in blobs[1:]:
        moved = net.Copy(blob, f"{total}_temp_copy", device_option=OnGPU(gpu_indices[0]))
        tree.reduced[0] = net.Add([moved, tree.reduced[0]], tree.reduced[0], device_option=OnGPU(gpu_indices[0]))
    for k in range(1, len(blobs)):
        tree.copy(0, k)
    return tree.reduced


def _four(tree: _Tree, through_copy: bool) -> tuple:
    tree.add(0, 1)
    tree.add(2, 3)
    tree.merge(0, 2, through_copy)
    for source, target in ((0, 2), (0, 1), (2, 3)):
        tree.copy(source, target)
    return tuple(tree.reduced)


class _Tree:
    """Sums under way: reduced[k] is what blob k's GPU has so far."""

    def __init__(self, net: Net, blobs: Blobs, affix: str, gpus: Sequence[int]) -> None:
        self.net, self.blobs, self.gpus = net, blobs, gpus
        self.names = [f"{blob}{affix}" for blob in blobs]
        self.reduced: list[Any] = [None] * len(blobs)

    def add(self, k: int, other: int) -> None:
        """Begin with the sum of two blobs, on the GPU of the first."""
        pair = [self.blobs[k], self.blobs[other]]
        self.reduced[k] = self.net.Add(pair, self.names[k], device_option=OnGPU(self.gpus[k]))

    def merge(self, k: int, other: int, through_copy: bool = False) -> None:
        """Add another sum, on the GPU of the first, copied there before if it cannot be read from there."""
        device, term = OnGPU(self.gpus[k]), self.reduced[other]
        if through_copy:
            term = self.net.Copy(term, f"{term}_copy", device_option=device)
        self.reduced[k] = self.net.Add([self.reduced[k], term], self.reduced[k], device_option=device)

    def copy(self, source: int, target: int) -> None:
        """Have the GPU of one blob take over the sum of another's."""
        device = OnGPU(self.gpus[target])
        self.reduced[target] = self.net.Copy(self.reduced[source], self.names[target], device_option=device)
