"""The DNNLOWP engines of ordinary operators: what their quantized namesakes do, on quantized tensors or on floats."""

from __future__ import annotations

from typing import Any

from torch import Tensor

import caffe2.ops.quant.basic
import caffe2.ops.quant.pointwise
import caffe2.ops.rnn.cell  # noqa: F401  (these define operators)
from caffe2.opdef import kernel, lookup
from caffe2.ops.quant.spatial import Int8SpatialBN
from caffe2.ops.quant.weighted import ENGINES, FullyConnected, PackedWeights
from caffe2.runtime.blob import Int8Tensor

ALIKE = (
    "Add AveragePool BatchMatMul ChannelShuffle Concat Conv ConvRelu ElementwiseLinear Gather GroupNorm LSTMUnit "
    "MaxPool Mul Relu Sigmoid Sum SumRelu Tanh"
).split()
"""Operators that take what those named Int8... take."""

for _name in ALIKE:
    for _engine in lookup(f"Int8{_name}").engines:
        kernel(_name, _engine)(lookup(f"Int8{_name}").body)


class FC(FullyConnected):
    def __call__(self, x: Int8Tensor, w: Int8Tensor | PackedWeights, b: Int8Tensor) -> Int8Tensor:
        return super().__call__(x, w, b)


for _engine in ENGINES.split():
    kernel("FC", _engine)(FC)


@kernel("SpatialBN", "DNNLOWP")
class SpatialBN(Int8SpatialBN):
    def __call__(
        self,
        x: Int8Tensor,
        scale: Tensor,
        bias: Tensor,
        mean: Tensor,
        var: Tensor,
        sums: Tensor | None = None,
        sumsq: Tensor | None = None,
    ) -> tuple[Any, ...]:
        return (super().__call__(x, scale, bias, mean, var),)
