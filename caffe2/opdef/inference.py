"""Shapes and types of an operator's outputs, from meta tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from caffe2.opdef.arguments import INJECTED
from caffe2.opdef.definition import UNKNOWN, verify
from caffe2.opdef.errors import EnforceNotMet
from caffe2.proto import caffe2_pb2

META = torch.device("meta")
DATA_DEPENDENT = ("meta tensors", "meta tensor", "Meta", "data-dependent")


class MetaSite:
    """Stands in for the place where an operator is bound: no workspace, no random numbers, no storage."""

    device = META
    generator = None
    workspace = None

    def __init__(self, op: caffe2_pb2.OperatorDef) -> None:
        self.op, self.inputs, self.outputs = op, list(op.input), list(op.output)


def infer(op: caffe2_pb2.OperatorDef, metas: Sequence[torch.Tensor | None]) -> list[torch.Tensor | None]:
    """The outputs of `op` as meta tensors; None where only the data can tell or an input is not known.

    metas: the inputs as tensors on the meta device, None for an unknown one or one that is no tensor.
    Raises EnforceNotMet where the shapes contradict the operator.
    """
    d = verify(op)
    count = len(op.output)
    given = d.arguments(op)
    inputs = parameters(d.header.inputs, list(metas))
    if d.shape is UNKNOWN or not (d.stores or callable(d.shape) or d.like):
        return [None] * count
    if d.like:
        by_name = d.header.inputs.assign(list(metas))
        like = d.like * count if len(d.like) == 1 else d.like
        found = [m for n in like for m in (by_name[n] if isinstance(by_name[n], list) else [by_name[n]])]
        return found[:count] + [None] * (count - len(found))
    injected = {a.name: INJECTED[a.type](MetaSite(op)) for a in d.args.values() if a.injected}
    if callable(d.shape):
        wanted = _accepted(d.shape, given | injected)
        try:
            return _padded(d.shape(*inputs, **wanted), count)
        except (AttributeError, TypeError):  # it needs an input that is not known
            if all(m is not None for m in metas):
                raise
            return [None] * count
    if any(m is None for m in metas):
        return [None] * count
    return _padded(_on_meta(d.body, given | injected, inputs, MetaSite(op)), count)


def parameters(side: Any, values: list) -> list:
    """The values of a side's blobs as the positional parameters of a body: a run in the middle is a tuple."""
    run = side.run
    if run is None or side.slots[-1] is run:
        absent = len(side.slots) - len(values)
        if not absent or run is not None and all(s.run or s.kind == "" for s in side.slots):
            return values
    flat: list = []
    for slot in side.slots:
        bound = side.assign(values)[slot.name]
        if slot.run and slot is side.slots[-1]:
            flat += bound
        else:
            flat.append(tuple(bound) if slot.run else bound)
    while len(flat) > len(values) and flat[-1] is None:
        flat.pop()
    return flat


def _on_meta(body: Callable, keywords: dict[str, Any], inputs: list, site: MetaSite) -> Any:
    try:
        if isinstance(body, type):
            one = body(**keywords)
            one.bind(site)
            return one(*inputs)
        return body(*inputs, **keywords)
    except (NotImplementedError, RuntimeError) as error:
        if isinstance(error, NotImplementedError) or any(word in str(error) for word in DATA_DEPENDENT):
            return ()
        raise EnforceNotMet(str(error)) from error


def _accepted(function: Callable, keywords: dict[str, Any]) -> dict[str, Any]:
    code = function.__code__
    if code.co_flags & 0x08:  # **keywords
        return keywords
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return {k: v for k, v in keywords.items() if k in names}


def _padded(outputs: Any, count: int) -> list[torch.Tensor | None]:
    found = list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]
    found = [f if isinstance(f, torch.Tensor) else None for f in found[:count]]
    return found + [None] * (count - len(found))
