"""FCWithoutBias: the fully connected layer without a bias."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers._fully_connected import uniform_fill
from caffe2.python.layers._losses import demand_scalar
from caffe2.python.layers.layers import ModelLayer
from caffe2.python.layers.sampling_trainable_mixin import SamplingTrainableMixin


class FCWithoutBias(SamplingTrainableMixin, ModelLayer):
    """x w^T, w uniform in +-sqrt(uniform_weight_init_scale_numerator / input columns) unless weight_init fills it."""

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        output_dims: int,
        weight_init: Any = None,
        weight_optim: Any = None,
        name: str = "fc_without_bias",
        uniform_weight_init_scale_numerator: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        demand_scalar(input_record, dimensions=1)
        input_dims = input_record.field_types()[0].shape[0]
        demand(input_dims > 0, f"FCWithoutBias expects input dimensions > 0, got {input_dims}")
        self.output_schema = schema.Scalar((np.float32, (output_dims,)), self.get_next_blob_reference("output"))
        init = weight_init or uniform_fill(input_dims, uniform_weight_init_scale_numerator)
        self.w = self.create_param("w", [output_dims, input_dims], init, weight_optim)

    def _add_ops(self, net: core.Net, params: list[Any]) -> None:
        inputs = [*self.input_record.field_blobs(), *params]
        net.MatMul(inputs, self.output_schema.field_blobs(), trans_b=1, **self.kwargs)

    @property
    def param_blobs(self) -> list[core.BlobReference]:
        return [self.w]
