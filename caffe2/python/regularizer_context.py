"""The regularizers in use: `with UseRegularizer(...)` lends them to the parameters created within."""

from __future__ import annotations

from typing import Any

from caffe2.python import context
from caffe2.python.modifier_context import ModifierContext, UseModifierBase


class RegularizerContext(ModifierContext, context.DefaultManaged):
    """The regularizers in use, by name."""

    def has_regularizer(self, name: str) -> bool:
        """Whether a regularizer of this name is in use."""
        return self._has_modifier(name)

    def get_regularizer(self, name: str) -> Any:
        """The regularizer of this name. Raises Misuse where there is none."""
        return self._demand_modifier(name, "regularizer")


class UseRegularizer(UseModifierBase):
    """Within `with UseRegularizer({"WEIGHT": l2})`, RegularizerContext.current() holds those regularizers."""

    def _context_class(self) -> type[RegularizerContext]:
        return RegularizerContext
