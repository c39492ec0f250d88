"""Dropout: elements left out at random."""

from __future__ import annotations

from typing import Any

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers._losses import demand_scalar
from caffe2.python.layers.layers import ModelLayer


class Dropout(ModelLayer):
    """Elements set to 0 with probability ratio, others divided by 1 - ratio; for training, and if dropout_for_eval."""

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        name: str = "dropout",
        ratio: float = 0.5,
        dropout_for_eval: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        demand_scalar(input_record)
        demand(0 <= ratio < 1.0, f"Expected 0 <= ratio < 1, but got ratio of {ratio}")
        self.output_schema = input_record.clone_schema()
        self.output_schema.set_value(self.get_next_blob_reference("output"))
        self.dropout_for_eval = dropout_for_eval
        self.ratio = ratio

    def _add_ops(self, net: core.Net, is_test: bool) -> None:
        outputs = [*self.output_schema.field_blobs(), net.NextScopedBlob("d_mask")]
        net.Dropout(self.input_record.field_blobs(), outputs, ratio=self.ratio, is_test=is_test)

    def add_train_ops(self, net: core.Net) -> None:
        self._add_ops(net, is_test=False)

    def add_eval_ops(self, net: core.Net) -> None:
        self._add_ops(net, is_test=not self.dropout_for_eval)

    def add_ops(self, net: core.Net) -> None:
        self.add_eval_ops(net)
