"""Structs and lists: the inner nodes of a schema."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from caffe2.python._misuse import demand
from caffe2.python._schema.field import FIELD_SEPARATOR, Field
from caffe2.python._schema.scalar import Scalar


def _normalize_field(field_or_type_or_blob: Any, keep_blobs: bool = True) -> Field:
    """A field of one's own: a copy of a field, or a scalar of a type or of a blob."""
    if isinstance(field_or_type_or_blob, Field):
        return field_or_type_or_blob.clone(keep_blobs=keep_blobs)
    if isinstance(field_or_type_or_blob, (type, np.dtype)):
        return Scalar(dtype=field_or_type_or_blob)
    return Scalar(blob=field_or_type_or_blob)


def _scalar(given: Any, dtype: type) -> Field:
    if not isinstance(given, Field):
        return Scalar(dtype, given)
    demand(isinstance(given, Scalar), f"expected a Scalar, not {given!r}")
    return _normalize_field(given)


class List(Field):
    """A list of `values` in each row: their lengths [rows], int32, and all values one after another.

    The fields of values that are a Struct are its attributes too.
    """

    __slots__ = ("_items", "lengths")

    def __init__(self, values: Any, lengths_blob: Any = None) -> None:
        self.lengths = _scalar(lengths_blob, np.int32)
        self._items = _normalize_field(values)
        self._adopt()

    def _children(self) -> Iterator[tuple[str, Field]]:
        yield "lengths", self.lengths
        yield "values", self._items

    def clone(self, keep_blobs: bool = True) -> List:
        """A copy, with or without its blobs."""
        return type(self)(self._items.clone(keep_blobs), self.lengths.clone(keep_blobs))

    def __getattr__(self, item: str) -> Field:
        if item.startswith("__") or item in List.__slots__:
            raise AttributeError(item)
        if isinstance(self._items, Struct):
            return getattr(self._items, item)
        if item in ("value", "items"):
            return self._items
        raise AttributeError(f"Field not found in list: {item}.")

    def __getitem__(self, item: str) -> Field:
        """The field of a name: lengths, values, or values:... for one within."""
        name, _, rest = item.partition(FIELD_SEPARATOR)
        children = dict(self._children())
        if name not in children or (rest and name != "values"):
            raise KeyError(f"Field not found in list: {item}.")
        return children[name][rest] if rest else children[name]


class ListWithEvicted(List):
    """A List with one more tensor, int64: the values that a cache of least recently used ones has given up."""

    __slots__ = ("_evicted_values",)

    def __init__(self, values: Any, lengths_blob: Any = None, evicted_values: Any = None) -> None:
        self._evicted_values = _scalar(evicted_values, np.int64)
        super().__init__(values, lengths_blob=lengths_blob)

    def _children(self) -> Iterator[tuple[str, Field]]:
        yield from super()._children()
        yield "_evicted_values", self._evicted_values

    def clone(self, keep_blobs: bool = True) -> ListWithEvicted:
        """A copy, with or without its blobs."""
        parts = (self._items, self.lengths, self._evicted_values)
        return type(self)(*(part.clone(keep_blobs) for part in parts))


class Struct(Field):
    """Fields by name, all of the same rows: Struct(("a", Scalar()), ("b:c", np.int32)), where b is a Struct of c.

    The fields are its attributes. Structs of one name are merged; any other name may stand once.
    """

    __slots__ = ("fields", "_frozen")  # pickle restores in this order

    def __init__(self, *fields: tuple[str, Any]) -> None:
        self.fields: dict[str, Field] = {}
        for pair in fields:
            demand(len(pair) == 2, f"a field is a pair of a name and a field, not {pair!r}")
            path, field = pair
            demand(path, "Field names cannot be empty")
            demand(path != "lengths", "Struct cannot contain a field named `lengths`.")
            name, _, rest = path.partition(FIELD_SEPARATOR)
            self._add(name, Struct((rest, field)) if rest else _normalize_field(field))
        self._adopt()
        self._frozen = True

    def _add(self, name: str, field: Field) -> None:
        known = self.fields.get(name)
        if known is not None:
            if not isinstance(field, Struct) or not isinstance(known, Struct):
                raise ValueError(f"Duplicate field name: {name}")
            field = known + field
        self.fields[name] = field

    def _children(self) -> Iterator[tuple[str, Field]]:
        yield from self.fields.items()

    def get_children(self) -> list[tuple[str, Field]]:
        """The fields with their names."""
        return list(self.fields.items())

    def clone(self, keep_blobs: bool = True) -> Struct:
        """A copy, with or without its blobs."""
        return type(self)(*((name, field.clone(keep_blobs)) for name, field in self.fields.items()))

    def _get_field_by_nested_name(self, nested_name: str) -> Field | None:
        name, _, rest = nested_name.partition(FIELD_SEPARATOR)
        field = self.fields.get(name)
        if field is None or not rest:
            return field
        try:
            return field[rest]
        except (KeyError, TypeError):
            return None

    def __contains__(self, item: str) -> bool:
        return self._get_field_by_nested_name(item) is not None

    def __len__(self) -> int:
        return len(self.fields)

    def __getitem__(self, item: Any) -> Field:
        """The field of a name a:b:c, the k-th field, or a Struct of several such."""
        if isinstance(item, (list, tuple)):
            names = list(self.fields)
            return Struct(*((names[k] if isinstance(k, int) else k, self[k]) for k in item))
        if isinstance(item, int):
            return next(islice(self.fields.values(), item, None))
        field = self._get_field_by_nested_name(item)
        if field is None:
            raise KeyError(f'field "{item}" not found')
        return field

    def get(self, item: str, default_value: Any) -> Any:
        """The field of a name, or `default_value`."""
        return getattr(self, item, default_value)

    def __getattr__(self, item: str) -> Field:
        if item.startswith("__") or item in Struct.__slots__:
            raise AttributeError(item)
        try:
            return self.fields[item]
        except KeyError:
            raise AttributeError(item) from None

    def __setattr__(self, key: str, value: Any) -> None:
        if getattr(self, "_frozen", None) and not key.startswith("_"):
            raise TypeError(f"a Struct cannot be changed; make another one to give it a field {key}")
        super().__setattr__(key, value)

    def __add__(self, other: Struct) -> Struct:
        """The fields of both; Structs of one name are added up. Raises TypeError where another name is in both."""
        if not isinstance(other, Struct):
            return NotImplemented
        children = dict(self.fields)
        for name, right in other.fields.items():
            left = children.get(name)
            if left is not None and not (isinstance(left, Struct) and isinstance(right, Struct)):
                raise TypeError(
                    f"field {name} is a {type(left).__name__} and a {type(right).__name__}: only Structs merge"
                )
            children[name] = right if left is None else left + right
        return Struct(*children.items())

    def __sub__(self, other: Struct) -> Struct:
        """The fields that `other` does not have, within Structs of one name too; empty Structs are left out.

        Raises TypeError where a field of one name is of another class.
        """
        if not isinstance(other, Struct):
            return NotImplemented
        children = dict(self.fields)
        for name, right in other.fields.items():
            left = children.pop(name, None)
            if left is None:
                continue
            if type(left) is not type(right):
                raise TypeError(f"field {name} is a {type(left).__name__} here and a {type(right).__name__} there")
            rest = left - right if isinstance(left, Struct) else None
            if rest:
                children[name] = rest
        return Struct(*((name, children[name]) for name in self.fields if name in children))
