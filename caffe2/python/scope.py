"""Scopes: the name prefix and the device that operators created within them take on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from caffe2.proto import caffe2_pb2
from caffe2.python._misuse import Misuse, demand

_NAMESCOPE_SEPARATOR = "/"

_name_scope: ContextVar[str] = ContextVar("caffe2 name scope", default="")
_device_scope: ContextVar[caffe2_pb2.DeviceOption | None] = ContextVar("caffe2 device scope", default=None)


def CurrentNameScope() -> str:
    """The prefix of names created here: empty, or ending in '/'. Every thread begins with an empty one."""
    return _name_scope.get()


def CurrentDeviceScope() -> caffe2_pb2.DeviceOption | None:
    """The device of operators created here; None where no scope says."""
    return _device_scope.get()


@contextmanager
def _holding(variable: ContextVar, value: object) -> Iterator[None]:
    """Keep `variable` at `value`. Raises Misuse where the block leaves another value behind."""
    before = variable.get()
    variable.set(value)
    try:
        yield
        if variable.get() != value:
            raise Misuse(f"the {variable.name} was changed within a scope and not changed back: {variable.get()!r}")
    finally:
        variable.set(before)


@contextmanager
def NameScope(prefix: str | None, reset: bool = False) -> Iterator[None]:
    """Prepend `prefix/` to names created within, after the prefixes around it unless `reset`; None adds nothing."""
    demand(prefix is None or isinstance(prefix, str), f"a name scope is a string, not {prefix!r}")
    around = "" if reset else CurrentNameScope()
    with _holding(_name_scope, around + (prefix + _NAMESCOPE_SEPARATOR if prefix else "")):
        yield


@contextmanager
def DeviceScope(scope: caffe2_pb2.DeviceOption | None, node_name: str | None = None) -> Iterator[None]:
    """Put operators created within on `scope`, or on node `node_name`.

    A scope around it lends its node name, where this one has none, and its extra_info, which is merged and sorted.
    """
    demand(scope or node_name, "a device scope needs a DeviceOption or a node name")
    demand(not scope or isinstance(scope, caffe2_pb2.DeviceOption), f"a device scope is a DeviceOption, not {scope!r}")
    device = caffe2_pb2.DeviceOption()
    if scope:
        device.CopyFrom(scope)
    if node_name:
        device.node_name = node_name
    around = CurrentDeviceScope()
    if around is not None:
        if around.HasField("node_name") and not device.HasField("node_name"):
            device.node_name = around.node_name
        device.extra_info.extend(around.extra_info)
    device.extra_info.sort()
    with _holding(_device_scope, device):
        yield


@contextmanager
def EmptyNameScope() -> Iterator[None]:
    """Create names without a prefix within, whatever the scopes around."""
    with _holding(_name_scope, ""):
        yield


@contextmanager
def EmptyDeviceScope() -> Iterator[None]:
    """Create operators without a device within, so that their net's device holds."""
    with _holding(_device_scope, None):
        yield
