"""BlobWeightedSum: blobs added up with learned weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers.layers import ModelLayer


class BlobWeightedSum(ModelLayer):
    """sum_i w_i x_i over the fields x_i of the record, two or more of one shape, w_i at first init_weights, or 1."""

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        init_weights: Sequence[float] | None = None,
        weight_optim: Any = None,
        name: str = "blob_weighted_sum",
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        self.blobs = self.input_record.field_blobs()
        self.num_weights = len(self.blobs)
        demand(self.num_weights > 1, "BlobWeightedSum expects more than one input blobs")
        types = input_record.field_types()
        shapes = {kind.shape for kind in types}
        demand(len(shapes) == 1 and shapes != {()}, f"input blobs of one shape are expected, not {shapes}")
        values = init_weights or [1.0] * self.num_weights
        demand(len(values) == self.num_weights, f"{self.num_weights} init_weights are expected, not {len(values)}")
        self.weights = [
            self.create_param(f"w_{i}", [1], ("ConstantFill", {"value": float(value)}), weight_optim)
            for i, value in enumerate(values)
        ]
        self.output_schema = schema.Scalar(types[0], self.get_next_blob_reference("blob_weighted_sum_out"))

    def add_ops(self, net: core.Net) -> None:
        pairs = [blob for pair in zip(self.blobs, self.weights) for blob in pair]
        net.WeightedSum(pairs, self.output_schema(), grad_on_w=True)
