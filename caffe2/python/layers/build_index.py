"""MapToRange: keys numbered in the order in which they first appear."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers._losses import demand_scalar
from caffe2.python.layers.layers import ModelLayer


class MapToRange(ModelLayer):
    """The number, from 1 on and below max_index, of each key; keys that evaluation sees first are number 0."""

    def __init__(
        self, model: Any, input_record: schema.Field, max_index: int, name: str = "map_to_range", **kwargs: Any
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        demand(max_index > 0, f"max_index is positive: {max_index}")
        demand_scalar(input_record)
        self.max_index = max_index
        create = ("LongIndexCreate", {"max_elements": self.max_index})
        self.handler = self.create_param("handler", [], create, model.NoOptim)
        self.output_schema = schema.Struct(
            ("indices", schema.Scalar(np.int64, self.get_next_blob_reference("indices"))),
            ("handler", schema.Scalar(np.void, self.handler)),
        )

    def add_train_ops(self, net: core.Net) -> None:
        keys = self.input_record()
        if self.input_record.field_type().base != np.int64:
            keys = net.Cast(keys, net.NextScopedBlob("indices_before_mapping"), to=core.DataType.INT64)
        # No gradient goes through an index.
        indices = net.IndexGet([self.handler, keys], self.output_schema.indices())
        net.StopGradient(indices, indices)

    def add_eval_ops(self, net: core.Net) -> None:
        net.IndexFreeze(self.handler, self.handler)
        self.add_train_ops(net)

    def add_ops(self, net: core.Net) -> None:
        self.add_eval_ops(net)
