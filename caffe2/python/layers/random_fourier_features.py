"""RandomFourierFeatures: random features whose products approximate a Gaussian kernel."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers._losses import demand_scalar
from caffe2.python.layers.layers import ModelLayer


class RandomFourierFeatures(ModelLayer):
    """sqrt(2 / output_dims) cos(x w^T + b) with random w and b that stay as they are. Rahimi and Recht, 2007.

    w is normal with standard deviation 1 / sigma, b uniform in [0, 2 pi), unless w_init and b_init fill them.
    """

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        output_dims: int,
        sigma: float,
        w_init: Any = None,
        b_init: Any = None,
        name: str = "random_fourier_features",
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        demand_scalar(input_record)
        input_dims = input_record.field_type().shape[0]
        demand(input_dims >= 1, f"Expected input dimensions >= 1, got {input_dims}")
        self.output_dims = output_dims
        demand(output_dims >= 1, f"Expected output dimensions >= 1, got {output_dims}")
        self.output_schema = schema.Scalar((np.float32, (output_dims,)), self.get_next_blob_reference("output"))
        demand(sigma > 0.0, f"Expected bandwidth > 0, got {sigma}")
        w_init = w_init or ("GaussianFill", {"mean": 0.0, "std": 1.0 / sigma})
        b_init = b_init or ("UniformFill", {"min": 0.0, "max": 2 * np.pi})
        self.w = self.create_param("w", [output_dims, input_dims], w_init, model.NoOptim)
        self.b = self.create_param("b", [output_dims], b_init, model.NoOptim)

    def add_ops(self, net: core.Net) -> None:
        inputs = [*self.input_record.field_blobs(), self.w, self.b]
        angles = net.FC(inputs, net.NextScopedBlob("cosine_arg"))
        features = net.Cos([angles], net.NextScopedBlob("new_feature_vec"))
        net.Scale([features], self.output_schema.field_blobs(), scale=np.sqrt(2.0 / self.output_dims))
