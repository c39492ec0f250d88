"""UniformSampling: numbers drawn uniformly, besides given ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers._losses import demand_scalar
from caffe2.python.layers.layers import ModelLayer


class UniformSampling(ModelLayer):
    """samples: the input, and others below num_elements drawn uniformly, num_samples in all; and sampling_prob.

    The input holds each number once; so do the samples.
    """

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        num_samples: int,
        num_elements: int,
        name: str = "uniform_sampling",
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        demand(num_elements > num_samples > 0, f"{num_samples} samples of {num_elements} elements are not drawn")
        demand_scalar(input_record)
        self.num_elements = num_elements
        fill = ("GivenTensorInt64Fill", {"values": [num_samples]})
        self.num_samples = self.create_param("num_examples", (1,), fill, model.NoOptim)
        share = {"value": float(num_samples) / num_elements, "dtype": core.DataType.FLOAT}
        self.sampling_prob = self.create_param("prob", (num_samples,), ("ConstantFill", share), model.NoOptim)
        self.output_schema = schema.Struct(
            ("samples", schema.Scalar(np.int32, self.get_next_blob_reference("samples"))),
            ("sampling_prob", schema.Scalar(np.float32, self.sampling_prob)),
        )

    def add_ops(self, net: core.Net) -> None:
        given, samples = self.input_record(), self.output_schema.samples()
        net.StopGradient(self.sampling_prob, self.sampling_prob)
        count = net.Shape([given], net.NextScopedBlob("shape"))
        count = net.Sub([self.num_samples, count], count)
        drawn = net.UniqueUniformFill(
            [count, given],
            net.NextScopedBlob("samples_before_concat"),
            min=0,
            max=self.num_elements - 1,
            input_as_shape=True,
        )
        net.Concat([given, drawn], [samples, net.NextScopedBlob("split_info")], axis=0)
        net.StopGradient(samples, samples)
