"""Protocol buffers and arrays: arguments, tensors and files turned into Python values and back."""

from __future__ import annotations

import functools
import pdb
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
import torch
from google.protobuf import text_format
from google.protobuf.message import DecodeError, Message

from caffe2.proto import caffe2_pb2
from caffe2.python import core, scope, workspace
from caffe2.python._core.arguments import MakeArgument
from caffe2.python._misuse import demand
from caffe2.runtime.device import CPU
from caffe2.runtime.serialize import tensor_proto, tensor_value
from caffe2.runtime.values import to_python, to_value

__all__ = [
    "ArgsToDict",
    "BuildUniqueMutexIter",
    "Caffe2TensorToNumpyArray",
    "CaffeBlobToNumpyArray",
    "ConvertProtoToBinary",
    "DebugMode",
    "EnumClassKeyVals",
    "GetContentFromProto",
    "GetContentFromProtoString",
    "GetGPUMemoryUsageStats",
    "ITERATION_MUTEX_NAME",
    "MakeArgument",
    "NCHW2NHWC",
    "NHWC2NCHW",
    "NumpyArrayToCaffe2Tensor",
    "OPTIMIZER_ITERATION_NAME",
    "OpAlmostEqual",
    "ResetBlobs",
    "TryReadProtoWithClass",
    "debug",
    "raiseIfNotEqual",
]

OPTIMIZER_ITERATION_NAME = "optimizer_iteration"
ITERATION_MUTEX_NAME = "iteration_mutex"

M = TypeVar("M", bound=Message)
T = TypeVar("T")


def OpAlmostEqual(
    op_a: caffe2_pb2.OperatorDef, op_b: caffe2_pb2.OperatorDef, ignore_fields: str | list[str] | None = None
) -> bool:
    """Whether two operators are equal once the fields named in `ignore_fields` are cleared."""
    fields = ignore_fields if isinstance(ignore_fields, list) else [ignore_fields] if ignore_fields else []
    demand(all(isinstance(f, str) for f in fields), f"names of fields are strings, not {fields!r}")
    cleared = []
    for op in (op_a, op_b):
        copy = caffe2_pb2.OperatorDef()
        copy.CopyFrom(op)
        for field in fields:
            copy.ClearField(field)
        cleared.append(copy)
    # NaN differs from itself, but not in text.
    return cleared[0] == cleared[1] or str(cleared[0]) == str(cleared[1])


def CaffeBlobToNumpyArray(blob: Any) -> np.ndarray:
    """The float32 array of a caffe.BlobProto, whose shape stands in `shape` or, in old files, in four numbers."""
    shape = (blob.num, blob.channels, blob.height, blob.width) if blob.num else tuple(blob.shape.dim)
    return np.array(blob.data or blob.double_data, np.float32).reshape(shape)


def Caffe2TensorToNumpyArray(tensor: caffe2_pb2.TensorProto) -> np.ndarray:
    """The array of a TensorProto; strings make an array of objects. Raises MessageError for a broken one."""
    return to_python(tensor_value(tensor, CPU))


def NumpyArrayToCaffe2Tensor(arr: np.ndarray, name: str | None = None) -> caffe2_pb2.TensorProto:
    """The TensorProto of an array of numbers, booleans or strings. Raises EnforceNotMet for any other."""
    tensor = tensor_proto(to_value(arr), name or None)
    tensor.ClearField("device_detail")
    tensor.ClearField("segment")
    return tensor


def ArgsToDict(args: Iterable[caffe2_pb2.Argument]) -> dict[str, Any]:
    """The values of named arguments by name; None for an argument that holds no value."""
    named = [arg for arg in args if arg.HasField("name")]
    return {arg.name: next((v for f, v in arg.ListFields() if f.name != "name"), None) for arg in named}


def TryReadProtoWithClass(cls: type[M], s: str | bytes) -> M:
    """The message of class `cls` that `s` holds, as text or as bytes. Raises DecodeError where it is neither."""
    try:
        return text_format.Parse(s, cls())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        if isinstance(s, str):
            raise DecodeError(f"no text of a {cls.DESCRIPTOR.full_name}: {error}") from error
    return cls.FromString(s)


def GetContentFromProto(obj: Message, function_map: Mapping[type[Message], Callable[[Any], T]]) -> T | None:
    """What the function for the class of `obj` gives; None where there is none for it."""
    function = function_map.get(type(obj))
    return function(obj) if function else None


