"""MarginRankLoss: the loss of pairs in the wrong order."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers._losses import demand_fields
from caffe2.python.layers.layers import ModelLayer
from caffe2.python.layers.tags import Tags


class MarginRankLoss(ModelLayer):
    """The sum, or mean, of max(negative - positive + margin, 0) over each example's list of negative scores.

    The record has pos_prediction and neg_prediction, a list.
    """

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        name: str = "margin_rank_loss",
        margin: float = 0.1,
        average_loss: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        demand(margin >= 0, f"a margin is not negative: {margin}")
        self._margin = margin
        self._average_loss = average_loss
        demand_fields(input_record, pos_prediction=schema.Scalar(), neg_prediction=schema.List(np.float32))
        self.tags.update([Tags.EXCLUDE_FROM_PREDICTION])
        self.output_schema = schema.Scalar(np.float32, self.get_next_blob_reference("output"))

    def add_ops(self, net: core.Net) -> None:
        record = self.input_record
        negative = record.neg_prediction["values"]()
        inputs = [record.pos_prediction(), record.neg_prediction["lengths"]()]
        positive = net.LengthsTile(inputs, net.NextScopedBlob("pos_score_repeated"))
        one = net.ConstantFill(negative, net.NextScopedBlob("const_1"), value=1, dtype=core.DataType.INT32)
        inputs = [positive, negative, one]
        loss = net.MarginRankingCriterion(inputs, net.NextScopedBlob("rank_loss"), margin=self._margin)
        combine = net.AveragedLoss if self._average_loss else net.ReduceFrontSum
        combine(loss, self.output_schema.field_blobs())
