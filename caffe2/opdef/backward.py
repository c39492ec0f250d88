"""Gradients as operators: what a gradient arrow means, and the operators that differentiate one operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf.message import Message

from caffe2.opdef.definition import NONE, REFUSED, OpDef, lookup
from caffe2.opdef.errors import NoGradient
from caffe2.opdef.header import Slot, parse
from caffe2.proto import caffe2_pb2

Grad = "str | tuple[str, str] | None"
"""The gradient of a blob by name: dense, sparse as (indices, values), or none."""


class Gradient:
    """What a gradient function sees of one operator: names, never tensors.

    `op` appends a gradient operator written as arrows; `add` appends one with explicit blobs, after which
    `set` says which blob holds the gradient of which input.
    """

    def __init__(self, definition: OpDef, op: caffe2_pb2.OperatorDef, g_output: Sequence[Any]) -> None:
        self.definition, self.forward, self.g_output = definition, op, list(g_output)
        self.inputs = definition.header.inputs.assign(op.input)
        self.outputs = definition.header.outputs.assign(op.output)
        self._of_output = definition.header.outputs.assign(self.g_output)
        self.g_input: list[Any] = [None] * len(op.input)
        self.ops: list[caffe2_pb2.OperatorDef] = []
        self.args = {a.name: a for a in op.arg}

    def has(self, slot: str) -> bool:
        """Whether the forward operator has a blob at this input or output slot."""
        return bool(self.inputs.get(slot) or self.outputs.get(slot))

    def arg(self, name: str, default: Any = None) -> Any:
        """The value of a declared argument of the forward operator, or `default`."""
        return self.definition.arguments(self.forward).get(name, default)

    def blob(self, token: str) -> Any:
        """The name, or names, that a token of an arrow stands for: X, Y or dY."""
        if token in self.inputs or token in self.outputs:
            return self.inputs.get(token) or self.outputs.get(token)
        if token.startswith("d") and token[1:] in self._of_output:
            return self._of_output[token[1:]]
        raise NoGradient(f"{self.definition.header}: a gradient arrow names {token}, which is no blob of it")

    def grad_name(self, slot: str) -> str:
        """The name that the gradient of a single input is given: X_grad."""
        return f"{self.inputs[slot]}_grad"

    def op(self, arrows: str, *, copy: bool = True, **extra: Any) -> Gradient:
        """Append `Type: inputs -> outputs`; dX is X's gradient, dX[I] a sparse one, absent blobs are left out.

        copy: whether the forward operator's arguments go along; `extra` are added to them.
        """
        head = parse(arrows)
        inputs: list[str] = []
        for slot in head.inputs:
            names = [self.blob(m) for m in slot.members] if slot.members else [self.blob(slot.name)]
            flat = [n for name in names for n in (name if isinstance(name, list) else [name])]
            if None in flat and slot.kind != "?":
                self._demand(slot)
            inputs += [n for n in flat if n is not None]
        outputs: list[str] = []
        for slot in head.outputs:
            outputs += self._claim(slot)
        return self.add(head.name, inputs, outputs, copy=copy, **extra)

    def add(
        self, type_: str, inputs: Sequence[str], outputs: Sequence[str], *, copy: bool = True, **extra: Any
    ) -> Gradient:
        """Append a gradient operator with explicit blobs."""
        made = caffe2_pb2.OperatorDef(type=type_, input=map(self._dense, inputs), output=outputs, name="")
        made.arg.extend(make_argument(name, value) for name, value in extra.items())
        if copy:
            made.arg.extend(a for a in self.forward.arg if a.name not in extra)
        self.ops.append(made)
        return self

    def set(self, slot: str, grad: Any) -> Gradient:
        """Say which blob, or (indices, values), is the gradient of the input at a slot; a list for a run."""
        bound = self.inputs[slot]
        if bound is not None:
            at = self._position(slot)
            for k, one in enumerate(grad if isinstance(bound, list) else [grad]):
                self.g_input[at + k] = tuple(map(self._dense, one)) if isinstance(one, tuple) else one
        return self

    def _position(self, slot: str) -> int:
        at = 0
        for name, bound in self.inputs.items():
            if name == slot:
                return at
            at += len(bound) if isinstance(bound, list) else bound is not None
        raise NoGradient(f"{self.definition.header}: it has no input {slot}")

    def _demand(self, slot: Slot) -> None:
        if slot.name in self.inputs or slot.name in self.outputs:
            return
        raise NoGradient(f"{self.definition.header}\n  its gradient needs that of {slot.name[1:]}, which nothing gives")

    def _dense(self, name: Any) -> str:
        if isinstance(name, tuple):
            raise NoGradient(f"{self.definition.header}\n  its gradient takes dense ones; one is sparse: {name}")
        return name

    def _claim(self, slot: Slot) -> list[str]:
        """The output blobs of a gradient operator at a slot, noted as the gradients they are."""
        target = slot.name[1:] if slot.name[:1] == "d" and slot.name[1:] in self.inputs else None
        if target is None:
            return [f"{self.forward.output[0]}_{slot.name}"]
        bound = self.inputs[target]
        if bound is None:
            return []
        names = [f"{b}_grad{'_values' if slot.index else ''}" for b in (bound if isinstance(bound, list) else [bound])]
        index = self.inputs[slot.index] if slot.index else None
        grads = [(index, n) if index else n for n in names]
        self.set(target, grads if isinstance(bound, list) else grads[0])
        return names


def make_argument(name: str, value: Any) -> caffe2_pb2.Argument:
    """An Argument message for a Python number, string, net, Argument or a sequence of these."""
    made = caffe2_pb2.Argument(name=name)
    if isinstance(value, caffe2_pb2.Argument):
        made.CopyFrom(value)
        made.name = name
    elif isinstance(value, (bool, int)):
        made.i = int(value)
    elif isinstance(value, float):
        made.f = value
    elif isinstance(value, (str, bytes)):
        made.s = value.encode() if isinstance(value, str) else value
    elif isinstance(value, Message):
        made.n.CopyFrom(value)
    elif value and isinstance(value[0], float):
        made.floats.extend(value)
    elif value and isinstance(value[0], (str, bytes)):
        made.strings.extend(v.encode() if isinstance(v, str) else v for v in value)
    else:
        made.ints.extend(value)
    return made


def gradient_ops(op: caffe2_pb2.OperatorDef, g_output: Sequence[Any]) -> tuple[list[caffe2_pb2.OperatorDef], list[Any]]:
    """The operators that compute the gradient of `op`, and the gradient of each of its inputs, by name.

    g_output: for every output its gradient: a blob, a pair (indices, values) or None.
    Raises NoGradient where the operator has none.
    """
    d = lookup(op.type)
    if d.gradient is NONE:
        return [], [None] * len(op.input)
    if d.gradient is None or d.gradient is REFUSED:
        why = "there is no gradient through it" if d.gradient is REFUSED else "no gradient is defined for it"
        raise NoGradient(f"{d.header}\n  {why}: a loss depends on {' '.join(op.output) or 'it'}")
    g = Gradient(d, op, g_output)
    if callable(d.gradient):
        d.gradient(g)
    else:
        g.op(d.gradient)
    for made in g.ops:
        _inherit(made, op)
    return g.ops, g.g_input


def _inherit(made: caffe2_pb2.OperatorDef, op: caffe2_pb2.OperatorDef) -> None:
    """A gradient operator runs where its forward operator runs, and says what it is."""
    if op.HasField("device_option") and not made.HasField("device_option"):
        made.device_option.CopyFrom(op.device_option)
    if op.HasField("engine") and not made.HasField("engine"):
        made.engine = op.engine
    made.is_gradient_op = True
