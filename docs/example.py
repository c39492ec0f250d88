"""An operator on the sample that shows most of it, run just now: what goes in, the call, and what comes out."""

from __future__ import annotations

import itertools
import re
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from caffe2.opdef import EnforceNotMet, OpDef
from caffe2.proto import caffe2_pb2
from caffe2.runtime.blob import Int8Tensor, describe
from tests.sample import Sample, samples_of

LARGEST = 36
"""Elements of a blob whose values are shown; of a larger one the element type and the shape are."""
LONGEST = 80
"""Characters of an argument that are shown."""


def example(d: OpDef) -> Iterator[str]:
    """The lines of one example."""
    found = ((*_ran(d, sample), k) for k, sample in enumerate(samples_of(d.name)))
    yield from min(found, default=(0, []), key=lambda each: (each[0], each[2]))[1]


def _ran(d: OpDef, sample: Sample) -> tuple[tuple[bool, bool, int, int], list[str]]:
    """What a sample shows, after whether it fails, how much it hides and how long it is."""
    torch.manual_seed(0)
    workspace, op = sample.workspace(), sample.definition()
    values = [workspace.fetch(name) for name in op.input]
    before = [_told(name, value) for name, value in zip(_names(d.header.inputs, len(op.input)), values)]
    given = ", ".join(f"{key}={_argument(value)}" for key, value in sample.args.items())
    lines = [*before, f"{d.name}({given})"]
    empty = any(_count(value) == 0 for value in values)
    try:
        workspace.run_operator_once(op)
    except EnforceNotMet as error:
        return (True, empty, 0, 0), [*lines, f"raises {type(error).__name__}: {_reason(error)}"]
    results = [workspace.require(blob).value for blob in op.output]
    told = [_kind if d.random or "wire" in sample.except_ else _told for _ in results]
    after = [tell(name, value) for tell, name, value in zip(told, _names(d.header.outputs, len(op.output)), results)]
    lines += after
    hidden = sum(_hidden(value) for value in [*values, *results])
    order = (False, empty, hidden, sum(map(len, lines)))
    return order, [line for text in lines for line in text.splitlines()]


def _reason(error: Exception) -> str:
    """What an error says besides the operator and its blobs."""
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line for line in lines[1:] if line), lines[0])


def _names(side: Any, count: int) -> list[str]:
    """The names of the blobs on one side of an operator, those of a run with a number behind them."""
    names: list[str] = []
    bound = side.assign(range(count))
    for slot in side:
        held = bound[slot.name]
        if not slot.run:
            names += [slot.name] * (held is not None)
        else:
            members = itertools.cycle(slot.members or (slot.name,))
            names += [f"{name}[{k // slot.width}]" for k, name in zip(range(len(held)), members)]
    return names


def _told(name: str, value: Any) -> str:
    """A blob by its values, where these are few."""
    if isinstance(value, Int8Tensor) and not _hidden(value):
        return f"{_told(name, value.data)}, scale {value.scale:.4g}, zero point {value.zero_point}"
    if _hidden(value):
        return _kind(name, value)
    array, head = np.asarray(value), f"{name} = "
    shown = np.array2string(array, precision=3, suppress_small=True, separator=", ", max_line_width=100, prefix=head)
    return f"{head}{shown}  {array.dtype}{list(array.shape)}"


def _kind(name: str, value: Any) -> str:
    """A blob by its element type and shape, or by its class."""
    if isinstance(value, np.ndarray) and value.dtype != object:
        value = torch.as_tensor(value)
    return f"{name}: {describe(value).replace(',', ', ')}"


def _count(value: Any) -> int | None:
    held = value.data if isinstance(value, Int8Tensor) else value
    return int(np.prod(held.shape)) if isinstance(held, (torch.Tensor, np.ndarray)) else None


def _hidden(value: Any) -> bool:
    count = _count(value)
    return count is None or count > LARGEST


def _argument(value: Any) -> str:
    if isinstance(value, caffe2_pb2.NetDef):
        return f"<net of {' '.join(op.type for op in value.op)}>"
    shown = re.sub(rf"{re.escape(tempfile.gettempdir())}/[^/'\"]+", "folder", repr(value))
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}..."
