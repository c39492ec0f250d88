"""Schemas made from shorter descriptions: NumPy types, lists of columns, plain Python values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe2.python._misuse import demand
from caffe2.python._schema.containers import List, ListWithEvicted, Struct, _normalize_field
from caffe2.python._schema.field import FIELD_SEPARATOR, Field
from caffe2.python._schema.scalar import Scalar


def Map(keys: Any, values: Any, keys_name: str = "keys", values_name: str = "values", lengths_blob: Any = None) -> List:
    """A List of Structs of a key and a value."""
    return List(Struct((keys_name, keys), (values_name, values)), lengths_blob=lengths_blob)


def MapWithEvicted(
    keys: Any,
    values: Any,
    keys_name: str = "keys",
    values_name: str = "values",
    lengths_blob: Any = None,
    evicted_values: Any = None,
) -> ListWithEvicted:
    """A ListWithEvicted of Structs of a key and a value."""
    return ListWithEvicted(
        Struct((keys_name, keys), (values_name, values)), lengths_blob=lengths_blob, evicted_values=evicted_values
    )


def NamedTuple(name_prefix: str, *fields: Any) -> Struct:
    """A Struct of fields named prefix_0, prefix_1 ..."""
    return Struct(*((f"{name_prefix}_{i}", field) for i, field in enumerate(fields)))


def Tuple(*fields: Any) -> Struct:
    """A Struct of fields named field_0, field_1 ..."""
    return NamedTuple("field", *fields)


def RawTuple(num_fields: int, name_prefix: str = "field") -> Struct:
    """A Struct of `num_fields` scalars of unknown type."""
    demand(isinstance(num_fields, int) and num_fields >= 0, f"a tuple cannot have {num_fields!r} fields")
    return NamedTuple(name_prefix, *([np.void] * num_fields))


def from_dtype(dtype: Any, _outer_shape: tuple[int, ...] = ()) -> Field:
    """The schema of a NumPy type: a Scalar, or a Struct for a structured one, whose shape goes before its fields'."""
    dtype = np.dtype(dtype)
    shape = _outer_shape + dtype.shape
    if not dtype.base.fields:
        return Scalar(np.dtype((dtype.base, shape)) if shape else dtype.base)
    return Struct(*((name, from_dtype(dtype.base.fields[name][0], shape)) for name in dtype.base.names))


def from_column_list(
    col_names: Sequence[str],
    col_types: Sequence[Any] | None = None,
    col_blobs: Sequence[Any] | None = None,
    col_metadata: Sequence[Any] | None = None,
) -> Field:
    """The schema whose scalars have these names a:b:c, and types, blobs and metadata.

    Names `lengths` and `values` side by side make a List, with `keys` a Map. Raises ValueError where one name is both a
    scalar and the beginning of others.
    """
    columns: list[Sequence[Any]] = [col_names]
    for given, what in ((col_types, "col_types"), (col_blobs, "col_blobs"), (col_metadata, "col_metadata")):
        column = [None] * len(col_names) if given is None else given
        demand(len(column) == len(col_names), f"col_names and {what} must have the same length.")
        columns.append(column)
    tree: dict[str, Any] = {}
    for name, dtype, blob, metadata in zip(*columns):
        *path, last = name.split(FIELD_SEPARATOR)
        node = tree
        for step in path:
            node = node.setdefault(step, {})
            if isinstance(node, Field):
                raise ValueError(f"Duplicate field name: {step} of {name} is a scalar too")
        if isinstance(node.get(last), dict):
            raise ValueError(f"Duplicate field name: {name} is the beginning of others too")
        node[last] = Scalar(dtype, blob, metadata)
    return _field(tree)


def _field(node: Any) -> Field:
    if isinstance(node, Field):
        return node
    children = {name: _field(child) for name, child in node.items()}
    if children.keys() == {"lengths", "values"}:
        return List(children["values"], lengths_blob=children["lengths"])
    if children.keys() == {"lengths", "keys", "values"}:
        return Map(children["keys"], children["values"], lengths_blob=children["lengths"])
    return Struct(*children.items())


def as_record(value: Any) -> Field:
    """A field as it is; a dict or a list of (name, value) as a Struct, any other list as a Tuple; else a Scalar."""
    if isinstance(value, Field):
        return value
    if isinstance(value, dict):
        return Struct(*((name, as_record(field)) for name, field in value.items()))
    if isinstance(value, (list, tuple)):
        if value and all(isinstance(f, tuple) and len(f) == 2 and isinstance(f[0], str) for f in value):
            return as_record(dict(value))
        return Tuple(*map(as_record, value))
    return _normalize_field(value)
