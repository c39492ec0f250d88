"""Conv: convolution over two axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.python import core, schema
from caffe2.python._misuse import demand
from caffe2.python.layers._losses import demand_scalar
from caffe2.python.layers.layers import ModelLayer


def _integer(name: str, value: Any, least: int) -> int:
    demand(isinstance(value, int) and value >= least, f"{name} is an integer of at least {least}, not {value!r}")
    return value


class Conv(ModelLayer):
    """Convolution with output_dim kernels of kernel_h x kernel_w, plus a bias.

    pad_*: rows and columns added around the image; by default as many as keep its size where the stride is 1, else 0.
    order: "NHWC" or "NCHW", the axes of the images.
    kernel_init, bias_init: operators that fill the parameters, by default XavierFill and ConstantFill with 0.
    """

    def __init__(
        self,
        model: Any,
        input_record: schema.Field,
        output_dim: int,
        kernel_h: int,
        kernel_w: int,
        stride_h: int,
        stride_w: int,
        pad_b: int | None = None,
        pad_l: int | None = None,
        pad_r: int | None = None,
        pad_t: int | None = None,
        order: str = "NHWC",
        kernel_init: Any = None,
        bias_init: Any = None,
        kernel_optim: Any = None,
        bias_optim: Any = None,
        name: str = "conv",
        **kwargs: Any,
    ) -> None:
        super().__init__(model, name, input_record, **kwargs)
        demand_scalar(input_record)
        self.kernel_h, self.kernel_w = _integer("kernel_h", kernel_h, 1), _integer("kernel_w", kernel_w, 1)
        self.stride_h, self.stride_w = _integer("stride_h", stride_h, 1), _integer("stride_w", stride_w, 1)
        same_h = (kernel_h - 1) // 2 if stride_h == 1 else 0
        same_w = (kernel_w - 1) // 2 if stride_w == 1 else 0
        self.pad_t, self.pad_b, self.pad_r, self.pad_l = (
            _integer(name, default if pad is None else pad, 0)
            for name, pad, default in (
                ("pad_t", pad_t, same_h),
                ("pad_b", pad_b, same_h),
                ("pad_r", pad_r, same_w),
                ("pad_l", pad_l, same_w),
            )
        )
        demand(order in ("NHWC", "NCHW"), f"the order of the axes is NCHW or NHWC, not {order!r}")
        self.order = order
        channels = input_record.field_type().shape[0 if order == "NCHW" else -1]
        demand(channels > 0, "Number of input channels in conv parameters should be positive")
        window = [kernel_h, kernel_w]
        shape = [output_dim, channels, *window] if order == "NCHW" else [output_dim, *window, channels]
        self.kernel = self.create_param("conv_kernel", shape, kernel_init or ("XavierFill", {}), kernel_optim)
        fill = bias_init or ("ConstantFill", {"value": 0.0})
        self.bias = self.create_param("conv_bias", [output_dim], fill, bias_optim)
        self.output_schema = schema.Scalar((np.float32, (output_dim,)), self.get_next_blob_reference("output"))

    def add_ops(self, net: core.Net) -> None:
        names = ("kernel_h", "kernel_w", "stride_h", "stride_w", "pad_t", "pad_l", "pad_b", "pad_r", "order")
        net.Conv(
            [*self.input_record.field_blobs(), self.kernel, self.bias],
            self.output_schema.field_blobs(),
            **{name: getattr(self, name) for name in names},
        )
