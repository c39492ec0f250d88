"""ArcCosineFeatureMap: random features whose products approximate an arc-cosine kernel."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers._losses import demand_scalar
from caffe2.python.layers.layers import ModelLayer


class ArcCosineFeatureMap(ModelLayer):
    """h(w x + b) with random w and b that stay as they are, and h(a) = a^s for a > 0, else 0. Cho and Saul, 2009.

    w is normal with standard deviation d = scale / sqrt(input columns), b uniform in +-d / 2, unless weight_init and
    bias_init fill them; weight_optim and bias_optim train them after all.
    set_weight_as_global_constant: draw w and b here, as constants of the model.
    """

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        output_dims: int,
        s: int = 1,
        scale: float = 1.0,
        weight_init: Any = None,
        bias_init: Any = None,
        weight_optim: Any = None,
        bias_optim: Any = None,
        set_weight_as_global_constant: bool = False,
        initialize_output_schema: bool = True,
        name: str = "arc_cosine_feature_map",
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        demand_scalar(input_record)
        self.set_weight_as_global_constant = set_weight_as_global_constant
        self.input_dims = input_record.field_type().shape[0]
        demand(self.input_dims >= 1, f"Expected input dimensions >= 1, got {self.input_dims}")
        if initialize_output_schema:
            blob = model.net.NextScopedBlob(name + "_output")
            self.output_schema = schema.Scalar((np.float32, (output_dims,)), blob)
        self.output_dims = output_dims
        demand(self.output_dims >= 1, f"Expected output dimensions >= 1, got {self.output_dims}")
        self.s = s
        demand(isinstance(s, int) and s >= 0, f"s is an integer that is not negative, not {s!r}")
        demand(scale > 0.0, f"Expected scale > 0, got {scale}")
        self.stddev = scale * np.sqrt(1.0 / self.input_dims)
        if set_weight_as_global_constant:
            self.random_w, self.random_b = self._draw()
        else:
            self.random_w, self.random_b = self._initialize_params(
                "random_w", "random_b", weight_init, bias_init, weight_optim, bias_optim
            )

    def _draw(self) -> list[core.BlobReference]:
        w = np.random.normal(scale=self.stddev, size=(self.output_dims, self.input_dims))
        b = np.random.uniform(low=-0.5 * self.stddev, high=0.5 * self.stddev, size=self.output_dims)
        return [
            self.model.add_global_constant(name=f"{self.name}_fixed_rand_{suffix}", array=array)
            for suffix, array in (("W", w), ("b", b))
        ]

    def _initialize_params(
        self, w_name: str, b_name: str, w_init: Any = None, b_init: Any = None, w_optim: Any = None, b_optim: Any = None
    ) -> list[core.BlobReference]:
        half, keep = 0.5 * self.stddev, self.model.NoOptim
        w_init = w_init or ("GaussianFill", {"mean": 0.0, "std": self.stddev})
        b_init = b_init or ("UniformFill", {"min": -half, "max": half})
        return [
            self.create_param(w_name, (self.output_dims, self.input_dims), w_init, w_optim or keep),
            self.create_param(b_name, [self.output_dims], b_init, b_optim or keep),
        ]

    def _heaviside_with_power(self, net: core.Net, input_features: Any, output_blob: Any, s: int) -> Any:
        """h; the step of s = 0 is a softsign, which has a gradient."""
        if s == 0:
            return net.Relu(net.Softsign([input_features], net.NextScopedBlob("softsign")), output_blob)
        if s == 1:
            return net.Relu([input_features], output_blob)
        positive = net.Relu([input_features], net.NextScopedBlob("relu_rand"))
        power = net.Pow([input_features], net.NextScopedBlob("pow_rand"), exponent=float(s - 1))
        return net.Mul([positive, power], output_blob)

    def add_ops(self, net: core.Net) -> None:
        inputs = [*self.input_record.field_blobs(), self.random_w, self.random_b]
        features = net.FC(inputs, net.NextScopedBlob("random_features"))
        self._heaviside_with_power(net, features, self.output_schema.field_blobs(), self.s)
