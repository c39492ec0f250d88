"""Affine quantization to bytes: real value = scale * (byte - zero point); its parameters, and values there and back."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Op
from caffe2.runtime.blob import Int8Tensor, describe

LEVELS = 255
SMALLEST = 6.1e-5
"""Scales below it are raised to it: less than half precision's smallest normal number."""

REACH = 3.0
"""What the last byte stands for in the original's table of the hyperbolic tangent; twice that for the sigmoid's."""
FOLLOWED = {"Sigmoid": 2 * REACH, "Tanh": REACH}
"""What bytes span that are to be looked up in these tables."""


def choose(low: float, high: float) -> tuple[float, int]:
    """The scale and zero point with which bytes span an interval that holds 0, which they hit exactly.

    Of the zero points that the two ends ask for it is the one that bears the smaller error, rounded.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / LEVELS
    if scale < torch.finfo(torch.float32).tiny:
        scale = 0.1
    if scale < SMALLEST:
        low, high, scale = low * SMALLEST / scale, high * SMALLEST / scale, SMALLEST
    from_low, from_high = -low / scale, LEVELS - high / scale
    nearer = from_low if abs(low / scale) < LEVELS + abs(high / scale) else from_high
    return scale, min(max(round(nearer), 0), LEVELS)


def chosen(x: Tensor) -> tuple[float, int]:
    """The scale and zero point for the values of a tensor."""
    return choose(*(float(v) for v in x.aminmax())) if x.numel() else (0.1, 0)


def to_bytes(x: Tensor, scale: float, zero_point: int) -> Tensor:
    """x / scale, rounded half to even, plus the zero point, within 0 .. 255."""
    return (x * (1 / scale)).round_().add_(zero_point).clamp_(0, LEVELS).to(torch.uint8)


def to_real(x: Int8Tensor) -> Tensor:
    """The values that a quantized tensor stands for."""
    return x.data.to(torch.float32).sub_(x.zero_point).mul_(x.scale)


def nearest(x: Tensor) -> Tensor:
    """x as a quantized tensor of its own would hold it."""
    return to_real(Int8Tensor(to_bytes(x, *(parameters := chosen(x))), *parameters)) if x.numel() else x


class Quantizing(Op):
    """Base of operators with a quantized output.

    Y_scale, Y_zero_point: the scale, positive, and the zero point, 0 .. 255, of the output; 1 and 0 unless given. With
        an engine of the DNNLOWP family and without Y_scale they are chosen anew at every run, so that the bytes span
        the output's values.
    dequantize_output: the output is a float tensor, not a quantized one.
    followed_by: Sigmoid or Tanh, if that takes the output next: the engines of the DNNLOWP family then choose the scale
        that its table of values needs. Others ignore it.

    Where negative values count as 0 these engines spread the bytes over what is left of the range of Y_scale.
    """

    relu = False

    Y_scale: float | None = None
    Y_zero_point: int | None = None
    dequantize_output: bool = False
    followed_by: str = ""
    _adaptive = False

    def bind(self, site: Any) -> None:
        self.lowp = "DNNLOWP" in site.op.engine
        self._adaptive = self.lowp and self.Y_scale is None
        self.scale = 1.0 if self.Y_scale is None else self.Y_scale
        self.zero_point = self.Y_zero_point or 0
        if self.lowp and self.relu and self.Y_scale is not None:
            self.scale, self.zero_point = choose(0, (LEVELS - self.zero_point) * self.scale)
        if self.lowp and self.followed_by in FOLLOWED:
            self.scale, self.zero_point, self._adaptive = FOLLOWED[self.followed_by] / 127, 128, False
        if not self.scale > 0 or not 0 <= self.zero_point <= LEVELS:
            raise EnforceNotMet(f"Y_scale must be positive and Y_zero_point a byte: {self.scale}, {self.zero_point}")
        super().bind(site)

    def output(self, y: Tensor, unit: float = 1.0, parameters: Any = None) -> Int8Tensor | Tensor:
        """The output for values y in multiples of `unit`; `parameters`, with scale and zero_point, come first."""
        if self.relu:
            y = y.clamp(min=0)
        if self.dequantize_output:
            return y * unit
        if parameters is not None:
            scale, zero_point = parameters.scale, parameters.zero_point
        else:
            scale, zero_point = chosen(y * unit) if self._adaptive else (self.scale, self.zero_point)
        return Int8Tensor(to_bytes(y, scale / unit, zero_point), scale, zero_point)

    def as_is(self, data: Tensor, like: Int8Tensor) -> Int8Tensor:
        """An output whose bytes are those of an input, and with the engines of the DNNLOWP family its parameters too.

        Raises EnforceNotMet where others are asked for without such an engine.
        """
        if self.lowp:
            return Int8Tensor(data, like.scale, like.zero_point)
        if abs(self.scale - like.scale) > 1e-6 * self.scale or self.zero_point != like.zero_point:
            held, wanted = (like.scale, like.zero_point), (self.scale, self.zero_point)
            raise EnforceNotMet(
                f"the output keeps the bytes of its input: scale and zero point {held} are not {wanted}"
            )
        return Int8Tensor(data, self.scale, self.zero_point)

    def held(self, x: Int8Tensor | Tensor) -> Int8Tensor:
        """An input as bytes; the engines of the DNNLOWP family quantize one of floats. Raises EnforceNotMet else."""
        if isinstance(x, Int8Tensor) or not self.lowp:
            return quantized(x)
        parameters = chosen(floats(x))
        return Int8Tensor(to_bytes(x, *parameters), *parameters)

    def real(self, x: Int8Tensor | Tensor) -> Tensor:
        """The values of an input; an ordinary tensor is taken as bytes could hold it. Raises EnforceNotMet else."""
        return to_real(x) if isinstance(x, Int8Tensor) else nearest(floats(x))


def quantized(x: Any, name: str = "X") -> Int8Tensor:
    """x itself. Raises EnforceNotMet where it is not quantized."""
    if not isinstance(x, Int8Tensor) or not isinstance(x.data, Tensor):
        raise EnforceNotMet(f"{name} must be a quantized tensor, such as Int8Quantize makes")
    if x.data.dtype != torch.uint8:
        raise EnforceNotMet(f"{name} must hold bytes, uint8, not {describe(x)}")
    return x


def floats(x: Any, name: str = "X") -> Tensor:
    """x itself. Raises EnforceNotMet where it is no tensor of floats."""
    if not isinstance(x, Tensor) or not x.is_floating_point():
        raise EnforceNotMet(f"{name} must be a quantized tensor, or one of floats")
    return x
