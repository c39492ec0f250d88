"""Arguments of operators: declared by annotations, read from the Argument messages of an OperatorDef."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NewType, Protocol

import numpy as np
import torch
from google.protobuf import text_format

from caffe2.opdef.dtypes import element_type
from caffe2.opdef.errors import ArgumentTypeError
from caffe2.proto import caffe2_pb2

REQUIRED = inspect.Parameter.empty

DType = torch.dtype | type
"""Annotation of an argument that names an element type, by number or by name; the body gets torch's."""

OutputCount = NewType("OutputCount", int)
"""Annotation of a parameter that is no argument: how many outputs this one operator has."""

Reals = NewType("Reals", np.ndarray)
"""Annotation of an argument of very many floats, such as weights: the body gets a float32 array of them."""


class Site(Protocol):
    """Where an operator is bound: what a body annotated with it, or its `bind`, may ask."""

    op: caffe2_pb2.OperatorDef
    inputs: list[str]
    outputs: list[str]
    device: torch.device
    generator: torch.Generator | None
    workspace: Any

    def bind_net(self, net: caffe2_pb2.NetDef, workspace: Any = None) -> Callable[[], None]: ...


INJECTED: dict[Any, Callable[[Site], Any]] = {
    torch.device: lambda site: site.device,
    torch.Generator: lambda site: site.generator,
    OutputCount: lambda site: len(site.outputs),
    Site: lambda site: site,
}
"""Annotations filled in by the runtime, with how: such parameters are no arguments."""


@dataclass(frozen=True)
class Arg:
    """One declared argument."""

    name: str
    type: Any
    default: Any = REQUIRED

    @property
    def injected(self) -> bool:
        return self.type in INJECTED

    def __str__(self) -> str:
        shown = getattr(self.type, "__name__", str(self.type)) if isinstance(self.type, type) else str(self.type)
        return f"{self.name}: {shown}" + ("" if self.default is REQUIRED else f" = {self.default!r}")


def _whole(a: caffe2_pb2.Argument) -> int:
    if a.HasField("i"):
        return a.i
    if a.HasField("f") and a.f == int(a.f):
        return int(a.f)
    raise ValueError


def _real(a: caffe2_pb2.Argument) -> float:
    if a.HasField("f"):
        return a.f
    if a.HasField("i"):
        return float(a.i)
    raise ValueError


def _bytes(a: caffe2_pb2.Argument) -> bytes:
    if not a.HasField("s"):
        raise ValueError
    return a.s


def _net(a: caffe2_pb2.Argument) -> caffe2_pb2.NetDef:
    if a.HasField("n") or not a.HasField("s"):
        return a.n
    net = caffe2_pb2.NetDef()
    text_format.Parse(_bytes(a).decode(), net)
    return net


def _dtype(a: caffe2_pb2.Argument) -> DType:
    return element_type(a.s if a.HasField("s") else _whole(a)).torch


def _run(field: str, one: Callable, kind: Callable) -> Callable:
    def read(a: caffe2_pb2.Argument) -> tuple:
        values = getattr(a, field)
        if not values and field == "floats" and a.ints:
            values = a.ints
        if not values and any(a.HasField(f) for f in ("f", "i", "s", "n")):
            return (one(a),)
        return tuple(map(kind, values))

    return read


def _reals(a: caffe2_pb2.Argument) -> np.ndarray:
    """Floats off the wire form, where each stands behind one byte: a list would make an object of every one."""
    head = len(caffe2_pb2.Argument(name=a.name).SerializeToString())
    wire = np.frombuffer(a.SerializeToString(), np.uint8)[head:]
    if not a.floats or len(wire) != 5 * len(a.floats):
        return np.array(_run("floats", _real, float)(a), np.float32)
    return wire.reshape(-1, 5)[:, 1:].copy().view("<f4").ravel()


READERS: dict[Any, Callable[[caffe2_pb2.Argument], Any]] = {
    int: _whole,
    float: _real,
    bool: lambda a: bool(_whole(a)),
    str: lambda a: _bytes(a).decode(),
    bytes: _bytes,
    DType: _dtype,
    caffe2_pb2.NetDef: _net,
    tuple[int, ...]: _run("ints", _whole, int),
    tuple[float, ...]: _run("floats", _real, float),
    Reals: _reals,
    tuple[str, ...]: _run("strings", lambda a: _bytes(a).decode(), bytes.decode),
    tuple[bytes, ...]: _run("strings", _bytes, bytes),
    tuple[caffe2_pb2.NetDef, ...]: _run("nets", _net, lambda n: n),
    Any: lambda a: a,
}
"""How an argument of each annotation is read off an Argument message."""


def read_arguments(declared: Iterable[Arg], given: Iterable[caffe2_pb2.Argument], owner: str) -> dict[str, Any]:
    """The values of the declared arguments that are given; the rest keep their defaults.

    Raises ArgumentTypeError where a value does not fit its declaration or a required one is missing.
    Names that are not declared are left alone, as the original leaves them.
    """
    messages = {a.name: a for a in given}
    values = {}
    for arg in declared:
        if arg.injected:
            continue
        message = messages.get(arg.name)
        if message is not None:
            values[arg.name] = _read(arg, message, owner)
        elif arg.default is REQUIRED:
            raise ArgumentTypeError(f"{owner}\n  the argument {arg.name} is required and missing")
    return values


def _read(arg: Arg, message: caffe2_pb2.Argument, owner: str) -> Any:
    reader = READERS.get(_without_none(arg.type))
    if reader is None:
        raise TypeError(f"{owner}: no argument can be declared as {arg.type}")
    try:
        return reader(message)
    except (ValueError, text_format.ParseError):
        held = " ".join(f"{f.name}={v!r}" for f, v in message.ListFields() if f.name != "name") or "nothing"
        raise ArgumentTypeError(f"{owner}\n  the argument {arg} cannot hold {held}") from None


def _without_none(annotation: Any) -> Any:
    parts = [t for t in getattr(annotation, "__args__", ()) if t is not type(None)]
    optional = type(None) in getattr(annotation, "__args__", ())
    if not optional:
        return annotation
    return parts[0] if len(parts) == 1 else DType
