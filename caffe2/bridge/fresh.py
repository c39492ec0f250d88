"""Names that nothing has yet."""

from __future__ import annotations

from collections.abc import Container


def fresh_name(stem: str, taken: Container[str]) -> str:
    """The first of stem__0, stem__1 ... that is not taken."""
    k = 0
    while (name := f"{stem}__{k}") in taken:
        k += 1
    return name
