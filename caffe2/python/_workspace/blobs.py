"""Blobs of the current workspace: feed, fetch, ask."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from caffe2.opdef import EnforceNotMet, element_type
from caffe2.proto import caffe2_pb2
from caffe2.python import scope
from caffe2.python._misuse import demand
from caffe2.python._workspace.names import StringifyBlobName
from caffe2.runtime import blob as runtime_blob
from caffe2.runtime.device import CPU, torch_device
from caffe2.runtime.serialize import deserialize, serialize, tensor_value
from caffe2.runtime.values import to_python
from caffe2.runtime.workspaces import Workspace, workspaces

logger = logging.getLogger(__name__)

STD_STRING_BYTES = 32
"""What the original counts for a string beside its characters: C++'s own header."""


class Int8Tensor(NamedTuple):
    """A fetched quantized tensor: real value = scale * (data - zero_point), data a NumPy array."""

    data: np.ndarray
    scale: float
    zero_point: int


def feed(workspace: Workspace, name: str, value: Any, device: caffe2_pb2.DeviceOption | None = None) -> bool:
    """Put an array, a string or a tensor into a blob of `workspace`, on `device`, else on that of the device scope.

    Arrays are copied; a torch tensor is taken as it is and shares its storage with the blob. Raises EnforceNotMet for
    anything else.
    """
    if isinstance(value, torch.Tensor):
        demand(device is None, "a torch tensor is on a device already: move it there, and pass no device option")
        workspace.put(name, value.detach())
        return True
    if isinstance(value, caffe2_pb2.TensorProto):
        value = to_python(tensor_value(value))
    if isinstance(value, torch.nn.Module):
        workspace.put(name, value)
        return True
    if not isinstance(value, (np.ndarray, np.generic, str, bytes)):
        raise EnforceNotMet(
            f"blob {name!r}: a NumPy array, a torch tensor or a string can be fed, not a {type(value).__name__}"
        )
    option = device if device is not None else scope.CurrentDeviceScope()
    place = torch_device(option) if option else CPU
    if place.type == "mps" and getattr(value, "dtype", None) == np.float64:
        logger.warning("blob %r: the device has no float64; feed value.astype(numpy.float32)", name)
    workspace.feed(name, value, place)
    return True


def fetch(workspace: Workspace, name: str) -> Any:
    """The value of a blob of `workspace` for a program.

    An array for a tensor, an Int8Tensor, bytes for a string; for any other object its name and class in bytes.
    """
    value = workspace.fetch(name)
    if isinstance(value, runtime_blob.Int8Tensor):
        return Int8Tensor(to_python(value.data), value.scale, value.zero_point)
    if isinstance(value, (np.ndarray, bytes, torch.nn.Module)):
        return value
    return f"{name}, a C++ native class of type {type(value).__name__}.".encode()


def FeedBlob(name: Any, arr: Any, device_option: caffe2_pb2.DeviceOption | None = None) -> bool:
    """Put an array, a string, a torch tensor or a TensorProto into a blob, made where there is none; True."""
    return feed(workspaces.current, StringifyBlobName(name), arr, device_option)


def FetchBlob(name: Any) -> Any:
    """The value of a blob: a NumPy array of its own, or bytes.

    Raises MissingBlob where there is none, TypeError for a quantized tensor.
    """
    fetched = fetch(workspaces.current, StringifyBlobName(name))
    if isinstance(fetched, Int8Tensor):
        raise TypeError(f"the blob {str(name)!r} is a quantized tensor: fetch it with FetchInt8Blob")
    return fetched


def FetchBlobs(names: Iterable[Any]) -> list[Any]:
    """The values of several blobs."""
    return [FetchBlob(name) for name in names]


def FetchInt8Blob(name: Any) -> Int8Tensor:
    """A quantized tensor as (data, scale, zero_point). Raises an AssertionError where the blob holds none."""
    fetched = fetch(workspaces.current, StringifyBlobName(name))
    demand(isinstance(fetched, Int8Tensor), f"the blob {str(name)!r} is no quantized tensor: fetch it with FetchBlob")
    return fetched


def FetchInt8BlobRealVal(name: Any) -> np.ndarray:
    """The real values of a quantized tensor, scale * (data - zero_point), as float32."""
    data, scale, zero_point = FetchInt8Blob(name)
    return (data.astype(np.int32) - int(zero_point)).astype(np.float32) * np.float32(scale)


def FetchTorch(name: Any) -> torch.Tensor:
    """The tensor that a blob holds itself: what is written to it is written to the blob."""
    value = workspaces.current.require(StringifyBlobName(name)).value
    if not isinstance(value, torch.Tensor):
        raise EnforceNotMet(f"the blob {str(name)!r} holds no tensor but {runtime_blob.describe(value)}")
    return value


def Blobs() -> list[str]:
    """Names of the blobs in the current workspace, in order."""
    return workspaces.current.names()


def HasBlob(name: Any) -> bool:
    """Whether there is a blob of that name."""
    return str(name) in workspaces.current


def CreateBlob(name: Any) -> bool:
    """Make an empty blob where there is none; True."""
    workspaces.current.cell(str(name))
    return True


def ResetBlob(name: Any) -> None:
    """Empty a blob; it stays. Raises MissingBlob where there is none."""
    workspaces.current.require(str(name))
    workspaces.current.put(str(name), None)


def RemoveBlob(name: Any) -> bool:
    """Take a blob out of the workspace; whether there was one."""
    return workspaces.current.remove(str(name))


def GetBlobSizeBytes(name: Any) -> int:
    """Bytes of the elements of a tensor, for strings with 32 each beside their characters; 0 for anything else."""
    value = workspaces.current.require(str(name)).value
    if isinstance(value, torch.Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, np.ndarray):
        return sum(STD_STRING_BYTES + len(text) for text in value.ravel())
    return 0


def GetBlobNUMANode(name: Any) -> int:
    """The NUMA node of a blob: -1, none."""
    workspaces.current.require(str(name))
    return -1


def SerializeBlob(name: Any) -> bytes:
    """A blob as one serialized BlobProto."""
    return serialize(workspaces.current.require(str(name)).value, str(name))


def DeserializeBlob(name: Any, content: bytes) -> None:
    """Make what a serialized BlobProto holds the value of a blob; on error the blob stays as it is."""
    workspaces.current.put(str(name), deserialize(content))


def CreateOfflineTensor(name: Any, dims: Sequence[int], dtype: int) -> bool:
    """Make a blob that has a shape and an element type, for shape inference, and no elements; True."""
    offline = runtime_blob.OfflineTensor(tuple(int(d) for d in dims), element_type(dtype).torch)
    workspaces.current.put(str(name), offline)
    return True


class _BlobDict:
    """The blobs of the current workspace as a mapping: blobs["x"] fetches, blobs["x"] = array feeds."""

    def __getitem__(self, key: Any) -> Any:
        return FetchBlob(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        FeedBlob(key, value)

    def __delitem__(self, key: Any) -> None:
        if not RemoveBlob(key):
            raise KeyError(key)

    def __len__(self) -> int:
        return len(Blobs())

    def __iter__(self) -> Iterator[str]:
        return iter(Blobs())

    def __contains__(self, item: Any) -> bool:
        return HasBlob(item)


blobs = _BlobDict()
