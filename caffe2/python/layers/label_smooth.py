"""LabelSmooth: labels replaced by probabilities."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers.layers import ModelLayer


class LabelSmooth(ModelLayer):
    """Row i of smooth_matrix for label i, or, for a pair, its first for labels up to 1/2 and its second for others."""

    def __init__(
        self, model: Any, label: schema.Scalar, smooth_matrix: Any, name: str = "label_smooth", **kwargs: Any
    ) -> None:
        super().__init__(model, name, label, **kwargs)
        self.label = label
        smooth_matrix = np.array(smooth_matrix).astype(np.float32).flatten()
        self.set_dim(smooth_matrix)
        self.set_smooth_matrix(smooth_matrix)
        self.output_schema = schema.Scalar((np.float32, (self.dim,)), self.get_next_blob_reference("smoothed_label"))

    def set_dim(self, smooth_matrix: np.ndarray) -> None:
        """Take the number of labels from the matrix. Raises Misuse unless it is square, or a pair."""
        size = smooth_matrix.size
        self.binary_prob_label = size == 2
        self.dim = 1 if self.binary_prob_label else math.isqrt(size)
        demand(self.binary_prob_label or self.dim**2 == size, f"a smoothing matrix is square, this has {size} elements")

    def set_smooth_matrix(self, smooth_matrix: np.ndarray) -> None:
        """Keep the matrix, and its size, as constants of the model; a pair as it is."""
        if self.binary_prob_label:
            self.smooth_matrix = smooth_matrix
            return
        matrix = smooth_matrix.reshape((self.dim, self.dim))
        add = self.model.add_global_constant
        self.smooth_matrix = add(f"{self.name}_label_smooth_matrix", array=matrix, dtype=np.dtype(np.float32))
        self.len = add(f"{self.name}_label_dim", array=self.dim, dtype=np.dtype(np.int64))

    def _label_as(self, net: core.Net, dtype: type, name: str, to: int) -> core.BlobReference:
        if self.label.field_type().base == dtype:
            return self.label()
        return net.Cast([self.label()], [net.NextScopedBlob(name)], to=to)

    def add_ops_for_binary_prob_label(self, net: core.Net) -> None:
        """Choose from the pair."""
        label = self._label_as(net, np.float32, "float32_label", core.DataType.FLOAT)
        low, high = self.smooth_matrix
        net.StumpFunc(label, self.output_schema(), threshold=0.5, low_value=low, high_value=high)

    def add_ops_for_categorical_label(self, net: core.Net) -> None:
        """Choose rows of the matrix."""
        label = self._label_as(net, np.int64, "int64_label", core.DataType.INT64)
        one_hot = net.OneHot([label, self.len], [net.NextScopedBlob("one_hot_label")])
        net.MatMul([one_hot, self.smooth_matrix], self.output_schema())

    def add_ops(self, net: core.Net) -> None:
        if self.binary_prob_label:
            self.add_ops_for_binary_prob_label(net)
        else:
            self.add_ops_for_categorical_label(net)
