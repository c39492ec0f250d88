"""Optimizers that divide by a root of the sum of squared gradients: Adagrad, row by row too, and WNGrad."""

from __future__ import annotations

from functools import partial
from math import prod

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Op, OutputCount, Site, op
from caffe2.ops import demand
from caffe2.ops.native import Kernel
from caffe2.ops.optim.rows import fitted, in_order, rows_of, scalar, update_rows

COMPILED = {
    row_wise: Kernel("rows", name, "pppqppqqfff") for row_wise, name in ((False, "adagrad"), (True, "row_wise_adagrad"))
}
ROWS = {"types": "param moment grad lr: float, indices: index", "mutates": True, "like": "param moment"}


def adagrad_(w: Tensor, h: Tensor, g: Tensor, lr: Tensor, epsilon: float, decay: float, weight_decay: float) -> tuple:
    """In place h = decay h + g^2, w = w + lr g / (sqrt(h) + epsilon), g taken with weight_decay w; w's rate, step."""
    if weight_decay:
        g = g.add(w, alpha=weight_decay)
    if decay != 1:
        h.mul_(decay)
    h.addcmul_(g, g)
    rate = lr / h.sqrt().add_(epsilon)
    step = rate * g
    w.add_(step)
    return rate, step


@op(
    "Adagrad: param moment grad lr -> output_param output_moment output_effective_lr? output_update?",
    inplace="param -> output_param, moment -> output_moment",
    types="param moment grad lr: float",
    engines="SIMD",
    mutates=True,
    like="param moment grad grad",
)
class Adagrad(Op):
    """moment = decay moment + grad^2, param = param + lr grad / (sqrt(moment) + epsilon), elementwise.

    Duchi et al., Adaptive Subgradient Methods, 2011.

    output_effective_lr: lr / (sqrt(moment) + epsilon), of the shape of param.
    output_update: what was added to param.
    decay: the weight of the moment before; 1 sums all squares.
    """

    outputs: OutputCount
    epsilon: float = 1e-5
    decay: float = 1.0
    weight_decay: float = 0.0
    _step = torch.ones(())

    def __call__(self, param: Tensor, moment: Tensor, grad: Tensor, lr: Tensor) -> tuple[Tensor, ...]:
        h, g, rate = fitted(moment, param, "moment"), fitted(grad, param, "grad"), scalar(lr)
        if self.outputs == 2 and self.decay == 1 and demand.readable(lr):
            in_order(partial(self._fused, rate=float(rate)), param, h, grad=g)
            return param, moment
        rates, step = adagrad_(param, h, g, rate, self.epsilon, self.decay, self.weight_decay)
        return param, moment, rates.view(grad.shape), step.view(grad.shape)

    def _fused(self, w: Tensor, h: Tensor, g: Tensor, rate: float) -> None:
        torch._fused_adagrad_(
            [w],
            [g],
            [h],
            [self._step],
            lr=-rate,
            lr_decay=0.0,
            weight_decay=self.weight_decay,
            eps=self.epsilon,
            maximize=False,
        )


def compiled(
    param: Tensor,
    moment: Tensor,
    indices: Tensor,
    grad: Tensor,
    lr: Tensor,
    epsilon: float,
    weight_decay: float,
    *,
    row_wise: bool = False,
    place: Tensor | None = None,
) -> bool:
    """Whether a compiled kernel has updated the rows of param and moment that indices name, in place.

    place: which row of grad goes with each index, int64, where it is not its own.
    Raises EnforceNotMet where an index is out of range.
    """
    kernel = COMPILED[row_wise]
    if not kernel.serves(param, moment, indices, grad, lr, place):
        return False
    demand.in_range(indices, param.shape[0], "indices")
    width = prod(param.shape[1:])
    settings = indices.numel(), width, float(lr), epsilon, weight_decay
    kernel(param, moment, indices, indices.itemsize == 8, grad, place, *settings)
    return True


@op(
    "SparseAdagrad: param moment indices grad lr -> output_param output_moment_1",
    inplace="param => output_param, moment => output_moment_1",
    engines="SIMD",
    **ROWS,
)
class SparseAdagrad(Op):
    """Adagrad of the rows of param and moment that indices name.

    decay: must be 1.
    """

    epsilon: float = 1e-5
    decay: float = 1.0
    weight_decay: float = 0.0

    def bind(self, site: Site) -> None:
        if self.decay != 1:
            raise EnforceNotMet(f"{site.op.type}\n  decays nothing: decay is 1, not {self.decay}")

    def __call__(
        self, param: Tensor, moment: Tensor, indices: Tensor, grad: Tensor, lr: Tensor
    ) -> tuple[Tensor, Tensor]:
        rows, rate = rows_of(grad, indices, param), scalar(lr)
        if compiled(param, fitted(moment, param, "moment"), indices, rows, rate, self.epsilon, self.weight_decay):
            return param, moment

        def rule(w: Tensor, h: Tensor, g: Tensor) -> None:
            adagrad_(w, h, g, rate, self.epsilon, 1.0, self.weight_decay)

        update_rows(rule, (param, fitted(moment, param, "moment")), indices, rows)
        return param, moment


