"""What every field of a schema can do, and the notes that a field may carry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

FIELD_SEPARATOR = ":"


def _join_field_name(prefix: str, suffix: str) -> str:
    return FIELD_SEPARATOR.join(filter(None, (prefix, suffix)))


class FeatureSpec(NamedTuple):
    """What a field says of the features that it holds."""

    feature_type: Any = None
    feature_names: Any = None
    feature_ids: Any = None
    feature_is_request_only: Any = None
    desired_hash_size: Any = None
    feature_to_index: Any = None


class Metadata(NamedTuple):
    """What is known of the values of a scalar.

    categorical_limit: for integers from 0 on, one more than the largest there may be: the rows of an embedding table.
    expected_value: the mean to be expected, of lengths in particular.
    feature_specs: of the features in the field.
    """

    categorical_limit: Any = None
    expected_value: Any = None
    feature_specs: Any = None


class Field:
    """A node of a schema: a tree whose leaves, the scalars, are one tensor each.

    The base knows everything by its children; `_children` lists them with their names.
    """

    __slots__ = ("_field_offsets", "_parent")

    def __init__(self, children: Iterable[Field]) -> None:
        self._parent: tuple[Field | None, int] = (None, 0)
        self._field_offsets = [0]
        for child in children:
            self._field_offsets.append(self._field_offsets[-1] + len(child.field_names()))

    def _children(self) -> Iterator[tuple[str, Field]]:
        raise NotImplementedError("Field is an abstract class.")

    def _adopt(self) -> None:
        """Tell the children whose they are; the last thing that a constructor does."""
        children = [child for _, child in self._children()]
        for index, child in enumerate(children):
            child._set_parent(self, index)
        Field.__init__(self, children)

    def clone(self, keep_blobs: bool = True) -> Field:
        """A copy of the tree, with or without its blobs."""
        raise NotImplementedError("Field is an abstract class.")

    def clone_schema(self) -> Field:
        """A copy of the tree without its blobs."""
        return self.clone(keep_blobs=False)

    def all_scalars(self) -> list[Any]:
        """The scalars, in order."""
        return [scalar for _, child in self._children() for scalar in child.all_scalars()]

    def field_names(self) -> list[str]:
        """The names of the scalars from here: a:b:c."""
        return [_join_field_name(name, inner) for name, child in self._children() for inner in child.field_names()]

    def field_types(self) -> list[np.dtype]:
        """The NumPy type of every scalar."""
        return [scalar.dtype for scalar in self.all_scalars()]

    def field_metadata(self) -> list[Metadata | None]:
        """The metadata of every scalar."""
        return [scalar.metadata for scalar in self.all_scalars()]

    def field_blobs(self) -> list[Any]:
        """The array or blob reference of every scalar. Raises Misuse where one has none."""
        return [scalar.get() for scalar in self.all_scalars()]

    def has_blobs(self) -> bool:
        """Whether every scalar has an array or a blob reference."""
        return all(scalar.has_blobs() for scalar in self.all_scalars())

    def _set_parent(self, parent: Field, relative_id: int) -> None:
        self._parent = (parent, relative_id)

    def slice(self) -> slice:
        """Where in a list over the scalars of the whole tree those of this field stand."""
        start = self._child_base_id()
        return slice(start, start + len(self.field_names()))

    def _child_base_id(self, child_index: int | None = None) -> int:
        """The position, in the whole tree, of the first scalar of this field or of a child."""
        parent, index = self._parent
        position = 0 if child_index is None else self._field_offsets[child_index]
        return position + (parent._child_base_id(index) if parent is not None else 0)

    def __eq__(self, other: object) -> bool:
        """Whether names, types and metadata are the same."""
        if not isinstance(other, Field):
            return NotImplemented
        return (
            self.field_names() == other.field_names()
            and self.field_types() == other.field_types()
            and self.field_metadata() == other.field_metadata()
        )

    __hash__ = None

    def _lines(self) -> list[str]:
        """The text of the field, line by line."""
        lines = [f"{type(self).__name__}("]
        for name, child in self._children():
            lines += [f"  {name}=", *(f"    {line}" for line in child._lines())]
        return [*lines, ")"]

    def __repr__(self) -> str:
        return "\n".join(self._lines()) + "\n"
