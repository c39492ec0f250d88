"""Imports put off until the first question about registered operators."""

from __future__ import annotations

from collections.abc import Callable

_pending: list[Callable[[], object]] = []


def RegisterLazyImport(lazy: Callable[[], object]) -> None:
    """Have `lazy` called before operators are looked up; it is called at every look-up."""
    _pending.append(lazy)


def TriggerLazyImport() -> None:
    """Call what was registered, in order."""
    for lazy in _pending:
        lazy()
