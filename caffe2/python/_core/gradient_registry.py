"""The historical door to gradients: rules by operator type, and the backward pass of a list of operators."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from caffe2.proto import caffe2_pb2
from caffe2.python._core.gradient_ir import IR
from caffe2.python._core.gradient_rules import RULES, Rule, gradient_of


class GradientRegistry:
    """Gradients of operators; a rule registered here serves an operator whose definition gives none."""

    gradient_registry_: ClassVar[dict[str, Rule]] = RULES

    @classmethod
    def RegisterGradient(cls, op_type: str) -> Callable[[Rule], Rule]:
        """Decorate a function (op, g_output) -> (gradient operators, g_input) as the gradient of `op_type`."""

        def register(rule: Rule) -> Rule:
            cls.gradient_registry_[op_type] = rule
            return rule

        return register

    @classmethod
    def GetGradientForOp(
        cls, op: caffe2_pb2.OperatorDef, g_output: Sequence[Any]
    ) -> tuple[list[caffe2_pb2.OperatorDef], list[Any]]:
        """The gradient operators of `op` and the gradients of its inputs, given those of its outputs."""
        return gradient_of(op, g_output)

    @classmethod
    def GetBackwardPass(
        cls, operators: Iterable[caffe2_pb2.OperatorDef], ys: Any, ys_generate_gradient: bool = False
    ) -> tuple[list[caffe2_pb2.OperatorDef], dict[Any, Any]]:
        """The operators for the derivatives of `ys` and the gradient of every blob; see IR.GetBackwardPass."""
        return IR(operators).GetBackwardPass(ys)
