"""Argument scopes: arguments that calls of some brew functions take on within a block."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from caffe2.python._misuse import demand

__all__ = ["arg_scope"]

_current_scope: ContextVar[dict[str, dict[str, Any]] | None] = ContextVar("brew argument scope", default=None)


@contextlib.contextmanager
def arg_scope(single_helper_or_list: Callable | list[Callable], **kwargs: Any) -> Iterator[None]:
    """Within, calls of these brew functions have `kwargs` as their defaults; an inner scope comes before an outer."""
    helpers = single_helper_or_list if isinstance(single_helper_or_list, list) else [single_helper_or_list]
    for helper in helpers:
        demand(callable(helper), f"an argument scope is for one or a list of functions, not {helper!r}")
    inner = copy.deepcopy(get_current_scope())
    for helper in helpers:
        inner.setdefault(helper.__name__, {}).update(kwargs)
    outer = _current_scope.get()
    _current_scope.set(inner)
    try:
        yield
    finally:
        _current_scope.set(outer)


def get_current_scope() -> dict[str, dict[str, Any]]:
    """The arguments in force, by the name of the function that takes them on."""
    return _current_scope.get() or {}
