"""References to blobs: names that know the net they came from and create operators on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from caffe2.python import scope
from caffe2.python._core.operators import IsOperator, no_such_method, with_operators

if TYPE_CHECKING:
    from caffe2.python._core.net import Net


class BlobReference:
    """The name of a blob, equal to the string, with the net that it came from; no scope is prepended.

    `b.Relu(...)` is `net.Relu([b], ...)` on that net. `meta` is free for a program's own notes.
    """

    def __init__(self, name: object, net: Net | None = None) -> None:
        self._name = name.decode() if isinstance(name, bytes) else str(name)
        self._from_net = net
        self.meta: dict[Any, Any] = {}

    def __hash__(self) -> int:
        return hash(self._name)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, bytes):
            return self._name.encode() == other
        return isinstance(other, (str, BlobReference)) and self._name == str(other)

    def __str__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f'BlobReference("{self._name}")'

    def __add__(self, other: str) -> BlobReference:
        if not isinstance(other, str):
            raise RuntimeError(f"only a string can be added to the name of blob {self._name!r}, not {other!r}")
        return BlobReference(self._name + other, self._from_net)

    def __radd__(self, other: str) -> BlobReference:
        if not isinstance(other, str):
            raise RuntimeError(f"only a string can be put before the name of blob {self._name!r}, not {other!r}")
        return BlobReference(other + self._name, self._from_net)

    def Net(self) -> Net | None:
        """The net that the blob came from."""
        return self._from_net

    def GetNameScope(self) -> str:
        """The part of the name up to and with its last '/'."""
        return self._name[: self._name.rfind(scope._NAMESCOPE_SEPARATOR) + 1]

    def GetUnscopedName(self) -> str:
        """The part of the name after its last '/'."""
        return self._name[self._name.rfind(scope._NAMESCOPE_SEPARATOR) + 1 :]

    def __getattr__(self, op_type: str) -> Callable[..., Any]:
        if op_type.startswith("_"):
            raise AttributeError(f"Attribute {op_type} not found.")
        if self._from_net is None:
            raise AttributeError(
                f"{op_type}: the blob {self._name!r} belongs to no net, so it cannot create operators;"
                " create the operator from a net"
            )
        if not IsOperator(op_type):
            raise no_such_method(op_type)

        def create(inputs: Any = None, *args: Any, **kwargs: Any) -> Any:
            if inputs is None:
                others = []
            else:
                others = [inputs] if isinstance(inputs, (BlobReference, str)) else list(inputs)
            return getattr(self._from_net, op_type)([self, *others], *args, **kwargs)

        return create

    def __dir__(self) -> list[str]:
        return with_operators(set(dir(type(self))) | set(vars(self)))


class GradientSlice(NamedTuple):
    """A sparse gradient: row values[k] is added at row indices[k]."""

    indices: Any
    values: Any


def ScopedName(name: str | bytes) -> str:
    """`name` with the current name scope before it."""
    return scope.CurrentNameScope() + (name.decode("ascii") if isinstance(name, bytes) else name)


def ScopedBlobReference(name: str | bytes, *args: Any, **kwargs: Any) -> BlobReference:
    """A reference to the blob `name` of the current name scope."""
    return BlobReference(ScopedName(name), *args, **kwargs)


def _RectifyInputOutput(blobs: Any, net: Net | None = None) -> list[BlobReference]:
    """Blobs given as one name or reference or several, as references; names get the scope, references are kept.

    Raises TypeError for anything else.
    """
    several = isinstance(blobs, (list, tuple)) and not isinstance(blobs, GradientSlice)
    rectified = []
    for position, blob in enumerate(blobs if several else [blobs]):
        if isinstance(blob, (str, bytes)):
            blob = ScopedBlobReference(blob, net=net)
        elif not isinstance(blob, BlobReference):
            raise TypeError(f"blob {position} is a {type(blob).__name__}, not a name or a reference: {blob}")
        rectified.append(blob)
    return rectified
