"""Parameter sharing: scopes whose parameters are those of other scopes."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping

from caffe2.python import scope
from caffe2.python._misuse import demand

logger = logging.getLogger(__name__)


class ParameterSharingContext:
    """A stack of dictionaries from scopes to the scopes that own their parameters; inner ones come first."""

    def __init__(self) -> None:
        self._scope_overrides: dict[str, str] = {}
        self._contexts: list[Mapping[str, str]] = []

    def _resolve_scope_overrides(self, candidate_scope: str, via: tuple[str, ...] = ()) -> str:
        """The scope that owns the parameters of `candidate_scope`.

        Its longest overridden prefix is replaced, for as long as there is one; Misuse is raised where that has no end.
        """
        demand(candidate_scope not in via, f"scopes share parameters in a circle: {' -> '.join(via)}")
        parts = candidate_scope.split(scope._NAMESCOPE_SEPARATOR)
        for end in range(len(parts), 0, -1):
            prefix = _normalize_namescope(scope._NAMESCOPE_SEPARATOR.join(parts[:end]))
            owner = self._scope_overrides.get(prefix, candidate_scope)
            if owner != candidate_scope:
                rest = scope._NAMESCOPE_SEPARATOR.join(parts[end:])
                return self._resolve_scope_overrides(owner, (*via, candidate_scope)) + rest
        return candidate_scope

    def get_parameter_name(self, name: str) -> str:
        """The full name of the parameter `name` of the current scope."""
        candidate = scope.CurrentNameScope()
        owner = self._resolve_scope_overrides(candidate)
        if owner != candidate:
            logger.info("parameter %s of scope %s is that of scope %s", name, candidate, owner)
        return owner + name

    def add_scope_overrides(self, shared_scopes: Mapping[str, str]) -> None:
        """Let each key's parameters be those of its value."""
        self._contexts.append(shared_scopes)
        self._scope_overrides.update(shared_scopes)

    def pop(self) -> None:
        """Undo the last add_scope_overrides. Raises Misuse where there is none."""
        demand(self._contexts, "no parameter sharing is in force")
        self._contexts.pop()
        self._scope_overrides = {sharer: owner for context in self._contexts for sharer, owner in context.items()}


parameter_sharing_context = ParameterSharingContext()


def _normalize_namescope(namescope: str) -> str:
    if namescope and not namescope.endswith(scope._NAMESCOPE_SEPARATOR):
        return namescope + scope._NAMESCOPE_SEPARATOR
    return namescope


@contextlib.contextmanager
def ParameterSharing(shared_scopes: dict[str, str]) -> Iterator[None]:
    """Within, the parameters of each key, a scope below the current one, are those of its value.

    Overrides apply again to what they lead to. Raises Misuse where a key is a prefix of its value.
    """
    demand(isinstance(shared_scopes, dict), f"shared scopes are a dictionary, not {shared_scopes!r}")
    around = scope.CurrentNameScope()
    overrides = {}
    for sharer, owner in shared_scopes.items():
        demand(
            not owner.startswith(sharer), f"scope {owner!r} lies within {sharer!r}, which is to share its parameters"
        )
        overrides[_normalize_namescope(around + sharer)] = _normalize_namescope(around + owner)
    parameter_sharing_context.add_scope_overrides(overrides)
    try:
        yield
    finally:
        parameter_sharing_context.pop()
