"""BatchHuberLoss: the mean of the examples' Huber losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers._losses import demand_fields, like_prediction, weighted
from caffe2.python.layers.layers import ModelLayer
from caffe2.python.layers.tags import Tags


class BatchHuberLoss(ModelLayer):
    """m^2 / 2 + delta (e - m) with e = |label - prediction| and m = min(e, delta). Huber, 1964.

    The record has label and prediction, and may have weight.
    """

    def __init__(
        self, model: Any, input_record: schema.Field, name: str = "batch_huber_loss", delta: float = 1.0, **kwargs: Any
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        demand(delta > 0, f"delta is positive: {delta}")
        self._delta = delta
        demand_fields(input_record, label=schema.Scalar(), prediction=schema.Scalar())
        self.tags.update([Tags.EXCLUDE_FROM_PREDICTION])
        self.output_schema = schema.Scalar(np.float32, self.get_next_blob_reference("output"))

    def add_ops(self, net: core.Net) -> None:
        record = self.input_record
        prediction = net.Squeeze(record.prediction(), net.NextScopedBlob("squeezed_prediction"), dims=[1])
        label = like_prediction(net, record)
        delta = net.ConstantFill(label, net.NextScopedBlob("delta"), value=self._delta, dtype=core.DataType.FLOAT)
        label = net.StopGradient(label, net.NextScopedBlob("stopped_label"))
        delta = net.StopGradient(delta, net.NextScopedBlob("stopped_delta"))
        error = net.L1Distance([label, prediction], net.NextScopedBlob("abs_error"))
        clipped = net.Min([error, delta], net.NextScopedBlob("min_error_delta"))
        quadratic = net.Scale(net.Sqr(clipped), scale=0.5)
        linear = net.Mul([net.Sub([error, clipped]), delta], net.NextScopedBlob("huber_linear_term"))
        loss = net.Add([quadratic, linear], net.NextScopedBlob("huber_dist"))
        loss = weighted(net, record, loss, "weighted_huber_distance")
        net.AveragedLoss(loss, self.output_schema.field_blobs())
