"""The optimizers in use: `with UseOptimizer(...)` lends them to the parameters created within."""

from __future__ import annotations

from typing import Any

from caffe2.python import context
from caffe2.python.modifier_context import ModifierContext, UseModifierBase

DEFAULT_OPTIM = "DEFAULT"


class OptimizerContext(ModifierContext, context.DefaultManaged):
    """The optimizers in use, by name."""

    def has_optimizer(self, name: str) -> bool:
        """Whether an optimizer of this name is in use."""
        return self._has_modifier(name)

    def get_optimizer(self, name: str) -> Any:
        """The optimizer of this name. Raises Misuse where there is none."""
        return self._demand_modifier(name, "optimizer")


class UseOptimizer(UseModifierBase):
    """Within `with UseOptimizer({"DEFAULT": sgd, "BIAS": adam})`, OptimizerContext.current() holds those optimizers."""

    def _context_class(self) -> type[OptimizerContext]:
        return OptimizerContext
