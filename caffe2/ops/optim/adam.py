"""Adam: of all of a parameter, of rows of it, and with one second moment a row; rectified Adam of rows.

Kingma and Ba, Adam: A Method for Stochastic Optimization, 2015; Liu et al., On the Variance of the Adaptive Learning
Rate and Beyond, 2020.
"""

from __future__ import annotations

from functools import partial
from math import prod

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Op, OutputCount, op
from caffe2.ops import demand
from caffe2.ops.native import Kernel
from caffe2.ops.optim.rows import fitted, in_order, rows_of, scalar, update_rows

COMPILED = Kernel("rows", "adam", "pppp q pp qq fffff qq")
SPARSE = {
    "inplace": "param => output_param, moment_1 => output_moment_1, moment_2 => output_moment_2",
    "types": "param moment_1 moment_2 grad lr: float, indices: index, iter: int64",
    "host": "iter",
    "mutates": True,
    "like": "param moment_1 moment_2 grad",
}


class _Adam(Op):
    """The arguments of Adam, and its arithmetic."""

    outputs: OutputCount
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-5

    def start(self, iter: Tensor) -> tuple[float, float, float]:
        """The step t = iter + 1, with 1 - beta1^t and 1 - beta2^t: what the moments hold of their means by then."""
        demand.one_number(iter, "iter")
        t = int(iter) + 1 if demand.concrete(iter) else iter.reshape(()).double() + 1
        if demand.concrete(iter) and t < 1:
            raise EnforceNotMet(f"iter counts from 0; it is {t - 1}")
        return t, 1 - self.beta1**t, 1 - self.beta2**t

    def moments_(self, m: Tensor, v: Tensor, g: Tensor, square: Tensor) -> None:
        """In place m = beta1 m + (1 - beta1) g and v = beta2 v + (1 - beta2) square."""
        m.lerp_(g, 1 - self.beta1)
        v.lerp_(square, 1 - self.beta2)

    def step(self, m: Tensor, v: Tensor, one: float, two: float) -> Tensor:
        """sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon)."""
        return (m / v.sqrt().add_(self.epsilon)).mul_(two**0.5 / one)


@op(
    "Adam: param moment_1 moment_2 grad lr iter -> output_param output_moment_1 output_moment_2 output_grad?",
    inplace="param -> output_param, moment_1 -> output_moment_1, moment_2 -> output_moment_2",
    types="param moment_1 moment_2 grad lr: float, iter: int64",
    host="iter",
    mutates=True,
    like="param moment_1 moment_2 grad",
)
class Adam(_Adam):
    """Adam: with t = iter + 1, m = moment_1 and v = moment_2, elementwise:

    m = beta1 m + (1 - beta1) grad, v = beta2 v + (1 - beta2) grad^2, output_grad = sqrt(1 - beta2^t) / (1 - beta1^t) m
    / (sqrt(v) + epsilon), param = param + lr output_grad. Epsilon is not corrected for t, unlike that of
    torch.optim.Adam. Kingma and Ba, Adam: A Method for Stochastic Optimization, 2014.

    output_grad: the step, before the learning rate.
    beta1, beta2: the weights of the past in the moving averages of grad and of its square.
    """

    def __call__(
        self, param: Tensor, moment_1: Tensor, moment_2: Tensor, grad: Tensor, lr: Tensor, iter: Tensor
    ) -> tuple[Tensor, ...]:
        m, v = fitted(moment_1, param, "moment_1"), fitted(moment_2, param, "moment_2")
        g, rate, (t, one, two) = fitted(grad, param, "grad"), scalar(lr), self.start(iter)
        if self.outputs == 3 and demand.readable(lr):
            in_order(partial(self._fused, rate=float(rate), t=t, two=two), param, m, v, grad=g)
            return param, moment_1, moment_2
        self.moments_(m, v, g, g.square())
        step = self.step(m, v, one, two)
        param.addcmul_(step, rate)
        return param, moment_1, moment_2, step.view(grad.shape)

    def _fused(self, w: Tensor, m: Tensor, v: Tensor, g: Tensor, rate: float, t: int, two: float) -> None:
        """The same by torch's kernel, which corrects epsilon: so it is given one that comes out right."""
        torch._fused_adam_(
            [w],
            [g],
            [m],
            [v],
            [],
            [torch.full((), float(t))],
            lr=-rate,
            beta1=self.beta1,
            beta2=self.beta2,
            weight_decay=0.0,
            eps=self.epsilon / two**0.5,
            amsgrad=False,
            maximize=False,
        )


