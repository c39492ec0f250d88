"""Element types: Caffe2's numbers and names, torch's dtypes and NumPy's, one table."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from caffe2.opdef.errors import ArgumentTypeError, did_you_mean
from caffe2.proto import caffe2_pb2

STRING = bytes
"""Stands for the element type of string tensors, which torch does not have."""


class ElementType(NamedTuple):
    number: int  # caffe2.TensorProto.DataType
    name: str
    torch: torch.dtype | type
    numpy: np.dtype


_T = caffe2_pb2.TensorProto
ELEMENT_TYPES = tuple(
    ElementType(_T.DataType.Value(name), name.lower(), kind, np.dtype(array))
    for name, kind, array in (
        ("FLOAT", torch.float32, np.float32),
        ("INT32", torch.int32, np.int32),
        ("BYTE", torch.uint8, np.uint8),
        ("STRING", STRING, np.object_),
        ("BOOL", torch.bool, np.bool_),
        ("UINT8", torch.uint8, np.uint8),
        ("INT8", torch.int8, np.int8),
        ("UINT16", torch.uint16, np.uint16),
        ("INT16", torch.int16, np.int16),
        ("INT64", torch.int64, np.int64),
        ("FLOAT16", torch.float16, np.float16),
        ("DOUBLE", torch.float64, np.float64),
    )
)
BY_NUMBER = {t.number: t for t in ELEMENT_TYPES}
BY_NAME = {t.name: t for t in ELEMENT_TYPES}
BY_TORCH = {t.torch: t for t in ELEMENT_TYPES}

GROUPS: dict[str, frozenset] = {t.name: frozenset([t.torch]) for t in ELEMENT_TYPES} | {
    "floating": frozenset([torch.float16, torch.bfloat16, torch.float32, torch.float64]),
    "index": frozenset([torch.int32, torch.int64]),
    "integer": frozenset([torch.uint8, torch.int8, torch.int16, torch.uint16, torch.int32, torch.int64]),
    "bfloat16": frozenset([torch.bfloat16]),
}
GROUPS["number"] = GROUPS["floating"] | GROUPS["integer"]
GROUPS["fixed"] = GROUPS["number"] | GROUPS["bool"]
"""Names that a `types=` facet may use: element types and families of them."""


def element_type(value: int | str | torch.dtype | type) -> ElementType:
    """The row of the table for a Caffe2 number, a name in any case, or a torch dtype.

    Raises ArgumentTypeError for anything else.
    """
    row = BY_TORCH.get(value) if isinstance(value, (torch.dtype, type)) else None
    if isinstance(value, (bytes, str)):
        word = (value.decode() if isinstance(value, bytes) else value).lower()
        row = BY_NAME.get({"float32": "float", "float64": "double"}.get(word, word))
    elif isinstance(value, int):
        row = BY_NUMBER.get(value)
    if row is None:
        raise ArgumentTypeError(f"{value!r} is no element type{did_you_mean(str(value), BY_NAME)}")
    return row
