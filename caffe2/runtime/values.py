"""Values of blobs from and to the world outside: NumPy arrays, strings, torch tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from caffe2.opdef import EnforceNotMet
from caffe2.opdef.dtypes import BY_TORCH, ELEMENT_TYPES
from caffe2.runtime.blob import Int8Tensor
from caffe2.runtime.device import CPU

NUMERIC = {t.numpy for t in ELEMENT_TYPES if t.numpy != np.object_}


def to_value(given: Any, device: torch.device = CPU) -> Any:
    """A blob's value for an array, a tensor, a string or an object; arrays and tensors are copied.

    Raises EnforceNotMet for an array whose element type no blob can have.
    """
    if isinstance(given, torch.Tensor):
        return given.detach().to(device, copy=True)
    if isinstance(given, str):
        return given.encode()
    if isinstance(given, (np.ndarray, np.generic)):
        return _from_array(np.asarray(given), device)
    return given


def _from_array(array: np.ndarray, device: torch.device) -> Any:
    if array.dtype.kind in "OSU":
        return strings(array)
    native = array.dtype.newbyteorder("=")
    if native not in NUMERIC:
        known = " ".join(sorted(str(t) for t in NUMERIC))
        raise EnforceNotMet(f"no blob can hold elements of {array.dtype}; it can hold {known} and strings")
    copy = np.array(array, dtype=native, order="C", copy=True)
    tensor = torch.from_numpy(copy)
    return tensor if device.type == "cpu" else tensor.to(device)


def strings(array: np.ndarray) -> np.ndarray:
    """An array of text or bytes as an array of byte strings, the value of a string tensor."""
    out = np.empty(array.shape, dtype=object)
    flat = out.reshape(-1)
    for k, text in enumerate(array.reshape(-1).tolist()):
        if not isinstance(text, (str, bytes)):
            raise EnforceNotMet(f"element {k} of an array of objects is a {type(text).__name__}, not a string")
        flat[k] = text.encode() if isinstance(text, str) else text
    return out


def to_python(value: Any) -> Any:
    """What a program is given for a blob's value: a NumPy array for a tensor, a copy that it may keep."""
    if isinstance(value, torch.Tensor):
        held = value.detach()
        if held.dtype not in BY_TORCH:
            held = held.float()
        return held.cpu().numpy().copy() if held.device.type == "cpu" else held.cpu().numpy()
    if isinstance(value, np.ndarray):
        return value.copy()
    return value


def kind(value: Any) -> Any:
    """What bound operators have looked at in a value: element type, rank and device; its class otherwise."""
    if isinstance(value, torch.Tensor):
        return value.dtype, value.dim(), value.device
    return Int8Tensor if isinstance(value, Int8Tensor) else type(value)
