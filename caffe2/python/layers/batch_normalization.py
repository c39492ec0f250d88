"""BatchNormalization: each column or channel to mean 0 and variance 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers._losses import demand_scalar
from caffe2.python.layers.layers import ModelLayer


class BatchNormalization(ModelLayer):
    """(x - mean) / std times a learned scale, plus a learned bias, by column, or by channel of images.

    momentum: the share of what they were that running mean and variance keep; evaluation uses these.
    order: "NCHW" or "NHWC", the axes of images. scale_init_value: where the scale starts.
    """

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        name: str = "batch_normalization",
        scale_optim: Any = None,
        bias_optim: Any = None,
        momentum: float = 0.9,
        order: str = "NCHW",
        scale_init_value: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        demand_scalar(input_record)
        self.input_shape = input_record.field_type().shape
        demand(len(self.input_shape) in (1, 3), f"This layer supports only 4D or 2D tensors, not {input_record!r}")
        if order not in ("NCHW", "NHWC"):
            raise ValueError(f"the order of the axes is NCHW or NHWC, not {order!r}")
        columns = self.input_shape[0 if order == "NCHW" else -1]
        self.output_schema = schema.Scalar((np.float32, self.input_shape), self.get_next_blob_reference("output"))
        self.momentum = momentum
        self.order = order
        self.scale, self.bias, self.rm, self.riv = (
            self.create_param(param, [columns], ("ConstantFill", {"value": value}), optim)
            for param, value, optim in (
                ("scale", scale_init_value, scale_optim),
                ("bias", 0.0, bias_optim),
                ("running_mean", 0.0, model.NoOptim),
                ("running_inv_var", 1.0, model.NoOptim),
            )
        )

    def _add_ops(self, net: core.Net, is_test: bool, out_blob: Any = None) -> None:
        blobs = self.input_record.field_blobs()
        flat = len(self.input_shape) == 1
        images = net.ExpandDims(blobs, dims=[2, 3]) if flat else blobs[0]
        output = self.output_schema.field_blobs() if out_blob is None else out_blob
        saved = [] if is_test else [self.rm, self.riv, *map(net.NextScopedBlob, ("bn_saved_mean", "bn_saved_iv"))]
        net.SpatialBN(
            [images, self.scale, self.bias, self.rm, self.riv],
            [*output, *saved],
            momentum=self.momentum,
            is_test=is_test,
            order=self.order,
        )
        if flat:
            net.Squeeze(output, output, dims=[2, 3])

    def add_train_ops(self, net: core.Net) -> None:
        self._add_ops(net, is_test=False)

    def add_eval_ops(self, net: core.Net) -> None:
        self._add_ops(net, is_test=True)

    def add_ops(self, net: core.Net) -> None:
        self.add_eval_ops(net)
