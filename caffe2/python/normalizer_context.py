"""The normalizers in use: `with UseNormalizer(...)` lends them to the layers created within."""

from __future__ import annotations

from typing import Any

from caffe2.python import context
from caffe2.python.modifier_context import ModifierContext, UseModifierBase


class NormalizerContext(ModifierContext, context.DefaultManaged):
    """The normalizers in use, by name."""

    def has_normalizer(self, name: str) -> bool:
        """Whether a normalizer of this name is in use."""
        return self._has_modifier(name)

    def get_normalizer(self, name: str) -> Any:
        """The normalizer of this name. Raises Misuse where there is none."""
        return self._demand_modifier(name, "normalizer")


class UseNormalizer(UseModifierBase):
    """Within `with UseNormalizer({"BATCH": batch_norm})`, NormalizerContext.current() holds those normalizers."""

    def _context_class(self) -> type[NormalizerContext]:
        return NormalizerContext
