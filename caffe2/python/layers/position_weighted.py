"""PositionWeighted: learned weights of positions in lists."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers.layers import ModelLayer, get_categorical_limit
from caffe2.python.layers.tags import Tags

logger = logging.getLogger(__name__)


class PositionWeighted(ModelLayer):
    """The weight of the position of each item of a list; at most as many as the categorical limit of the lengths."""

    def __init__(
        self, model: Any, input_record: schema.Field, weight_optim: Any = None, name: str = "position_weights"
    ) -> None:
        super().__init__(model, name, input_record)
        demand(isinstance(input_record, schema.List), f"Incorrect input type: a List is expected, not {input_record!r}")
        lengths = input_record.lengths
        self.shape = lengths.metadata.categorical_limit if lengths.metadata is not None else None
        if self.shape is None:
            self.shape = get_categorical_limit(input_record)
            logger.warning("%s have no categorical_limit; that of the keys is used: %s", lengths(), self.shape)
        self.pos_w = self.create_param("pos_w", [self.shape], ("ConstantFill", {"value": 1.0}), weight_optim)
        self.output_schema = schema.Struct(
            ("position_weights", schema.Scalar((np.float32, self.shape), self.get_next_blob_reference("pos_w_gather")))
        )
        self.tags.update({Tags.HANDLE_AS_SPARSE_LAYER})

    def get_memory_usage(self) -> int:
        return self.shape

    def add_ops(self, net: core.Net) -> None:
        lengths = self.input_record.lengths()
        positions = net.LengthsRangeFill([lengths], lengths + "_pos_w_seq")
        net.Gather([self.pos_w, positions], self.output_schema.position_weights.field_blobs())