@op(
    "RowWiseSparseAdagrad: param moment indices grad lr -> output_param output_moment_1",
    inplace="param => output_param, moment => output_moment_1",
    engines="SIMD",
    **ROWS,
)
def row_wise_sparse_adagrad(
    param: Tensor,
    moment: Tensor,
    indices: Tensor,
    grad: Tensor,
    lr: Tensor,
    *,
    epsilon: float = 1e-5,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """SparseAdagrad with one moment for each row, which grows by the mean of the squares of the row's gradient.

    moment: (M), 0 at the start.
    """
    rows, rate = rows_of(grad, indices, param), scalar(lr)
    tables = param, row_wise_moment(moment, param)
    if compiled(*tables, indices, rows, rate, epsilon, weight_decay, row_wise=True):
        return param, moment
    update_rows(lambda w, h, g: row_wise_(w, h, g, rate, epsilon, weight_decay), tables, indices, rows)
    return param, moment


def row_wise_moment(moment: Tensor, param: Tensor) -> Tensor:
    """A moment that holds one number for each row of param, as a column that broadcasts against it."""
    if moment.numel() != param.shape[0]:
        raise EnforceNotMet(f"moment holds a number for each of the {param.shape[0]} rows of param: {moment.numel()}")
    return moment.view(-1, *[1] * (param.dim() - 1))


def row_wise_(w: Tensor, h: Tensor, g: Tensor, lr: Tensor, epsilon: float, weight_decay: float) -> None:
    """In place h = h + mean(g^2) of each row, w = w + lr g / (sqrt(h) + epsilon), g taken with weight_decay w."""
    if weight_decay:
        g = g.add(w, alpha=weight_decay)
    axes = tuple(range(1, w.dim()))
    h.add_(g.square().mean(axes, keepdim=True) if axes else g.square())
    w.addcmul_(g, lr / h.sqrt().add_(epsilon))


def _wngrad(b: Tensor, g: Tensor, lr: Tensor, epsilon: float) -> Tensor:
    """The rate lr / (b + epsilon), after which b grows, in place, by |g|^2 / (b + epsilon)."""
    divisor = b + epsilon
    b.add_(g.square().sum() / divisor)
    return lr / divisor


@op(
    "Wngrad: param seq_b grad lr -> output_param output_seq_b output_effective_lr? output_update?",
    inplace="param -> output_param, seq_b -> output_seq_b",
    types="param seq_b grad lr: float",
    mutates=True,
    like="param seq_b seq_b grad",
)
def wngrad(
    param: Tensor, seq_b: Tensor, grad: Tensor, lr: Tensor, *, epsilon: float = 1e-5
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """param = param + lr grad / (seq_b + epsilon), then seq_b = seq_b + |grad|^2 / (seq_b + epsilon).

    Wu, Ward and Bottou, WNGrad: Learn the Learning Rate in Gradient Descent, 2018.

    seq_b: the state of the optimizer, one number.
    output_seq_b: seq_b, updated.
    output_effective_lr: lr / (seq_b + epsilon), one number.
    output_update: what was added to param.
    """
    fitted(grad, param, "grad")
    rate = _wngrad(scalar(seq_b, "seq_b"), grad, scalar(lr), epsilon)
    step = rate * grad
    param.add_(step.view(param.shape))
    return param, seq_b, rate.reshape(seq_b.shape), step


@op(
    "SparseWngrad: param seq_b indices grad lr -> output_param output_seq_b",
    inplace="param => output_param, seq_b => output_seq_b",
    types="param seq_b grad lr: float, indices: index",
    mutates=True,
    like="param seq_b",
)
def sparse_wngrad(
    param: Tensor, seq_b: Tensor, indices: Tensor, grad: Tensor, lr: Tensor, *, epsilon: float = 1e-5
) -> tuple[Tensor, Tensor]:
    """Wngrad of the rows of param that indices name; as in the original seq_b grows by |grad|^2 / seq_b.

    seq_b: the state of the optimizer, one number.
    output_seq_b: seq_b, updated.
    """
    rows, b = rows_of(grad, indices, param), scalar(seq_b, "seq_b")
    flat = indices.reshape(-1)
    demand.in_range(flat, param.shape[0], "indices")
    param.index_add_(0, flat, scalar(lr) / (b + epsilon) * rows)
    if indices.numel():
        b.add_(rows.square().sum() / b)
    return param, seq_b
