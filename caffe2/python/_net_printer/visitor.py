"""Functions chosen by the class of the object that they visit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from caffe2.python._misuse import demand
from caffe2.python.core import ExecutionStep


class Visitor:
    """Calls, on an object, the function that was registered for its class; nothing on None."""

    visitors: ClassVar[dict[type, Callable[..., Any]]] = {}

    def __init_subclass__(cls) -> None:
        cls.visitors = dict(cls.visitors)

    @classmethod
    def register(cls, Type: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Have the decorated function called, with the visitor and the object, on objects of class `Type`."""
        demand(Type not in cls.visitors, f"{Type} already registered!")

        def keep(func: Callable[..., Any]) -> Callable[..., Any]:
            cls.visitors[Type] = func
            return func

        return keep

    def __call__(self, obj: Any, *args: Any, **kwargs: Any) -> Any:
        if obj is None:
            return None
        if type(obj) not in self.visitors:
            raise TypeError(f"{type(self).__name__}: unsupported object type: {type(obj)}")
        return self.visitors[type(obj)](self, obj, *args, **kwargs)


def parts(step: ExecutionStep) -> list[Any]:
    """The substeps of a step, and its nets."""
    return [*step.Substeps(), *map(step.get_net, step.Proto().network)]
