"""LayerNormalization: each example to mean 0 and variance 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers._losses import demand_scalar
from caffe2.python.layers.layers import ModelLayer


class LayerNormalization(ModelLayer):
    """(x - mean) / sqrt(var + epsilon) times a learned scale, plus a learned bias. Ba, Kiros and Hinton, 2016.

    axis: the first axis that is averaged over.
    use_layer_norm_op: use the one operator LayerNorm; otherwise several, for vectors alone.
    scale_init_value: where the scale starts.
    """

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        name: str = "layer_normalization",
        scale_optim: Any = None,
        bias_optim: Any = None,
        epsilon: float = 1e-4,
        axis: int = 1,
        use_layer_norm_op: bool = True,
        scale_init_value: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        demand_scalar(input_record, dimensions=1)
        self.input_shape = input_record.field_type().shape
        self.axis = axis
        columns = self.input_shape[0]
        self.output_schema = schema.Scalar((np.float32, self.input_shape), self.get_next_blob_reference("output"))
        self.scale = self.create_param("scale", [columns], ("ConstantFill", {"value": scale_init_value}), scale_optim)
        self.bias = self.create_param("bias", [columns], ("ConstantFill", {"value": 0.0}), bias_optim)
        self.use_layer_norm_op = use_layer_norm_op
        if use_layer_norm_op:
            self.epsilon = epsilon
        else:
            demand(len(self.input_shape) == 1, "without the operator LayerNorm, examples are vectors")
            self.epsilon = model.maybe_add_global_constant(f"{self.name}_epsilon", float(epsilon))

    def add_ops_with_layer_norm_op(self, net: core.Net) -> None:
        """Append LayerNorm, scale and bias."""
        outputs = [net.NextScopedBlob(name) for name in ("ln_output", "ln_mean", "ln_stdev")]
        inputs = self.input_record.field_blobs()
        normalized, _, _ = net.LayerNorm(inputs, outputs, axis=self.axis, epsilon=self.epsilon)
        along = {"broadcast": 1, "axis": self.axis}
        scaled = net.Mul([normalized, self.scale], [net.NextScopedBlob("ln_scaled")], **along)
        net.Add([scaled, self.bias], self.output_schema.field_blobs(), **along)

    def add_ops_without_layer_norm_op(self, net: core.Net) -> None:
        """Append mean, variance, scale and bias by operators of their own."""
        blobs = self.input_record.field_blobs()
        new = net.NextScopedBlob
        names = ("output", "mean", "stdev", "mean_arr", "centered", "sqr", "sqr_mean", "var", "std_arr", "scaled")
        output, mean, std, means, centered, squares, variances, shifted, stds, scaled = (new(f"ln_{n}") for n in names)
        net.ReduceBackMean(blobs, [means])
        net.ExpandDims([means], [mean], dims=[1])
        net.Sub([*blobs, mean], [centered])
        net.Sqr([centered], [squares])
        net.ReduceBackMean([squares], [variances])
        net.Add([variances, self.epsilon], shifted)
        net.Pow([shifted], [stds], exponent=0.5)
        net.ExpandDims([stds], [std], dims=[1])
        net.Div([centered, std], [output])
        net.Mul([output, self.scale], [scaled])
        net.Add([scaled, self.bias], self.output_schema.field_blobs())

    def add_ops(self, net: core.Net) -> None:
        if self.use_layer_norm_op:
            self.add_ops_with_layer_norm_op(net)
        else:
            self.add_ops_without_layer_norm_op(net)
