"""Arguments of operators from Python values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from google.protobuf.message import Message

from caffe2.proto import caffe2_pb2

SEVERAL = {"i": "ints", "f": "floats", "s": "strings", "n": "nets"}
"""The fields of an Argument for one value, and for several."""


def MakeArgument(key: str, value: Any) -> caffe2_pb2.Argument:
    """An Argument that holds a number, a string, a net, another message (serialized), or several of one such kind.

    NumPy scalars and arrays count as what they hold, an array flattened. Raises ValueError for anything else, a mix of
    kinds included.
    """
    argument = caffe2_pb2.Argument(name=key)
    if isinstance(value, np.ndarray):
        _fill_several(argument, value.ravel().tolist())
    elif isinstance(value, Iterable) and not isinstance(value, (str, bytes, Message, np.generic)):
        _fill_several(argument, [v.item() if isinstance(v, np.generic) else v for v in value])
    else:
        _fill_one(argument, value.item() if isinstance(value, np.generic) else value)
    return argument


def _fill_one(argument: caffe2_pb2.Argument, value: Any) -> None:
    field = _field(value)
    if field is None:
        raise ValueError(f"argument {argument.name}: no argument can hold a {type(value).__name__}: {value!r}")
    if field == "n":
        argument.n.CopyFrom(value)
    else:
        setattr(argument, field, _held(value))


def _fill_several(argument: caffe2_pb2.Argument, values: list[Any]) -> None:
    fields = {_field(v) for v in values}
    if len(fields) > 1 or None in fields:
        types = " and ".join(sorted({type(v).__name__ for v in values}))
        raise ValueError(f"argument {argument.name}: no argument can hold a list of {types}: {values!r}")
    for field in fields:
        getattr(argument, SEVERAL[field]).extend(map(_held, values))


def _field(value: Any) -> str | None:
    """The field of Argument for one value like this."""
    if isinstance(value, int):
        return "i"
    if isinstance(value, float):
        return "f"
    if isinstance(value, caffe2_pb2.NetDef):
        return "n"
    return "s" if isinstance(value, (str, bytes, Message)) else None


def _held(value: Any) -> Any:
    """What the field holds for a value."""
    if isinstance(value, bool):
        return int(value)  # which protobuf from 7 on does not do by itself
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, Message) and not isinstance(value, caffe2_pb2.NetDef):
        return value.SerializeToString()
    return value
