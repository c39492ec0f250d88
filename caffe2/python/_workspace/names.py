"""What callers may pass for a message, a net's name or a blob's name, and what it is read as."""

from __future__ import annotations

from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message

from caffe2.proto import caffe2_pb2
from caffe2.python._misuse import demand
from caffe2.runtime.errors import MessageError

M = TypeVar("M", bound=Message)


def StringifyProto(obj: Any) -> bytes | str:
    """The serialized bytes of a message or of an object with a Proto(); strings are taken as they are.

    Raises ValueError for anything else.
    """
    if isinstance(obj, (str, bytes)):
        return obj
    if isinstance(obj, Message):
        return obj.SerializeToString()
    if hasattr(obj, "Proto"):
        return obj.Proto().SerializeToString()
    raise ValueError(f"a message, its bytes or an object with a Proto() is needed, not a {type(obj).__name__}")


def message(obj: Any, kind: type[M]) -> M:
    """A message of its own of `kind`, from what StringifyProto takes; errors as those of `borrowed`."""
    given, made = borrowed(obj, kind), kind()
    made.CopyFrom(given)
    return made


def borrowed(obj: Any, kind: type[M]) -> M:
    """The message of `kind` that is given, itself where it is one: for who keeps nothing of it.

    Raises MessageError for bytes that are none, ValueError for a message of another kind.
    """
    made = kind()
    given = obj.Proto() if not isinstance(obj, (str, bytes, Message)) and hasattr(obj, "Proto") else obj
    if isinstance(given, kind):
        return given
    if isinstance(given, Message):
        raise ValueError(f"a {kind.DESCRIPTOR.name} is needed, not a {type(given).DESCRIPTOR.name}")
    content = StringifyProto(given)
    try:
        made.ParseFromString(content.encode("latin-1") if isinstance(content, str) else content)
    except (DecodeError, UnicodeEncodeError) as error:
        raise MessageError(f"{len(content)} bytes that are no serialized {kind.DESCRIPTOR.name}: {error}") from None
    return made


def _StringifyName(name: Any, expected_type: str) -> str:
    if isinstance(name, str):
        return name
    demand(type(name).__name__ == expected_type, f"a string or a {expected_type} is needed, not {name!r}")
    return str(name)


def StringifyBlobName(name: Any) -> str:
    """The name of a blob given by name or by reference."""
    return _StringifyName(name, "BlobReference")


def StringifyNetName(name: Any) -> str:
    """The name of a net given by name or as a core.Net."""
    return _StringifyName(name, "Net")


def GetNetName(net: Any) -> str:
    """The name of a net: of a core.Net, of a NetDef, or the string itself. Raises TypeError for anything else."""
    if isinstance(net, (str, bytes)):
        return net
    if isinstance(net, caffe2_pb2.NetDef):
        return net.name
    if type(net).__name__ in ("Net", "NetWithShapeInference"):
        return net.Name()
    raise TypeError(f"a net, its definition or its name is needed, not a {type(net).__name__}")
