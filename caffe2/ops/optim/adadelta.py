"""Optimizers that divide by a root of a moving mean of squared gradients: Adadelta and RMSProp."""

from __future__ import annotations

from torch import Tensor

from caffe2.opdef import EnforceNotMet, Op, Site, op
from caffe2.ops.optim.rows import fitted, rows_of, scalar, update_rows


class _Adadelta(Op):
    epsilon: float = 1e-5
    decay: float = 0.95

    def bind(self, site: Site) -> None:
        if self.epsilon < 0 or not 0 < self.decay < 1:
            raise EnforceNotMet(
                f"{site.op.type}\n  epsilon is at least 0 and decay between 0 and 1: {self.epsilon}, {self.decay}"
            )

    def update_(self, w: Tensor, h: Tensor, d: Tensor, g: Tensor, lr: Tensor) -> None:
        """In place: h = decay h + (1 - decay) g^2, s = sqrt((d + e) / (h + e)) g, w = w + lr s, d like h of s."""
        h.lerp_(g.square(), 1 - self.decay)
        step = ((d + self.epsilon).sqrt_() / (h + self.epsilon).sqrt_()).mul_(g)
        w.addcmul_(step, lr)
        d.lerp_(step.square_(), 1 - self.decay)


@op(
    "Adadelta: param moment moment_delta grad lr -> output_param output_moment output_moment_delta",
    inplace="param -> output_param, moment -> output_moment, moment_delta -> output_moment_delta",
    types="param moment moment_delta grad lr: float",
    mutates=True,
    like="param moment moment_delta",
)
class Adadelta(_Adadelta):
    """moment = decay moment + (1 - decay) grad^2, step = sqrt(moment_delta + epsilon) / sqrt(moment + epsilon) grad,

    param = param + lr step, moment_delta = decay moment_delta + (1 - decay) step^2, elementwise. Zeiler, ADADELTA: An
    Adaptive Learning Rate Method, 2012.
    """

    def __call__(
        self, param: Tensor, moment: Tensor, moment_delta: Tensor, grad: Tensor, lr: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        h, d = fitted(moment, param, "moment"), fitted(moment_delta, param, "moment_delta")
        self.update_(param, h, d, fitted(grad, param, "grad"), scalar(lr))
        return param, moment, moment_delta


@op(
    "SparseAdadelta: param moment moment_delta indices grad lr -> output_param output_moment output_moment_delta",
    inplace="param => output_param, moment => output_moment, moment_delta => output_moment_delta",
    types="param moment moment_delta grad lr: float, indices: index",
    mutates=True,
    like="param moment moment_delta",
)
class SparseAdadelta(_Adadelta):
    """Adadelta of the rows of param, moment and moment_delta that indices name."""

    def __call__(
        self, param: Tensor, moment: Tensor, moment_delta: Tensor, indices: Tensor, grad: Tensor, lr: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        rate = scalar(lr)
        tables = param, fitted(moment, param, "moment"), fitted(moment_delta, param, "moment_delta")
        update_rows(lambda *rows: self.update_(*rows, rate), tables, indices, rows_of(grad, indices, param))
        return param, moment, moment_delta


@op(
    "RmsProp: grad mean_squares momentum lr -> output_grad output_mean_squares output_momentum",
    inplace="grad -> output_grad, mean_squares -> output_mean_squares, momentum -> output_momentum",
    types="grad mean_squares momentum lr: float",
    mutates=True,
    like="grad mean_squares momentum",
)
def rms_prop(
    grad: Tensor,
    mean_squares: Tensor,
    momentum_: Tensor,
    lr: Tensor,
    *,
    decay: float = 0.9,
    momentum: float = 0.0,
    epsilon: float = 1e-5,
) -> tuple[Tensor, Tensor, Tensor]:
    """mean_squares = decay mean_squares + (1 - decay) grad^2, and the step by it, with momentum.

    output_grad = output_momentum = momentum mu + lr grad / sqrt(mean_squares + epsilon), elementwise, where mu is the
    blob momentum and `momentum` the argument. Tieleman and Hinton, Lecture 6.5, 2012.

    momentum: the blob: the step before, of the shape of grad, 0 at the start; the argument: its weight.
    output_grad: the step.
    """
    s, m, rate = fitted(mean_squares, grad, "mean_squares"), fitted(momentum_, grad, "momentum"), scalar(lr)
    s.lerp_(grad.square(), 1 - decay)
    m.mul_(momentum).add_(grad / (s + epsilon).sqrt_() * rate)
    grad.copy_(m)
    return grad, mean_squares, momentum_
