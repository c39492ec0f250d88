"""Split: a tensor cut along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers._losses import demand_scalar
from caffe2.python.layers.layers import ModelLayer


class Split(ModelLayer):
    """Parts along `axis`, the first axis being that of the examples: num_splits equal ones, or of the sizes `split`."""

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        num_splits: int = 1,
        axis: int = 1,
        name: str = "split",
        split: Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        self.axis = axis
        demand(axis >= 1, f"examples are not split: axis {axis} is not positive")
        demand_scalar(input_record, dimensions=axis)
        kind = input_record.field_type()
        size = kind.shape[axis - 1]
        demand(split is not None or size % num_splits == 0, f"{size} elements are not split into {num_splits} parts")
        sizes = [size // num_splits] * num_splits if split is None else split
        demand(sum(sizes) == size, f"{size} elements are not split into parts of {sizes}")
        parts = []
        for i, part in enumerate(sizes):
            shape = [*kind.shape[: axis - 1], part, *kind.shape[axis:]]
            parts.append(schema.Scalar((kind.base, shape), self.get_next_blob_reference(f"output_{i}")))
        self.output_schema = schema.Tuple(*parts)
        self.split = split

    def add_ops(self, net: core.Net) -> None:
        net.Split(self.input_record.field_blobs(), self.output_schema.field_blobs(), split=self.split, axis=self.axis)
