"""Named modifiers of parameters (optimizers, regularizers, normalizers) that hold within `with` blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caffe2.python._misuse import demand

DEFAULT_MODIFIER = "DEFAULT"


class ModifierContext:
    """A stack of dictionaries from names to modifiers, in which an inner dictionary hides an outer one's names."""

    def __init__(self) -> None:
        self._modifiers: dict[str, Any] = {}
        self._modifiers_list: list[Mapping[str, Any]] = []

    def _has_modifier(self, name: str) -> bool:
        return name in self._modifiers

    def _get_modifier(self, name: str) -> Any:
        return self._modifiers.get(name)

    def _demand_modifier(self, name: str, kind: str) -> Any:
        demand(name in self._modifiers, f"no {kind} named {name!r} is in use; in use are {sorted(self._modifiers)}")
        return self._modifiers[name]

    def push_modifiers(self, modifiers: Mapping[str, Any]) -> None:
        """Put `modifiers` into use."""
        self._modifiers_list.append(modifiers)
        self._modifiers.update(modifiers)

    def pop_modifiers(self) -> None:
        """Take the modifiers that were last put into use out of it. Raises Misuse where there are none."""
        demand(self._modifiers_list, "no modifiers are in use")
        self._modifiers_list.pop()
        self._modifiers = {name: m for modifiers in self._modifiers_list for name, m in modifiers.items()}


class UseModifierBase:
    """Base of context managers that put modifiers into use: one by itself, named DEFAULT, or a dictionary of them."""

    def __init__(self, modifier_or_dict: Any) -> None:
        single = not isinstance(modifier_or_dict, dict)
        self._modifiers = {DEFAULT_MODIFIER: modifier_or_dict} if single else modifier_or_dict

    def _context_class(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not say in which context its modifiers are used")

    def __enter__(self) -> UseModifierBase:
        self._context_class().current().push_modifiers(self._modifiers)
        return self

    def __exit__(self, *exception: object) -> None:
        self._context_class().current().pop_modifiers()
