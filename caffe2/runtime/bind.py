"""Binding: an operator definition and a workspace become one closure, checked once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from caffe2.opdef import Op, OpDef, verify
from caffe2.opdef.arguments import INJECTED
from caffe2.proto import caffe2_pb2
from caffe2.runtime.blob import Blob
from caffe2.runtime.device import operator_device
from caffe2.runtime.errors import told
from caffe2.runtime.flags import flags, guarded
from caffe2.runtime.look import looking
from caffe2.runtime.rng import generator

if TYPE_CHECKING:
    from caffe2.runtime.workspace import Workspace

ABSENT = Blob("")
"""Read for an optional input that is not given."""


@dataclass(slots=True, eq=False)
class Step:
    """One operator of a net, ready to run."""

    run: Callable[[], None]
    checked: Callable[[], None]  # the same, after a look at every input
    op: caffe2_pb2.OperatorDef
    definition: OpDef
    inputs: list[Blob]
    outputs: list[Blob]
    kernel: Callable  # a function of tensors
    call: Callable  # what runs: the kernel, or its form that writes over an input
    parameters: list[Blob | tuple[Blob, ...]]  # the positional parameters of both
    device: torch.device

    def close(self) -> None:
        """Have the operator let go of what it holds."""
        body = getattr(self.kernel, "__self__", None)
        if isinstance(body, Op):
            body.close()


class Place:
    """Where an operator is bound: what its body may ask of the runtime (the contract's `Site`)."""

    def __init__(self, op: caffe2_pb2.OperatorDef, workspace: Workspace, device: torch.device) -> None:
        self.op, self.workspace, self.device = op, workspace, device
        self.inputs, self.outputs = list(op.input), list(op.output)

    @property
    def generator(self) -> torch.Generator | None:
        return generator(self.op, self.device)

    def bind_net(self, net: caffe2_pb2.NetDef, workspace: Workspace | None = None) -> Callable[[], None]:
        """A net within this operator, as something to call; on this workspace unless another is given."""
        return (workspace or self.workspace).bind_net(net).run


def bind(op: caffe2_pb2.OperatorDef, workspace: Workspace, device: caffe2_pb2.DeviceOption | None = None) -> Step:
    """Check `op` against its definition, look its blobs up, and settle everything that data cannot change.

    device: the net's option, for an operator without one of its own.
    Raises an EnforceNotMet: unknown operator, wrong arity, argument or in-place use, an input that no one made.
    """
    d = verify(op)
    inputs = [workspace.require(name, d.header) for name in op.input]
    try:
        place = Place(op, workspace, operator_device(op, device))
        body = instantiate(d, place)
    except Exception as error:
        raise (failed := told(error, op, d, inputs, "the operator cannot be made")) from failed.__cause__
    outputs = [workspace.cell(name) for name in op.output]
    kernel = _private(d, op, body)
    if flags.throw_if_fp_exceptions and d.stores:
        kernel = guarded(kernel, op.type)
    parameters = _arranged(d, inputs)
    engine = flags.engine(op, d, place.device.type)
    plain = d.kernel(place.device.type, engine) is d.body and not flags.throw_if_fp_exceptions
    call = partial(d.over, **d.arguments(op)) if d.over and plain and _overwrites(d, op) else kernel
    run = _closure(d, call, parameters, outputs)
    checked = looking(d, inputs, run, d.kernel(place.device.type, engine), typed=not engine)
    return Step(run, checked, op, d, inputs, outputs, kernel, call, parameters, place.device)


def _overwrites(d: OpDef, op: caffe2_pb2.OperatorDef) -> bool:
    """Whether the output is the blob that the first rule lets it overwrite, and no other input is."""
    (target,) = op.output
    return list(op.input).count(target) == 1 and d.header.inputs.assign(op.input)[d.inplace[0].input] == target


def instantiate(d: OpDef, place: Any) -> Callable:
    """The body of an operator with its arguments frozen and its set-up done."""
    body = d.kernel(place.device.type, flags.engine(place.op, d, place.device.type))
    given = d.arguments(place.op, body)
    given |= {a.name: INJECTED[a.type](place) for a in d.declared(body).values() if a.injected}
    if not isinstance(body, type):
        return partial(body, **given) if given else body
    one = body(**given)
    if isinstance(one, Op):
        one.bind(place)
    return one.__call__


def _private(d: OpDef, op: caffe2_pb2.OperatorDef, body: Callable) -> Callable:
    """The body kept from handing out or overwriting storage that is not its own to give."""
    if d.mutates and d.inplace:
        kept = _kept(d, op)
        if kept:
            return lambda *xs: body(*[x.clone() if i in kept and x is not None else x for i, x in enumerate(xs)])
    if d.view:
        if len(op.output) == 1 and op.output[0] in op.input:
            return body
        if len(d.header.outputs) == 1 and not d.header.outputs.run:
            return lambda *xs: _own(body(*xs), xs)
        given = _arranged(d, list(op.input))
        over = [given.index(name) if name in given else None for name in op.output]
        return lambda *xs: tuple(
            y if k is not None and _within(y, xs[k]) else _own(y, xs) for y, k in zip(body(*xs), over)
        )
    return body


def _within(y: Any, x: Any) -> bool:
    """Whether y is x or a view of it."""
    if not isinstance(y, torch.Tensor) or not isinstance(x, torch.Tensor):
        return y is x
    return y is x or (y._is_view() and y._base is (x._base if x._is_view() else x))


def _kept(d: OpDef, op: caffe2_pb2.OperatorDef) -> set[int]:
    """Positions of inputs that the body overwrites though the operator writes elsewhere."""
    ins, outs = d.header.inputs.assign(op.input), d.header.outputs.assign(op.output)
    where, at = {}, 0
    for slot, bound in ins.items():
        where[slot] = at
        at += len(bound) if isinstance(bound, list) else 1
    names = {rule.input for rule in d.inplace}
    kept = set()
    for name in names:
        bound = ins.get(name)
        targets = [outs.get(rule.output) for rule in d.inplace if rule.input == name]
        written = {t for target in targets for t in (target if isinstance(target, list) else [target])}
        for k, blob in enumerate(bound if isinstance(bound, list) else [bound]):
            if blob is not None and blob not in written:
                kept.add(where[name] + k)
    return kept


def _own(y: Any, inputs: Sequence[Any]) -> Any:
    if isinstance(y, torch.Tensor) and (y._is_view() or any(y is x for x in inputs)):
        return y.clone(memory_format=torch.contiguous_format)
    return y.copy() if isinstance(y, np.ndarray) and (y.base is not None or any(y is x for x in inputs)) else y


def _arranged(d: OpDef, cells: list[Blob]) -> list[Blob | tuple[Blob, ...]]:
    """The input cells as the body's positional parameters: ABSENT for a gap, a tuple for a run in the middle."""
    flat: list[Blob | tuple[Blob, ...]] = []
    bound = d.header.inputs.assign(cells)
    for slot in d.header.inputs:
        got = bound[slot.name]
        if not slot.run:
            flat.append(ABSENT if got is None else got)
        elif slot is d.header.inputs.slots[-1]:
            flat += got
        else:
            flat.append(tuple(got))
    while flat and flat[-1] is ABSENT:
        flat.pop()
    return flat


def _closure(d: OpDef, k: Callable, i: list, o: list[Blob]) -> Callable[[], None]:
    if not d.stores or not o:
        return _many(k, i, None)
    if len(d.header.outputs) > 1 or d.header.outputs.run:
        return _many(k, i, o)
    (z,) = o
    read = _many_read(i)

    def run() -> None:
        z.value = k(*read())

    return run


def _many_read(i: list) -> Callable[[], list]:
    if any(isinstance(b, tuple) for b in i):
        return lambda: [tuple(c.value for c in b) if isinstance(b, tuple) else b.value for b in i]
    return lambda: [b.value for b in i]


def _many(k: Callable, i: list, o: list[Blob] | None) -> Callable[[], None]:
    read = _many_read(i)
    if o is None:

        def run() -> None:
            k(*read())
    else:

        def run() -> None:
            for cell, value in zip(o, k(*read())):
                cell.value = value

    return run
