"""BatchSoftmaxLoss: the cross entropy of one of several labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers._losses import demand_fields, weights_of
from caffe2.python.layers.layers import ModelLayer


class BatchSoftmaxLoss(ModelLayer):
    """The softmax of prediction, and the mean of its cross entropy relative to label.

    The record has label and prediction, and may have weight.

    label_smoothing_matrix: row i is what label i is taken for.
    label_prob: labels are probabilities. scale: of the loss.
    average_by_batch_size: divide by the number of examples rather than by the sum of their weights.
    """

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        name: str = "batch_softmax_loss",
        label_smoothing_matrix: Any = None,
        label_prob: bool = False,
        scale: float = 1.0,
        average_by_batch_size: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        demand_fields(input_record, label=schema.Scalar(), prediction=schema.Scalar())
        self.label_prob = label_prob
        self.scale = scale
        self.average_by_batch_size = average_by_batch_size
        self.label_smoothing_matrix = label_smoothing_matrix
        if self.label_smoothing_matrix is not None:
            self.initialize_label_smoothing_constants()
        kind = input_record.prediction.field_type()
        self.output_schema = schema.Struct(
            ("softmax", schema.Scalar(kind, self.get_next_blob_reference("softmax"))),
            ("loss", schema.Scalar(np.float32, self.get_next_blob_reference("loss"))),
        )

    def initialize_label_smoothing_constants(self) -> None:
        """Make constants of the smoothing matrix and its size. Raises Misuse unless it is square."""
        matrix = np.array(self.label_smoothing_matrix).astype(np.float32)
        demand(matrix.ndim == 2 and len(set(matrix.shape)) == 1, f"a smoothing matrix is square, not {matrix.shape}")
        self.label_smoothing_matrix = self.model.add_global_constant(
            f"{self.name}_label_smoothing_matrix", array=matrix, dtype=np.dtype(np.float32)
        )
        self.label_dim = self.model.add_global_constant(
            f"{self.name}_label_dim", array=len(matrix), dtype=np.dtype(np.int64)
        )
        self.label_prob = True

    def compute_smoothed_label(self, net: core.Net) -> core.BlobReference:
        """The rows of the smoothing matrix that the labels name."""
        label = self.input_record.label()
        if self.input_record.label.field_type().base != np.int64:
            label = net.Cast([label], [net.NextScopedBlob("int64_label")], to=core.DataType.INT64)
        one_hot, smoothed = net.NextScopedBlob("one_hot_label"), net.NextScopedBlob("smoothed_label")
        net.OneHot([label, self.label_dim], [one_hot])
        return net.MatMul([one_hot, self.label_smoothing_matrix], smoothed)

    def add_ops(self, net: core.Net) -> None:
        record = self.input_record
        label = record.label.field_blobs()
        if self.label_smoothing_matrix is not None:
            label = [self.compute_smoothed_label(net)]
        elif not self.label_prob and record.label.field_types()[0].base != np.int32:
            label = [net.Cast(label, net.NextScopedBlob("int32_label"), to=core.DataType.INT32)]
        weight = [weights_of(net, record)] if "weight" in record else []
        net.SoftmaxWithLoss(
            [*record.prediction.field_blobs(), *label, *weight],
            self.output_schema.field_blobs(),
            label_prob=self.label_prob,
            scale=self.scale,
            average_by_batch_size=self.average_by_batch_size,
        )
