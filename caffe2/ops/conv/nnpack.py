"""The engine NNPACK of Conv: the same convolution, and the positive part of it where `activation` asks for that."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from caffe2.opdef import ArgumentTypeError, kernel
from caffe2.ops.conv.conv import Conv

ACTIVATIONS = {b"identity": False, b"Relu": True}


@kernel("Conv", "NNPACK")
class NNPackConv(Conv):
    def bind(self, site: Any) -> None:
        super().bind(site)
        named = next((arg.s for arg in site.op.arg if arg.name == "activation"), b"identity")
        if named not in ACTIVATIONS:
            raise ArgumentTypeError(f"Conv: with engine NNPACK, activation is identity or Relu, not {named.decode()!r}")
        self.rectify = ACTIVATIONS[named]

    def __call__(self, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
        y = super().__call__(x, w, b)
        return y.relu_() if self.rectify else y