class _Rows(_Adam):
    """Adam of the rows that indices name."""

    def update(self, tables: tuple[Tensor, ...], indices: Tensor, grad: Tensor, lr: Tensor, iter: Tensor) -> Tensor:
        """Apply the update to rows of (param, moment_1, moment_2), in place; the steps, one a row of grad."""
        rate, start = scalar(lr), self.start(iter)
        if COMPILED.serves(*tables, indices, grad, lr, iter):
            return self._compiled(tables, indices, rows_of(grad, indices, tables[0]), float(rate), start).view(
                grad.shape
            )

        def rule(w: Tensor, m: Tensor, v: Tensor, g: Tensor) -> Tensor:
            step = self.advance(m, v, g, *start)
            w.addcmul_(step, rate)
            return step

        return update_rows(rule, tables, indices, rows_of(grad, indices, tables[0])).view(grad.shape)

    def _compiled(
        self, tables: tuple[Tensor, ...], indices: Tensor, rows: Tensor, rate: float, start: tuple[int, float, float]
    ) -> Tensor:
        demand.in_range(indices, tables[0].shape[0], "indices")
        scale, plain = self.scale(*start)
        step = torch.empty_like(rows) if self.outputs > 3 else None
        count, width = indices.numel(), prod(tables[0].shape[1:])
        settings = rate, self.beta1, self.beta2, self.epsilon, scale, plain, self._row_wise
        COMPILED(*tables, indices, indices.itemsize == 8, rows, step, count, width, *settings)
        return rows if step is None else step

    _row_wise = False

    def scale(self, t: int, one: float, two: float) -> tuple[float, bool]:
        """What m is multiplied by to make the step, and whether that is all: it is not divided by a root."""
        return two**0.5 / one, False

    def advance(self, m: Tensor, v: Tensor, g: Tensor, t: int, one: float, two: float) -> Tensor:
        """Advance the moments of rows, in place; the step that they give."""
        self.moments_(m, v, g, g.square())
        scale, plain = self.scale(t, one, two)
        return m * scale if plain else (m / v.sqrt().add_(self.epsilon)).mul_(scale)


@op(
    "SparseAdam: param moment_1 moment_2 indices grad lr iter"
    " -> output_param output_moment_1 output_moment_2 output_grad?",
    **SPARSE,
)
class SparseAdam(_Rows):
    """Adam of the rows of param and of the moments that indices name.

    output_grad: the step of each row, before the learning rate.
    beta1, beta2: the weights of the past in the moving averages of grad and of its square.
    enableRAdam: the step is rectified: with r = 2 / (1 - beta2) - 1 and s = r - 2 t beta2^t / (1 - beta2^t) it is
        multiplied by sqrt((s - 4) (s - 2) r / ((r - 4) (r - 2) s)), or is m / (1 - beta1^t) while s < 5.
    """

    enableRAdam: bool = False

    def __call__(
        self,
        param: Tensor,
        moment_1: Tensor,
        moment_2: Tensor,
        indices: Tensor,
        grad: Tensor,
        lr: Tensor,
        iter: Tensor,
    ) -> tuple[Tensor, ...]:
        tables = param, fitted(moment_1, param, "moment_1"), fitted(moment_2, param, "moment_2")
        return param, moment_1, moment_2, self.update(tables, indices, grad, lr, iter)

    def scale(self, t: int, one: float, two: float) -> tuple[float, bool]:
        if not self.enableRAdam:
            return super().scale(t, one, two)
        rho = 2 / (1 - self.beta2) - 1
        now = rho - 2 * t * (1 - two) / two
        if now < 5:
            return 1 / one, True
        return (two * (now - 4) * (now - 2) * rho / ((rho - 4) * (rho - 2) * now)) ** 0.5 / one, False


@op(
    "RowWiseSparseAdam: param moment_1 moment_2 indices grad lr iter"
    " -> output_param output_moment_1 output_moment_2 output_grad?",
    **SPARSE,
)
class RowWiseSparseAdam(_Rows):
    """SparseAdam with one second moment for each row, of the mean of the squares of the row's gradient.

    moment_2: (M), 0 at the start.
    output_grad: the step of each row, before the learning rate.
    beta1, beta2: the weights of the past in the moving averages of grad and of its square.
    """

    _row_wise = True

    def __call__(
        self,
        param: Tensor,
        moment_1: Tensor,
        moment_2: Tensor,
        indices: Tensor,
        grad: Tensor,
        lr: Tensor,
        iter: Tensor,
    ) -> tuple[Tensor, ...]:
        if moment_2.numel() != param.shape[0]:
            raise EnforceNotMet(f"moment_2 holds a number for each row of param, {param.shape[0]}: {moment_2.numel()}")
        column = moment_2.view(-1, *[1] * (param.dim() - 1))
        tables = param, fitted(moment_1, param, "moment_1"), column
        return param, moment_1, moment_2, self.update(tables, indices, grad, lr, iter)

    def advance(self, m: Tensor, v: Tensor, g: Tensor, t: int, one: float, two: float) -> Tensor:
        square = g.square()
        axes = tuple(range(1, g.dim()))
        self.moments_(m, v, g, square.mean(axes, keepdim=True) if axes else square)
        return self.step(m, v, one, two)
