"""ConstantWeight: losses added up with given weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers.layers import ModelLayer


class ConstantWeight(ModelLayer):
    """sum_i weights_i x_i over the n fields x_i of the record, by default with weights 1 / n."""

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        weights: Sequence[float] | None = None,
        name: str = "constant_weight",
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        self.output_schema = schema.Scalar(np.float32, self.get_next_blob_reference("constant_weight"))
        self.data = self.input_record.field_blobs()
        self.num = len(self.data)
        weights = [1.0 / self.num] * self.num if weights is None else weights
        demand(len(weights) == self.num, f"{self.num} weights are expected, not {len(weights)}")
        self.weights = [
            self.model.add_global_constant(f"{self.name}_weight_{i}", float(weight)) for i, weight in enumerate(weights)
        ]

    def add_ops(self, net: core.Net) -> None:
        net.WeightedSum([blob for pair in zip(self.data, self.weights) for blob in pair], self.output_schema())
