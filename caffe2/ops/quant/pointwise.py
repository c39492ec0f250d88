"""Elementwise operators on quantized tensors: sums, products, activations and softmax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.opdef import UNKNOWN, EnforceNotMet, op
from caffe2.ops.quant.scheme import REACH, Quantizing, chosen, quantized, to_bytes
from caffe2.runtime.blob import Int8Tensor

ENGINES = "DNNLOWP DNNLOWP_16"


class Adding(Quantizing):
    """The sum of quantized tensors of one shape."""

    def __call__(self, *xs: Int8Tensor) -> Int8Tensor:
        shapes = {tuple(x.data.shape) for x in xs if isinstance(x, (Int8Tensor, Tensor))}
        if len(shapes) > 1:
            raise EnforceNotMet(f"all inputs have one shape, not {sorted(shapes)}")
        total = self.real(xs[0])
        for x in xs[1:]:
            total = total + self.real(x)
        return self.output(total)


class AddingRelu(Adding):
    relu = True


SUM = "The elementwise sum of quantized tensors, which have one shape{relu}."
for _header, _inplace in (("Int8Add: A B -> C", "A -> C, B -> C"), ("Int8Sum: A *B -> C", "A -> C, B -> C")):
    op(_header, inplace=_inplace, shape=UNKNOWN, engines=ENGINES, doc=SUM.format(relu=""))(Adding)
    _relu = _header.replace(":", "Relu:", 1)
    op(_relu, inplace=_inplace, shape=UNKNOWN, engines=ENGINES, doc=SUM.format(relu="; negative sums are raised to 0"))(
        AddingRelu
    )


@op("Int8Mul: A B -> C", shape=UNKNOWN, engines=ENGINES)
class Int8Mul(Quantizing):
    """The elementwise product C = A * B of two quantized tensors.

    broadcast: the dimensions of B are the last ones of A, or, with `axis`, those from it on; otherwise the shapes
        follow NumPy's rules.
    axis: the dimension of A where those of B begin; -1: the last ones. Ignored without broadcast.
    """

    broadcast: bool = False
    axis: int = -1

    def __call__(self, a: Int8Tensor, b: Int8Tensor) -> Int8Tensor:
        x, y = self.real(a), self.real(b)
        if self.broadcast and self.axis >= 0:
            y = y.reshape(*y.shape, *[1] * (x.dim() - self.axis - y.dim()))
        return self.output(x * y)


@op("Int8ElementwiseLinear: X w b -> Y", shape=UNKNOWN, engines=ENGINES)
class Int8ElementwiseLinear(Quantizing):
    """Y = X * w + b, w and b broadcast along the dimensions before `axis`.

    w, b: floats, with one element for each of those of X from `axis` on.
    Y: quantized, of the shape of X.
    axis: the first dimension that w and b share with X.
    """

    axis: int = 1

    def __call__(self, x: Int8Tensor, w: Tensor, b: Tensor) -> Int8Tensor:
        real = self.real(x)
        shape = real.shape[self.axis :]
        if w.numel() != shape.numel() or b.numel() != shape.numel():
            raise EnforceNotMet(f"w and b have {shape.numel()} elements, not {w.numel()} and {b.numel()}")
        return self.output(real * w.reshape(shape) + b.reshape(shape))


@op("Int8Relu: X -> Y", inplace="X -> Y", shape=UNKNOWN, engines=ENGINES)
class Int8Relu(Quantizing):
    """Y = max(X, 0): bytes below the zero point are raised to it.

    Y: of the shape, scale and zero point of X.
    """

    def __call__(self, x: Int8Tensor) -> Int8Tensor:
        x = self.held(x)
        return self.as_is(x.data.clamp(min=x.zero_point), x)


@op("Int8LeakyRelu: X -> Y", inplace="X -> Y", shape=UNKNOWN)
class Int8LeakyRelu(Quantizing):
    """Y = X where X is positive, alpha * X elsewhere.

    alpha: the slope on the negative side.
    """

    alpha: float = 0.01

    def __call__(self, x: Int8Tensor) -> Int8Tensor:
        return self.output(F.leaky_relu(self.real(quantized(x)), self.alpha))


class Bounded(Quantizing):
    """An activation whose range settles the scale and zero point of its output.

    The engines of the DNNLOWP family use `levels` of them for the range's length, others all 256.
    """

    span, centre, levels = 1.0, 0, 254

    def bind(self, site: Any) -> None:
        exact = "DNNLOWP" not in site.op.engine
        wanted = self.span / (256 if exact else self.levels), self.centre
        given = (wanted[0] if self.Y_scale is None or not exact else self.Y_scale), self.Y_zero_point or self.centre
        if abs(given[0] - wanted[0]) > 1e-6 or given[1] != wanted[1]:
            raise EnforceNotMet(f"Y_scale and Y_zero_point must be {wanted}; they are {given}")
        self.Y_scale, self.Y_zero_point = wanted
        super().bind(site)

    def looked_up(self, x: Int8Tensor | Tensor, reach: float) -> Tensor:
        """The values of X; for the tables of the DNNLOWP engines bytes span -reach .. reach, whatever their scale."""
        if self.lowp and isinstance(x, Int8Tensor):
            return (x.data.to(torch.float32) - 128) * (reach / 127)
        return self.real(x)


@op("Int8Sigmoid: input -> output", shape=UNKNOWN, engines=ENGINES)
class Int8Sigmoid(Bounded):
    """1 / (1 + exp(-input)), with the scale 1/256, or 1/254 with the engine DNNLOWP, and the zero point 0.

    output: of the shape of the input.
    Y_scale, Y_zero_point: if given, the scale and zero point named above.
    """

    def __call__(self, x: Int8Tensor) -> Int8Tensor:
        return self.output(torch.sigmoid(self.looked_up(x, 2 * REACH)))


@op("Int8Tanh: input -> output", shape=UNKNOWN, engines=ENGINES)
class Int8Tanh(Bounded):
    """The hyperbolic tangent, with the scale 1/128, or 1/127 with the engine DNNLOWP, and the zero point 128.

    output: of the shape of the input.
    Y_scale, Y_zero_point: if given, the scale and zero point named above.
    """

    span, centre = 2.0, 128

    def __call__(self, x: Int8Tensor) -> Int8Tensor:
        return self.output(torch.tanh(self.looked_up(x, REACH)))


@op("Int8Softmax: input -> output", shape=UNKNOWN)
class Int8Softmax(Bounded):
    """The softmax of all that each row of the first dimension holds, with the scale 1/256 and the zero point 0.

    An argument `axis` is accepted and ignored, as in the original.

    output: of the shape of the input.
    Y_scale, Y_zero_point: if given, the scale and zero point named above.
    """

    def __call__(self, x: Int8Tensor) -> Int8Tensor:
        real = self.real(quantized(x))
        return self.output(real.flatten(1).softmax(1).view_as(real) if real.numel() else real)


@op("Int8LSTMUnit: hidden_prev cell_prev gates seq_lengths timestep -> hidden cell", shape=UNKNOWN, engines=ENGINES)
class Int8LSTMUnit(Quantizing):
    """One step of an LSTM on quantized tensors.

    With the gates i, f, o, g: cell = sigmoid(f) * cell_prev + sigmoid(i) * tanh(g), hidden = sigmoid(o) * tanh(cell).
    With an engine of the DNNLOWP family the activations are looked up in tables: a gate's bytes span -6 .. 6 whatever
    its scale, and hidden and cell are quantized to suit the exact result.

    hidden_prev, cell_prev: (1, N, D): the state before.
    gates: (1, N, 4 * D): the input, forget and output gates and the candidate, before their activations.
    seq_lengths: (N), integers: sequences of which timestep is not below their length keep their state.
    timestep: one integer, the step.
    hidden, cell: (1, N, D), quantized.
    drop_states: the state of a sequence that is over becomes 0.
    """

    drop_states: bool = False

    def __call__(
        self, h: Int8Tensor, c: Int8Tensor, gates: Int8Tensor, lengths: Tensor, t: Tensor
    ) -> tuple[Int8Tensor, ...]:
        states = self.real(h), self.real(c)
        going = (lengths > t.reshape(-1)[0])[:, None]
        found = self._step(self.real(gates), *states, going)
        if not isinstance(gates, Int8Tensor) or not self.lowp:
            return tuple(self.output(v) for v in found)
        table = (gates.data.to(torch.float32) - 128) * (2 * REACH / 127)
        levels = self._step(table, *states, going, lambda v: (254 * v).round() / 254)
        parameters = (chosen(v) for v in found)
        return tuple(Int8Tensor(to_bytes(v, *q), *q) for v, q in zip(levels, parameters))

    def _step(
        self, gates: Tensor, h: Tensor, c: Tensor, going: Tensor, held: Callable[[Tensor], Tensor] = lambda v: v
    ) -> tuple[Tensor, Tensor]:
        """hidden and cell after one step; `held` is what a table of an activation holds for its value."""
        i, f, o, g = gates.unflatten(-1, (4, -1)).unbind(-2)
        cell = held(torch.sigmoid(f)) * c + held(torch.sigmoid(i)) * held(torch.tanh(g) / 2) * 2
        hidden = held(torch.sigmoid(o)) * held(torch.tanh(cell) / 2) * 2
        old = (torch.zeros_like(h), torch.zeros_like(c)) if self.drop_states else (h, c)
        return torch.where(going, hidden, old[0]), torch.where(going, cell, old[1])
