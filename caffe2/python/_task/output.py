"""What a task gives back: blobs, lists of blobs, or records, whose values are known once it has run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from caffe2.python._misuse import demand
from caffe2.python.schema import Field, from_blob_list


class TaskOutput:
    """One output: a blob, a list of blobs, or a record, and their values once `set` was called."""

    def __init__(self, names: Any) -> None:
        self._schema = names if isinstance(names, Field) else None
        names = names.field_blobs() if isinstance(names, Field) else names
        self._is_scalar = not isinstance(names, (tuple, list))
        self.names = [names] if self._is_scalar else names
        self._values: Sequence[Any] | None = None
        self._fetch_func: Callable[[Any], Any] | None = None

    def set(self, values: Sequence[Any], _fetch_func: Callable[[Any], Any] | None = None) -> None:
        """Set the value of each blob, and what fetches what a value refers to."""
        demand(len(values) == len(self.names), f"{len(self.names)} blobs have no {len(values)} values")
        self._values = values
        self._fetch_func = _fetch_func

    def get(self) -> Any:
        """The value, list of values, or record of values. Raises Misuse before the task has run."""
        demand(self._values is not None, "Output value not set yet.")
        return self._like_given(self._values)

    def fetch(self) -> Any:
        """What the values refer to, in the same form. Raises Misuse before the task has run."""
        demand(self._fetch_func is not None, "Cannot fetch value for this output.")
        return self._like_given([self._fetch_func(value) for value in self._values])

    def _like_given(self, values: Sequence[Any]) -> Any:
        if self._is_scalar:
            return values[0]
        return from_blob_list(self._schema, values) if self._schema else values

    def __repr__(self) -> str:
        return f"TaskOutput(names={self.names}, values={self._values})"


class TaskOutputList:
    """The outputs of a task, in order."""

    def __init__(self, outputs: list[TaskOutput] | None = None) -> None:
        self.outputs = outputs or []

    def names(self) -> list[Any]:
        """The blobs of all outputs."""
        return [name for output in self.outputs for name in output.names]

    def set_values(self, values: Sequence[Any], _fetch_func: Callable[[Any], Any] | None = None) -> None:
        """Set the values of all blobs."""
        demand(len(values) == len(self.names()), "Wrong number of output values.")
        offset = 0
        for output in self.outputs:
            output.set(values[offset : offset + len(output.names)], _fetch_func)
            offset += len(output.names)

    def __repr__(self) -> str:
        return f"TaskOutputList(outputs={self.outputs})"
