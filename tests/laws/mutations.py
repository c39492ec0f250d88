"""Samples spoiled one thing at a time: their blobs, their counts of blobs, their arguments."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from caffe2.opdef import lookup, make_argument
from caffe2.proto import caffe2_pb2
from tests.sample import Sample

EMPTY = object()
"""Stands for a blob that is there and holds nothing."""
ABSENT = object()
"""Stands for a blob that is not there."""

Case = tuple[str, caffe2_pb2.OperatorDef, list[Any]]
"""What was spoiled, the operator, and a value for each of its inputs."""


def mutations(sample: Sample, op: caffe2_pb2.OperatorDef) -> Iterator[Case]:
    """Every way in which the law spoils a sample and its operator."""
    values = [v() if callable(v) else v for v in sample.inputs]
    for k, value in enumerate(values):
        for what, other in _blobs(value):
            yield f"i{k} {what}", op, [*values[:k], other, *values[k + 1 :]]
    for what, other in _counts(op):
        yield what, other, values
    for what, other in _arguments(op):
        yield what, other, values


def in_place(op: caffe2_pb2.OperatorDef) -> caffe2_pb2.OperatorDef:
    """The operator with every output in place of the input that it may overwrite."""
    made, d = copy.deepcopy(op), lookup(op.type)
    ins, outs = d.header.inputs.assign(op.input), d.header.outputs.assign(range(len(op.output)))
    for rule in d.inplace or ():
        source, place = ins.get(rule.input), outs.get(rule.output)
        if isinstance(source, str) and isinstance(place, int):
            made.output[place] = source
    return made


def _blobs(value: Any) -> Iterator[tuple[str, Any]]:
    yield "is absent", ABSENT
    yield "holds nothing", EMPTY
    yield "is no tensor", b"no tensor"
    if not isinstance(value, np.ndarray):
        return
    yield "has a dimension more", value[None]
    if value.dtype.kind not in "OSU":
        yield "is strings", np.full(value.shape, b"a", dtype=object)
        yield (
            "is float64" if value.dtype != np.float64 else "is int8",
            value.astype(np.float64 if value.dtype != np.float64 else np.int8),
        )
    if value.ndim:
        yield "is a scalar", value.reshape(-1)[:1].reshape(()) if value.size else np.zeros((), value.dtype)
        yield "is flat", value.reshape(-1)
        yield "has no rows", value[:0]
        yield "lacks a row", value[:-1]
        yield "has a row more", np.concatenate([value, value[-1:]])
    if value.size and value.dtype.kind in "iuf":
        yield from _numbers(value)


def _numbers(value: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    wanted = (np.nan, np.inf, -1.0) if value.dtype.kind == "f" else (-1, int(value.max()) + 1000, 2**31 - 1, 2**40)
    for number in wanted:
        if value.dtype.kind == "f" or np.iinfo(value.dtype).min <= number <= np.iinfo(value.dtype).max:
            spoiled = value.copy()
            spoiled.flat[-1] = number
            yield f"ends in {number}", spoiled


def _counts(op: caffe2_pb2.OperatorDef) -> Iterator[tuple[str, caffe2_pb2.OperatorDef]]:
    for side in ("input", "output"):
        if getattr(op, side):
            less = copy.deepcopy(op)
            getattr(less, side).pop()
            yield f"an {side} less", less
        more = copy.deepcopy(op)
        getattr(more, side).append(op.input[0] if side == "input" and op.input else "more")
        yield f"an {side} more", more


def _arguments(op: caffe2_pb2.OperatorDef) -> Iterator[tuple[str, caffe2_pb2.OperatorDef]]:
    for arg in lookup(op.type).declared().values():
        if arg.injected:
            continue
        for value in _absurd(str(arg.type)):
            made = copy.deepcopy(op)
            kept = [a for a in made.arg if a.name != arg.name]
            del made.arg[:]
            made.arg.extend([*kept, make_argument(arg.name, value)])
            yield f"{arg.name} is {value!r}"[:60], made


def _absurd(kind: str) -> tuple[Any, ...]:
    """Values that no argument of a type should have."""
    if "NetDef" in kind:
        return ("no net", caffe2_pb2.NetDef(op=[caffe2_pb2.OperatorDef(type="NoSuchOperator")]))
    if "tuple" in kind or "Reals" in kind:
        return ("word", ["word"] if "str" in kind or "bytes" in kind else [-1, -1, -1])
    if "dtype" in kind:
        return (999, "nosuchtype")
    if "int" in kind or "bool" in kind or "float" in kind:
        return ("word", 0, -1) if "bool" not in kind else ("word",)
    return ("XYZ", 3)
