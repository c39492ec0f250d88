"""The private descriptor pool of this package's messages, and the names that a file of messages gives to its module.

A pool of its own keeps the packages `caffe2` and `caffe` apart from those of any other library in the process: the
default pool of protobuf would refuse the second definition of a name.
"""

from __future__ import annotations

import copyreg
from pathlib import Path
from typing import Any

from google.protobuf import descriptor, descriptor_pool, message_factory
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message

POOL = descriptor_pool.DescriptorPool()


def load(stem: str) -> dict[str, Any]:
    """The names of the module `<stem>_pb2`: its DESCRIPTOR, message classes, enums, and the enums' values.

    The messages are those of `<stem>.desc`, which `generate.py` compiles from `<stem>.proto`. Files that
    `<stem>.proto` imports have to be loaded before.
    """
    POOL.AddSerializedFile(Path(__file__).with_name(f"{stem}.desc").read_bytes())
    file = POOL.FindFileByName(f"caffe2/proto/{stem}.proto")
    names: dict[str, Any] = {"DESCRIPTOR": file}
    for enum in file.enum_types_by_name.values():
        names[enum.name] = EnumTypeWrapper(enum)
        names.update((value.name, value.number) for value in enum.values)
    for message in file.message_types_by_name.values():
        names[message.name] = _message_class(message, f"caffe2.proto.{stem}_pb2", message.name)
    return names


def _message_class(message: descriptor.Descriptor, module: str, qualname: str) -> type[Message]:
    """The class of `message`, nested classes included, findable by module and qualified name as pickle needs it."""
    cls = message_factory.GetMessageClass(message)
    cls.__module__, cls.__qualname__ = module, qualname
    copyreg.pickle(cls, _reduce)
    for nested in message.nested_types:
        setattr(cls, nested.name, _message_class(nested, module, f"{qualname}.{nested.name}"))
    return cls


def _reduce(message: Message) -> tuple[Any, ...]:
    # protobuf's own pickling looks the class up in the default pool, where these messages are not.
    return _restore, (type(message), message.SerializePartialToString())


def _restore(cls: type[Message], content: bytes) -> Message:
    message = cls()
    message.MergeFromString(content)
    return message
