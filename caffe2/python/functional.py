"""Operators as functions of arrays: Functional.Relu(X) runs one by itself."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from caffe2.proto import caffe2_pb2
from caffe2.python import workspace
from caffe2.python._core.create import CreateOperator
from caffe2.python._core.devices import DeviceOption
from caffe2.python._core.op_schema import OpSchema
from caffe2.python._core.operators import no_such_method


def namedtupledict(typename: str, field_names: Sequence[str], *args: Any, **kwargs: Any) -> type:
    """A named tuple whose items are found by name too: t["x"]; names that are no identifiers become _0, _1 ..."""
    kwargs.setdefault("rename", True)
    base = namedtuple(typename, field_names, *args, **kwargs)
    positions = {name: position for position, name in enumerate(field_names)}

    class Result(base):
        __slots__ = ()

        def __getitem__(self, key: Any) -> Any:
            return super().__getitem__(positions[key] if isinstance(key, str) else key)

    Result.__name__ = Result.__qualname__ = typename
    return Result


class _Functional:
    """`Functional.Concat(a, b, axis=1)` gives a tuple of arrays, output_0 and so on.

    num_output: how many outputs, where the operator does not settle that. device_option: where it runs.
    Raises ValueError for a number of inputs or outputs that the operator does not take.
    """

    def __getattr__(self, op_type: str) -> Callable[..., Any]:
        if op_type.startswith("_"):
            raise AttributeError(op_type)
        schema = OpSchema.get(op_type)
        if schema is None:
            raise no_such_method(op_type)
        return lambda *inputs, **args: _run(schema, op_type, inputs, args)


def _run(schema: OpSchema, op_type: str, inputs: Sequence[np.ndarray], args: dict[str, Any]) -> Any:
    count = _number_of_outputs(schema, op_type, len(inputs), args.pop("num_output", None))
    names = [f"input_{i}" for i in range(len(inputs))]
    outputs = [f"output_{j}" for j in range(count)]
    for i, name in enumerate(names):
        for j in range(count):
            if schema.inplace_enforced(i, j):
                outputs[j] = name
    device = args.setdefault("device_option", DeviceOption(caffe2_pb2.CPU))
    scratch = workspace.Workspace()
    for name, value in zip(names, inputs):
        scratch.feed_blob(name, value, device)
    scratch.run(CreateOperator(op_type, names, outputs, **args))
    return namedtupledict("output", outputs)(*map(scratch.fetch_blob, outputs))


def _number_of_outputs(schema: OpSchema, op_type: str, inputs: int, wanted: int | None) -> int:
    if not schema.num_inputs_allowed(inputs):
        raise ValueError(f"{op_type} takes {schema.min_input} to {schema.max_input} inputs, not {inputs}")
    if wanted is not None:
        if not schema.num_inputs_outputs_allowed(inputs, wanted):
            limits = f"{schema.min_output} to {schema.max_output}"
            raise ValueError(f"{op_type} takes {limits} outputs, and not {wanted} with {inputs} inputs")
        return wanted
    settled = schema.CalculateOutput(inputs)
    if settled == -1 and schema.max_output == schema.inf:
        raise ValueError(f"{op_type} takes any number of outputs: pass num_output")
    return schema.max_output if settled == -1 else settled


Functional = _Functional()
