"""The gradient of one operator: by its definition, else by a rule that a program registered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from caffe2.opdef import EnforceNotMet, NoGradient, SchemaError, gradient_ops, verify
from caffe2.proto import caffe2_pb2
from caffe2.python._core.blob_reference import GradientSlice

Rule = Callable[[caffe2_pb2.OperatorDef, Sequence[Any]], tuple[Any, Sequence[Any]]]

RULES: dict[str, Rule] = {}
"""Gradients by operator type: of control operators, whose gradients hold nets, and those that programs register."""


def gradient_of(op: caffe2_pb2.OperatorDef, g_output: Sequence[Any]) -> tuple[list[caffe2_pb2.OperatorDef], list[Any]]:
    """The operators for the gradient of `op`, and the gradient of each input: a name, a GradientSlice or None.

    g_output: the gradient of each output, likewise. Raises NoGradient naming the operator where nothing gives one.
    """
    try:
        verify(op)
        made, g_input = gradient_ops(op, [_plain(g) for g in g_output])
        return made, [GradientSlice(*g) if isinstance(g, tuple) else g for g in g_input]
    except EnforceNotMet as error:
        rule = RULES.get(op.type)
        if rule is None:
            why = "it does not fit its schema: " if isinstance(error, SchemaError) else ""
            raise NoGradient(f"no gradient for [{op.type}]: {why}{error}\nOp:\n{op}") from error
    made, g_input = rule(op, g_output)
    if made is None:
        return [], list(g_input)
    return (made if isinstance(made, list) else [made]), list(g_input)


def _plain(gradient: Any) -> str | tuple[str, str] | None:
    """A gradient as plain strings; a pair is a sparse one. A dense one is a string, of whatever length."""
    if gradient is None:
        return None
    return tuple(map(str, gradient)) if isinstance(gradient, tuple) else str(gradient)
