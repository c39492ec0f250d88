"""Operator definitions as the C extension of the original shows them."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import NamedTuple

import torch

from caffe2.opdef import OpDef, element_type, infer, registry
from caffe2.opdef.arguments import REQUIRED
from caffe2.opdef.dtypes import BY_TORCH
from caffe2.opdef.header import Side
from caffe2.proto import caffe2_pb2

ANY_NUMBER = 2**31 - 1
"""How the original says that there is no limit."""


class Argument(NamedTuple):
    """An argument that an operator takes."""

    name: str
    description: str
    required: bool


class OpSchema:
    """What can be asked of an operator's definition."""

    Argument = Argument
    inf = ANY_NUMBER

    def __init__(self, definition: OpDef) -> None:
        self._definition = definition
        inputs, outputs = definition.header.inputs, definition.header.outputs
        self.min_input, self.max_input = _limits(inputs)
        self.min_output, self.max_output = _limits(outputs)
        self.input_desc = [(slot.name, str(slot)) for slot in inputs]
        self.output_desc = [(slot.name, str(slot)) for slot in outputs]
        self.args = [
            Argument(a.name, str(a), a.default is REQUIRED) for a in definition.args.values() if not a.injected
        ]
        self.doc, self.private = definition.doc, False

    @staticmethod
    def get(name: str) -> OpSchema | None:
        """The schema of an operator; None where there is no such operator."""
        definition = registry.get(name)
        return None if definition is None else OpSchema(definition)

    @staticmethod
    def get_cpu_impl(name: str) -> str:
        """The full name of the Python function or class that serves an operator."""
        body = registry[name].body
        return f"{body.__module__}.{body.__qualname__}"

    @staticmethod
    def get_gradient_impl(name: str) -> str:
        """The gradient of an operator: its arrows, or the full name of the function; empty where there is none."""
        rule = registry[name].gradient
        if callable(rule):
            return f"{rule.__module__}.{rule.__qualname__}"
        return "" if rule is None else str(rule)

    @property
    def file(self) -> str:
        """Where the operator is defined."""
        return inspect.getsourcefile(self._definition.body) or ""

    @property
    def line(self) -> int:
        """The line of its definition."""
        return inspect.getsourcelines(self._definition.body)[1]

    def num_inputs_allowed(self, count: int) -> bool:
        """Whether the operator takes so many inputs."""
        return self._definition.header.inputs.accepts(count)

    def num_outputs_allowed(self, count: int) -> bool:
        """Whether the operator takes so many outputs."""
        return self._definition.header.outputs.accepts(count)

    def num_inputs_outputs_allowed(self, inputs: int, outputs: int) -> bool:
        """Whether the operator takes so many inputs with so many outputs."""
        arity = self._definition.arity
        both = self.num_inputs_allowed(inputs) and self.num_outputs_allowed(outputs)
        return both and (arity is None or arity(inputs, outputs))

    def CalculateOutput(self, inputs: int) -> int:
        """The number of outputs that goes with a number of inputs; -1 where there is no one such number."""
        if self.min_output == self.max_output:
            return self.min_output
        run = self._definition.header.outputs.run
        return inputs if run is not None and run.name in self._definition.header.inputs.names else -1

    def inplace_enforced(self, input_index: int, output_index: int) -> bool:
        """Whether the output must overwrite the input."""
        names = self._definition.header.inputs.names, self._definition.header.outputs.names
        return any(
            rule.forced and names[0].index(rule.input) == input_index and names[1].index(rule.output) == output_index
            for rule in self._definition.inplace or ()
        )

    def infer_tensor(
        self, op: caffe2_pb2.OperatorDef, shapes: Sequence[caffe2_pb2.TensorShape]
    ) -> list[caffe2_pb2.TensorShape]:
        """The shapes and types of the outputs of `op`, from those of its inputs."""
        metas = [None if s.unknown_shape or s.data_type == caffe2_pb2.TensorProto.STRING else _meta(s) for s in shapes]
        return [_described(meta) for meta in infer(op, metas)]


def _limits(side: Side) -> tuple[int, int]:
    return side.least, ANY_NUMBER if side.most == float("inf") else int(side.most)


def _meta(shape: caffe2_pb2.TensorShape) -> torch.Tensor:
    return torch.empty(tuple(shape.dims), dtype=element_type(shape.data_type).torch, device="meta")


def _described(meta: torch.Tensor | None) -> caffe2_pb2.TensorShape:
    if meta is None:
        return caffe2_pb2.TensorShape(unknown_shape=True)
    return caffe2_pb2.TensorShape(dims=meta.shape, data_type=BY_TORCH[meta.dtype].number)
