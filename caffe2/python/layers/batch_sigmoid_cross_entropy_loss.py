"""BatchSigmoidCrossEntropyLoss: the cross entropy of independent labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers._losses import demand_fields
from caffe2.python.layers.layers import ModelLayer
from caffe2.python.layers.tags import Tags


class BatchSigmoidCrossEntropyLoss(ModelLayer):
    """The mean over examples of the cross entropy of sigmoid(prediction) relative to label, averaged over columns.

    The record has label and prediction, float32 of one shape.
    """

    def __init__(
        self, model: Any, input_record: schema.Field, name: str = "batch_sigmoid_cross_entropy_loss", **kwargs: Any
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        demand_fields(input_record, label=schema.Scalar(np.float32), prediction=schema.Scalar(np.float32))
        shapes = input_record.prediction.field_type().shape, input_record.label.field_type().shape
        demand(shapes[0] == shapes[1], f"prediction and label must have the same shape, not {shapes}")
        self.tags.update([Tags.EXCLUDE_FROM_PREDICTION])
        self.output_schema = schema.Scalar((np.float32, ()), self.get_next_blob_reference("loss"))

    def add_ops(self, net: core.Net) -> None:
        inputs = [self.input_record.prediction(), self.input_record.label()]
        loss = net.SigmoidCrossEntropyWithLogits(inputs, net.NextScopedBlob("sigmoid_cross_entropy"))
        net.AveragedLoss(loss, self.output_schema.field_blobs())
