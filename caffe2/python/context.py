"""Classes whose instances become the current one of their class within a `with` block."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, ClassVar

from caffe2.python._misuse import Misuse, demand


class Managed:
    """Base of context-managed classes: within `with Foo() as f`, Foo.current() is f, in this thread alone.

    An instance is the current one of its class and of every managed class that it derives from.
    """

    _entered: ClassVar[ContextVar[tuple]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._entered = ContextVar(f"current {cls.__qualname__}", default=())

    @classmethod
    def current(cls, value: Any = None, required: bool = True) -> Any:
        """`value` if given, else the innermost entered instance; None if there is none and it is not required.

        Raises Misuse for a value of another class, or where an instance is required and none is entered.
        """
        if value is not None:
            demand(isinstance(value, cls), f"expected a {cls.__name__}, got a {type(value).__name__}: {value!r}")
            return value
        entered = cls._entered.get()
        if entered:
            return entered[-1]
        return cls._default() if required else None

    @classmethod
    def _default(cls) -> Any:
        raise Misuse(f"a {cls.__name__} is required and none is entered; use `with {cls.__name__}(...):`")

    def __enter__(self) -> Any:
        for variable in self._variables():
            variable.set((*variable.get(), self))
        return self

    def __exit__(self, *exception: object) -> None:
        for variable in self._variables():
            *outer, innermost = variable.get() or (None,)
            demand(innermost is self, f"{type(self).__name__} is left out of turn: {innermost!r} is the innermost")
            variable.set(tuple(outer))

    def _variables(self) -> list[ContextVar]:
        return [c._entered for c in type(self).__mro__ if issubclass(c, Managed) and "_entered" in vars(c)]

    def __call__(self, func: Callable) -> Callable:
        """Decorate `func` to run with this instance entered."""

        @functools.wraps(func)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self:
                return func(*args, **kwargs)

        return wrapper


class DefaultManaged(Managed):
    """A managed class that makes an instance, and keeps it current, where one is asked for and none is entered."""

    @classmethod
    def _default(cls) -> Any:
        made = cls()
        cls._entered.set((made,))
        return made
