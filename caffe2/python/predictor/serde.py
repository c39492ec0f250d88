"""Messages as bytes and back."""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.message import Message

M = TypeVar("M", bound=Message)


def serialize_protobuf_struct(protobuf_struct: Message) -> bytes:
    """The bytes of a message."""
    return protobuf_struct.SerializeToString()


def deserialize_protobuf_struct(serialized_protobuf: bytes, struct_type: type[M]) -> M:
    """The message of class `struct_type` that these bytes hold. Raises DecodeError where they hold none."""
    return struct_type.FromString(serialized_protobuf)
