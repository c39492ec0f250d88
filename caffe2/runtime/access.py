"""Tensors in blobs as programs handle them: arrays over the blob's own memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from caffe2.opdef import STRING, EnforceNotMet, element_type
from caffe2.runtime.blob import Blob, describe
from caffe2.runtime.values import to_python, to_value


class TensorCPU:
    """The tensor in a blob. `data` is an array over its memory: what is written there is written to the blob."""

    def __init__(self, cell: Blob) -> None:
        self._cell = cell

    @property
    def value(self) -> torch.Tensor | np.ndarray:
        """The tensor itself, float32 and empty where the blob holds nothing yet."""
        if self._cell.value is None:
            self._cell.value = torch.empty(0)
        held = self._cell.value
        if not isinstance(held, (torch.Tensor, np.ndarray)):
            raise EnforceNotMet(f"the blob {self._cell.name!r} holds no tensor but {describe(held)}")
        return held

    @property
    def data(self) -> np.ndarray:
        """The elements: the memory itself of a tensor on the CPU, a copy of one elsewhere or of strings."""
        held = self.value
        if isinstance(held, torch.Tensor) and held.device.type == "cpu" and held.dtype is not torch.bfloat16:
            if not held.is_contiguous():
                held = self._cell.value = held.contiguous()
            return held.detach().numpy()
        return to_python(held)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.value.shape)

    _shape = shape

    def reshape(self, shape: Sequence[int]) -> None:
        """Give the tensor a shape; of another size, what it holds is undefined."""
        held, wanted = self.value, tuple(int(d) for d in shape)
        if isinstance(held, np.ndarray):
            self._cell.value = np.full(wanted, b"", dtype=object)
        elif held.numel() == torch.Size(wanted).numel():
            self._cell.value = held.reshape(wanted)
        else:
            self._cell.value = held.new_empty(wanted)

    _reshape = reshape

    def init(self, dims: Sequence[int], data_type: int) -> None:
        """Make it a tensor of a shape and an element type. Raises EnforceNotMet for strings, which feed() makes."""
        kind = element_type(data_type).torch
        if kind is STRING:
            raise EnforceNotMet(f"the blob {self._cell.name!r}: feed() an array of strings to make a tensor of them")
        self._cell.value = torch.empty(tuple(dims), dtype=kind)

    def feed(self, array: Any) -> bool:
        """Copy an array into the blob; True."""
        self._cell.value = to_value(np.asarray(array))
        return True

    def fetch(self) -> np.ndarray:
        """A copy of the elements."""
        return to_python(self.value)

    def to_torch(self) -> torch.Tensor:
        """The tensor itself, as torch's."""
        return self.value


class DLPackTensor(TensorCPU):
    """The tensor in a blob, on whatever device, whose `data` is a DLPack capsule over its memory."""

    @property
    def data(self) -> Any:
        return torch.utils.dlpack.to_dlpack(self.value)

    def feed(self, capsule: Any) -> bool:
        """Take the memory that a DLPack capsule, or an object that gives one, describes; True."""
        self._cell.value = torch.utils.dlpack.from_dlpack(capsule)
        return True
