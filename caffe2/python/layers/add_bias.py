"""AddBias: a bias added to each column."""

from __future__ import annotations

import math
from typing import Any

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers._losses import demand_scalar
from caffe2.python.layers.layers import ModelLayer


class AddBias(ModelLayer):
    """x + b, with b uniform in +-sqrt(1 / columns) unless `bias_init` fills it."""

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        bias_init: Any = None,
        bias_optim: Any = None,
        name: str = "add_bias",
    ) -> None:
        super().__init__(model, name, input_record)
        demand_scalar(input_record, dimensions=1)
        columns = input_record.field_type().shape[0]
        demand(columns > 0, f"AddBias expects input dimensions > 0, got {columns}")
        scale = math.sqrt(1.0 / columns)
        self.b = self.create_param(
            "b", [columns], bias_init or ("UniformFill", {"min": -scale, "max": scale}), bias_optim
        )
        self.output_schema = schema.Scalar(
            (input_record.field_type().base, (columns,)), self.get_next_blob_reference("output")
        )

    def add_ops(self, net: core.Net) -> None:
        net.Add([*self.input_record.field_blobs(), self.b], self.output_schema.field_blobs(), broadcast=1)
