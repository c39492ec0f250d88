"""Looking at what the inputs of an operator hold before it runs: presence, kind, element type, agreement."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Sequence
from functools import cache
from types import NoneType
from typing import Any

import numpy as np
import torch

from caffe2.opdef import STRING, EnforceNotMet, OpDef
from caffe2.runtime.blob import Blob, Int8Tensor, describe
from caffe2.runtime.errors import MissingBlob

KINDS = {torch.Tensor: "a tensor", np.ndarray: "a tensor of strings", Int8Tensor: "a quantized tensor"}


def looking(
    d: OpDef, inputs: list[Blob], run: Callable[[], None], body: Callable, *, typed: bool
) -> Callable[[], None]:
    """The closure behind a look at what its inputs hold: presence, and the kinds and element types the operator takes.

    body: what runs; the annotations of its parameters say which kinds of values it takes.
    typed: whether the types, and which inputs agree, are looked at; an engine's twin does so by itself.
    """
    bound = d.header.inputs.assign(inputs)
    kinds = [(slot, cell, taken) for slot, taken in _taken(d, body).items() for cell in _cells(bound[slot])]
    slots = [(slot, cell, types) for slot, types in d.types.items() for cell in _cells(bound[slot])] if typed else []
    agreeing = [
        ([cell for slot in group for cell in _cells(bound[slot])], shaped)
        for groups, shaped in ((d.paired, False), (d.same, True))
        for group in groups
        if typed
    ]

    def checked() -> None:
        if not d.empty:
            for cell in inputs:
                if cell.value is None:
                    raise MissingBlob(f"{d.header}\n  the blob {cell.name!r} holds nothing yet")
        for slot, cell, taken in kinds:
            if not isinstance(cell.value, taken):
                known = " or ".join(KINDS.get(kind, f"a {kind.__name__}") for kind in taken if kind is not NoneType)
                raise EnforceNotMet(f"{d.header}\n  {slot} takes {known} but {cell.name} is {describe(cell.value)}")
        for slot, cell, types in slots:
            held = element(cell.value)
            if held not in types:
                known = " ".join(sorted("string" if t is STRING else str(t)[6:] for t in types))
                raise EnforceNotMet(f"{d.header}\n  {slot} takes {known} but {cell.name} is {describe(cell.value)}")
        for cells, shaped in agreeing:
            _demand_agreement(d, cells, shaped)
        run()

    return checked


def _taken(d: OpDef, body: Callable) -> dict[str, tuple[type, ...]]:
    """The classes that each input slot takes, where the body says."""
    annotated, slots = _annotated(body), d.header.inputs.names
    if len(annotated) == 1 and annotated[0][0]:
        return {slot: annotated[0][1] for slot in slots if annotated[0][1]}
    return {slot: classes for slot, (_, classes) in zip(slots, annotated) if classes}


@cache
def _annotated(body: Callable) -> list[tuple[bool, tuple[type, ...]]]:
    """Each blob parameter of a body: whether it takes a run of blobs, and the classes of its annotation."""
    call = body.__call__ if inspect.isclass(body) else body
    hints = typing.get_type_hints(call)
    parameters = list(inspect.signature(call).parameters.values())[inspect.isclass(body) :]
    return [
        (p.kind is p.VAR_POSITIONAL, _classes(hints.get(p.name, Any)))
        for p in parameters
        if p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD)
    ]


def _classes(annotation: Any) -> tuple[type, ...]:
    """The classes of a union or of a tuple's elements; none where anything goes.

    Who takes quantized tensors is also handed others: with some engines they quantize these by themselves.
    """
    found = tuple(part for part in typing.get_args(annotation) or (annotation,) if part is not ...)
    found += (torch.Tensor,) if found[:1] == (Int8Tensor,) else ()
    return found if all(inspect.isclass(part) for part in found) and Any not in found else ()


def _cells(bound: Blob | list[Blob] | None) -> list[Blob]:
    """The cells bound to a slot, as a list."""
    return bound if isinstance(bound, list) else [] if bound is None else [bound]


def _demand_agreement(d: OpDef, cells: list[Blob], shaped: bool) -> None:
    """Raises EnforceNotMet unless the cells agree in element type and, where `shaped`, in shape, leading ones apart."""
    tensors = [c.value for c in cells if isinstance(c.value, (torch.Tensor, np.ndarray))]
    if len({(element(t), _trimmed(t.shape) if shaped else ()) for t in tensors}) > 1:
        held = ", ".join(f"{c.name} {describe(c.value)}" for c in cells)
        raise EnforceNotMet(f"{d.header}\n  one {'shape and ' if shaped else ''}element type is needed of {held}")


def _trimmed(shape: Sequence[int]) -> tuple[int, ...]:
    sizes = tuple(shape)
    while sizes and sizes[0] == 1:
        sizes = sizes[1:]
    return sizes


def element(value: Any) -> Any:
    """The element type of a value; its class where it is no tensor."""
    if isinstance(value, torch.Tensor):
        return value.dtype
    if isinstance(value, np.ndarray):
        return STRING
    return value.data.dtype if isinstance(value, Int8Tensor) else type(value)
