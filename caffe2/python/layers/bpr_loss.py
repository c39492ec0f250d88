"""BPRLoss: the loss of Bayesian personalized ranking."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python.layers._losses import demand_fields
from caffe2.python.layers.layers import ModelLayer
from caffe2.python.layers.tags import Tags


class BPRLoss(ModelLayer):
    """The sum of softplus(negative - positive) over each example's list of negative scores. Rendle et al., 2009.

    The record has pos_prediction and neg_prediction, a list.
    """

    def __init__(self, model: Any, input_record: schema.Field, name: str = "bpr_loss", **kwargs: Any) -> None:
        super().__init__(model, name, input_record, **kwargs)
        demand_fields(input_record, pos_prediction=schema.Scalar(), neg_prediction=schema.List(np.float32))
        self.tags.update([Tags.EXCLUDE_FROM_PREDICTION])
        self.output_schema = schema.Scalar(np.float32, self.get_next_blob_reference("output"))

    def add_ops(self, net: core.Net) -> None:
        record = self.input_record
        inputs = [record.pos_prediction(), record.neg_prediction["lengths"]()]
        positive = net.LengthsTile(inputs, net.NextScopedBlob("pos_score_repeated"))
        loss = net.Softplus([net.Sub([record.neg_prediction["values"](), positive])])
        net.ReduceFrontSum(loss, self.output_schema.field_blobs())
