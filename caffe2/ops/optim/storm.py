"""STORM: momentum SGD with variance reduction, of all of a parameter and of rows of it."""

from __future__ import annotations

from torch import Tensor

from caffe2.opdef import op
from caffe2.ops import demand
from caffe2.ops.optim.rows import fitted, rows_of, scalar, update_rows


def _rates(total: Tensor, g: Tensor, lr: Tensor, momentum: float, beta: float) -> tuple[Tensor, Tensor]:
    """total = total + |g|^2 in place, and then eta = lr / cbrt(beta + total) and momentum eta^2."""
    total.add_(g.square().sum())
    rate = lr * (total + beta) ** (-1 / 3)
    return rate, momentum * rate * rate


def _update_(w: Tensor, m: Tensor, g: Tensor, rate: Tensor, alpha: Tensor) -> None:
    """In place: m = g + (1 - alpha) (m - g), w = w + rate m."""
    m.sub_(g).mul_(1 - alpha).add_(g)
    w.addcmul_(m, rate)


@op(
    "Storm: param moment grad_sq_sum grad lr -> output_param output_moment output_grad_sq_sum",
    inplace="param -> output_param, moment -> output_moment, grad_sq_sum -> output_grad_sq_sum",
    types="param moment grad_sq_sum grad lr: float",
    mutates=True,
    like="param moment grad_sq_sum",
)
def storm(
    param: Tensor,
    moment: Tensor,
    grad_sq_sum: Tensor,
    grad: Tensor,
    lr: Tensor,
    *,
    momentum: float = 10.0,
    beta: float = 0.1,
) -> tuple[Tensor, Tensor, Tensor]:
    """Stochastic recursive momentum: grad_sq_sum = grad_sq_sum + |grad|^2, eta = lr / cbrt(beta + grad_sq_sum),

    alpha = momentum eta^2, moment = grad + (1 - alpha) (moment - grad), param = param + eta moment. Cutkosky and
    Orabona, Momentum-Based Variance Reduction in Non-Convex SGD, 2019.

    grad_sq_sum: the sum of the squares of all gradients, one number.
    output_grad_sq_sum: grad_sq_sum, updated.
    momentum: c in alpha = c eta^2.
    beta: is added to grad_sq_sum under the root.
    """
    m, g = fitted(moment, param, "moment"), fitted(grad, param, "grad")
    rate, alpha = _rates(scalar(grad_sq_sum, "grad_sq_sum"), grad, scalar(lr), momentum, beta)
    _update_(param, m, g, rate, alpha)
    return param, moment, grad_sq_sum


@op(
    "SparseStorm: param moment grad_sq_sum grad indices lr -> output_param output_moment output_grad_sq_sum",
    inplace="param => output_param, moment => output_moment, grad_sq_sum => output_grad_sq_sum",
    types="param moment grad_sq_sum grad lr: float, indices: index",
    mutates=True,
    like="param moment grad_sq_sum",
)
def sparse_storm(
    param: Tensor,
    moment: Tensor,
    grad_sq_sum: Tensor,
    grad: Tensor,
    indices: Tensor,
    lr: Tensor,
    *,
    momentum: float = 10.0,
    beta: float = 0.1,
) -> tuple[Tensor, Tensor, Tensor]:
    """Storm of the rows of param and moment that indices name.

    grad_sq_sum: the sum of the squares of all gradients, one number.
    output_grad_sq_sum: grad_sq_sum, updated.
    momentum: c in alpha = c eta^2.
    beta: is added to grad_sq_sum under the root.
    """
    tables, rows = (param, fitted(moment, param, "moment")), rows_of(grad, indices, param)
    demand.in_range(indices, param.shape[0], "indices")
    rate, alpha = _rates(scalar(grad_sq_sum, "grad_sq_sum"), grad, scalar(lr), momentum, beta)
    update_rows(lambda w, m, g: _update_(w, m, g, rate, alpha), tables, indices, rows)
    return param, moment, grad_sq_sum
