"""BatchMSELoss: half the mean of the squared errors."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python.layers._losses import demand_fields, like_prediction, weighted
from caffe2.python.layers.layers import ModelLayer
from caffe2.python.layers.tags import Tags


class BatchMSELoss(ModelLayer):
    """The mean over examples of (label - prediction)^2 / 2.

    The record has label and prediction, a column, and may have weight.
    """

    def __init__(self, model: Any, input_record: schema.Field, name: str = "batch_mse_loss", **kwargs: Any) -> None:
        super().__init__(model, name, input_record, **kwargs)
        demand_fields(input_record, label=schema.Scalar(), prediction=schema.Scalar())
        self.tags.update([Tags.EXCLUDE_FROM_PREDICTION])
        self.output_schema = schema.Scalar(np.float32, self.get_next_blob_reference("output"))

    def add_ops(self, net: core.Net) -> None:
        prediction = self.input_record.prediction()
        label = net.ExpandDims(like_prediction(net, self.input_record), 1, dims=[1])
        label = net.StopGradient(label, net.NextScopedBlob("stopped_label"))
        loss = net.SquaredL2Distance([label, prediction], net.NextScopedBlob("l2"))
        loss = weighted(net, self.input_record, loss, "weighted_l2_distance")
        net.AveragedLoss(loss, self.output_schema.field_blobs())
