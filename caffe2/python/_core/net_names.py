"""Names of nets and steps, each used once in a process, and the builder under whose name nets are made."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, count
from typing import Any

from caffe2.python.context import Managed


class Builder(Managed):
    """What nets are being made within: its name comes before theirs. NetBuilder is the one there is."""

    name: str
    _stop_blob: Any = None

    def get(self) -> Any:
        """The steps or nets made."""
        raise NotImplementedError


def current_prefix() -> str:
    """The name of the builder that nets are being made within; empty outside one."""
    builder = Builder.current(required=False)
    return builder.name if builder else ""


NET_NAMES: set[str] = set()
"""Names that nets of this process were given."""


def next_net_name(basename: str) -> str:
    """`basename` under the current builder's, with _1, _2 ... where a net of that name was made before; it is taken."""
    return take_name("/".join(filter(None, (current_prefix(), basename))), NET_NAMES)


def take_name(basename: str, taken: set[str]) -> str:
    """`basename`, or the first of basename_1, basename_2 ... that is not taken; it is taken now."""
    candidates: Iterator[str] = chain([basename], (f"{basename}_{k}" for k in count(1)))
    name = next(c for c in candidates if c not in taken)
    taken.add(name)
    return name
