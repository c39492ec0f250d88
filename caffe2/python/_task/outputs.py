"""What tasks give back: blobs, or records of them, fetched when a session has run them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from caffe2.python._misuse import demand
from caffe2.python.schema import Field, from_blob_list


class TaskOutput:
    """One output of a task: a blob, a list of blobs, or a record; `names` are its blobs."""

    def __init__(self, names: Any) -> None:
        self._schema = names if isinstance(names, Field) else None
        blobs = names.field_blobs() if self._schema is not None else names
        self._is_scalar = not isinstance(blobs, (tuple, list))
        self.names = [blobs] if self._is_scalar else blobs
        self._values: Sequence[Any] | None = None
        self._fetch_func: Callable[[Any], Any] | None = None

    def set(self, values: Sequence[Any], _fetch_func: Callable[[Any], Any] | None = None) -> None:
        """Say where the values are, one for each blob, and how they are fetched."""
        demand(len(values) == len(self.names), f"{len(values)} values are given for the outputs {self.names}")
        self._values, self._fetch_func = values, _fetch_func

    def get(self) -> Any:
        """The values as they were set: one, a list or a record. Raises Misuse before a session has run the task."""
        demand(self._values is not None, "Output value not set yet.")
        return self._shaped(self._values)

    def fetch(self) -> Any:
        """The values fetched: one, a list or a record. Raises Misuse where the session cannot fetch."""
        demand(self._fetch_func is not None, "Cannot fetch value for this output.")
        return self._shaped([self._fetch_func(value) for value in self._values])

    def _shaped(self, values: Sequence[Any]) -> Any:
        if self._is_scalar:
            return values[0]
        return values if self._schema is None else from_blob_list(self._schema, values)

    def __repr__(self) -> str:
        return f"TaskOutput(names={self.names}, values={self._values})"


class TaskOutputList:
    """The outputs of a task, one after another."""

    def __init__(self, outputs: list[TaskOutput] | None = None) -> None:
        self.outputs = outputs or []

    def names(self) -> list[Any]:
        """The blobs of all outputs."""
        return [name for output in self.outputs for name in output.names]

    def set_values(self, values: Sequence[Any], _fetch_func: Callable[[Any], Any] | None = None) -> None:
        """Say where the values of all outputs are, in order."""
        wanted = len(self.names())
        demand(wanted == len(values), f"Wrong number of output values: {len(values)} for {wanted}.")
        offset = 0
        for output in self.outputs:
            end = offset + len(output.names)
            output.set(values[offset:end], _fetch_func)
            offset = end

    def __repr__(self) -> str:
        return f"TaskOutputList(outputs={self.outputs})"
