"""Concat: the fields of a record joined to one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers.layers import ModelLayer


def get_concatenated_feature_to_index(blobs_to_concat: Iterable[schema.Scalar]) -> dict[Any, list[int]] | None:
    """The columns of each feature once fields are joined, by the fields' metadata; None where these say nothing."""
    columns: dict[Any, list[int]] = {}
    start = 0
    for scalar in blobs_to_concat:
        specs = scalar.metadata and scalar.metadata.feature_specs
        known = getattr(specs, "feature_to_index", None)
        for feature, indices in known.items() if isinstance(known, dict) else ():
            columns.setdefault(feature, []).extend(start + i for i in indices)
        start += scalar.dtype.shape[0]
    return columns or None


class Concat(ModelLayer):
    """The fields of the record joined along `axis`, axis 0 being that of the examples, or stacked if add_axis."""

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        axis: int = 1,
        add_axis: int = 0,
        name: str = "concat",
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        self.axis = axis
        self.add_axis = add_axis
        demand(not (axis == 0 and add_axis == 1), "It's not allowed to add axis=0")
        demand(isinstance(input_record, schema.Struct), f"Incorrect input type. Expected Struct, got: {input_record!r}")
        shapes = [self._shape(field, scalar) for field, scalar in input_record.fields.items()]
        if axis == 0:
            self.output_schema = schema.from_blob_list(input_record[0], [self.get_next_blob_reference("output")])
            return
        sizes = [shape[axis - 1] for shape in shapes]
        for shape in shapes:
            shape[axis - 1] = sum(sizes)
            demand(shape == shapes[0], f"Shapes {shape} and {shapes[0]} are not compatible for Concat")
        self.output_schema = schema.Scalar((np.float32, shapes[0]), self.get_next_blob_reference("output"))
        columns = get_concatenated_feature_to_index(input_record.fields.values())
        if columns:
            specs = schema.FeatureSpec(feature_to_index=columns)
            self.output_schema.set_metadata(schema.Metadata(feature_specs=specs))

    def _shape(self, name: str, scalar: schema.Field) -> list[int]:
        demand(isinstance(scalar, schema.Scalar), f"Incorrect input type for {name}. Expected Scalar, got: {scalar!r}")
        shape = list(scalar.field_type().shape)
        if self.add_axis:
            shape.insert(self.axis - 1, 1)
        demand(len(shape) >= self.axis, f"field {name} has no axis {self.axis}: the shape of its examples is {shape}")
        return shape

    def add_ops(self, net: core.Net) -> None:
        (output,) = self.output_schema.field_blobs()[:1]
        outputs = [output, output + "_concat_dims"]
        net.Concat(self.input_record.field_blobs(), outputs, axis=self.axis, add_axis=self.add_axis)