def GetContentFromProtoString(s: str | bytes, function_map: Mapping[type[Message], Callable[[Any], T]]) -> T:
    """What the function for the first class whose message `s` holds gives. Raises DecodeError where none fits."""
    for cls, function in function_map.items():
        try:
            return function(TryReadProtoWithClass(cls, s))
        except DecodeError:
            continue
    raise DecodeError(f"no message of {', '.join(cls.DESCRIPTOR.full_name for cls in function_map)}")


def ConvertProtoToBinary(proto_class: type[Message], filename: str, out_filename: str) -> None:
    """Write the message in file `filename`, text or bytes, as bytes to file `out_filename`."""
    with open(filename, "rb") as file:
        proto = TryReadProtoWithClass(proto_class, file.read())
    with open(out_filename, "wb") as out:
        out.write(proto.SerializeToString())


def GetGPUMemoryUsageStats() -> dict[str, Any]:
    """Bytes of tensors on each GPU, now and at most so far, and the sums over the GPUs."""
    gpus = range(torch.cuda.device_count())
    total = np.array([torch.cuda.memory_allocated(gpu) for gpu in gpus], np.int64)
    most = np.array([torch.cuda.max_memory_allocated(gpu) for gpu in gpus], np.int64)
    return {"total_by_gpu": total, "max_by_gpu": most, "total": total.sum(), "max_total": most.sum()}


def ResetBlobs(blobs: Iterable[Any]) -> None:
    """Empty blobs of the current workspace, to give their memory back."""
    blobs = list(blobs)
    device = core.DeviceOption(caffe2_pb2.CPU)
    workspace.RunOperatorOnce(core.CreateOperator("Free", blobs, blobs, device_option=device))


class DebugMode:
    """Runs functions so that an error opens the debugger where it was raised."""

    @classmethod
    def run(cls, func: Callable[[], T]) -> T:
        """What `func()` gives; after an error and the debugger, the process ends with status 1."""
        try:
            return func()
        except Exception as error:
            print(f'{error}\nEntering the debugger: "bt" shows the stack, "help" the commands.')
            pdb.post_mortem(error.__traceback__)
            sys.exit(1)


def debug(f: Callable[..., T]) -> Callable[..., T]:
    """The function `f`, called by DebugMode."""

    @functools.wraps(f)
    def wrapper(*args: Any, **kwargs: Any) -> T:
        return DebugMode.run(functools.partial(f, *args, **kwargs))

    return wrapper


def raiseIfNotEqual(a: object, b: object, msg: str) -> None:
    """Raise an Exception that begins with `msg` unless a equals b."""
    if a != b:
        raise Exception(f"{msg}. {a} != {b}")


def BuildUniqueMutexIter(
    init_net: core.Net, net: core.Net, iter: Any = None, iter_mutex: Any = None, iter_val: int = 0
) -> core.BlobReference:
    """The counter `iter` of runs of `net`, which starts at `iter_val` and is guarded by a mutex.

    Where `init_net` defines the counter already, nothing is added.
    """
    iter = OPTIMIZER_ITERATION_NAME if iter is None else iter
    if init_net.BlobIsDefined(iter):
        return init_net.GetBlobRef(iter)
    with scope.DeviceScope(core.DeviceOption(caffe2_pb2.CPU, extra_info=["device_type_override:cpu"])):
        counter = init_net.ConstantFill([], iter, shape=[1], value=iter_val, dtype=core.DataType.INT64)
        mutex = init_net.CreateMutex([], [ITERATION_MUTEX_NAME if iter_mutex is None else iter_mutex])
        net.AtomicIter([mutex, counter], [counter])
    return counter


def EnumClassKeyVals(cls: type) -> dict[str, str]:
    """The string attributes of a class whose names are in capitals; no two may be equal."""
    demand(type(cls) is type, f"{cls!r} is not a plain class")
    values = {key: getattr(cls, key) for key in dir(cls) if key == key.upper()}
    enum = {key: value for key, value in values.items() if isinstance(value, str)}
    demand(len(set(enum.values())) == len(enum), f"{cls!r} gives two names to one value: {enum}")
    return enum


def NHWC2NCHW(tensor: np.ndarray) -> np.ndarray:
    """A view with the last axis moved to the second place."""
    demand(tensor.ndim >= 1, "a tensor with channels has an axis")
    return np.moveaxis(tensor, -1, 1) if tensor.ndim > 1 else tensor


def NCHW2NHWC(tensor: np.ndarray) -> np.ndarray:
    """A view with the second axis moved to the last place."""
    demand(tensor.ndim >= 2, "a tensor with channels in the second place has two axes")
    return np.moveaxis(tensor, 1, -1)
