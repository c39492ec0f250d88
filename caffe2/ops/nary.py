"""Elementwise operators of any number of tensors of one shape: sums, means, extremes and weighted sums.

X, A, data_0: of any shape.
Y, B, data: any number of tensors of the same shape.
M, C, sum: of the shape of the inputs.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Gradient, OutputCount, gradient, op


def total(xs: tuple[Tensor, ...]) -> Tensor:
    """The sum of tensors, in new storage."""
    if len(xs) == 1:
        return xs[0].clone()
    y = xs[0] + xs[1]
    for x in xs[2:]:
        y += x
    return y


def add_up(*xs: Tensor) -> Tensor:
    return total(xs)


for name, types in (("Sum", "floating index"), ("SumInt", "floating index")):
    op(
        f"{name}: A *B -> C",
        doc="The elementwise sum of all inputs: C = A + B + ...",
        inplace="A -> C",
        types=f"A=B: {types}",
        same="A B",
        like="A",
    )(add_up)


@gradient("Sum")
def _(g: Gradient) -> None:
    given = g.blob("dC")
    g.set("A", given).set("B", [given] * len(g.inputs["B"]))


@op(
    "SumRelu: data_0 *data -> sum",
    inplace="data_0 -> sum",
    types="data_0=data: floating int32",
    same="data_0 data",
    like="data_0",
)
def sum_relu(*xs: Tensor) -> Tensor:
    """The positive part of the elementwise sum of all inputs, which have one shape."""
    return torch.relu(total(xs))


@op(
    "Mean: X *Y -> M",
    inplace="X -> M",
    types="X=Y: floating",
    same="X Y",
    like="X",
    gradient="MeanGradient: dM -> dX dY",
)
def mean(*xs: Tensor) -> Tensor:
    """The elementwise mean of all inputs, which have one shape."""
    return total(xs) / len(xs)


@op("MeanGradient: dM -> dX *dY", inplace="dM -> dX", types="dM: floating", like="dM")
def mean_gradient(dm: Tensor, *, count: OutputCount) -> tuple[Tensor, ...]:
    """Each of the outputs is dM / n, n being how many there are.

    dX, dY: as many as the forward operator has inputs.
    """
    return tuple(dm / count for _ in range(count))


def extreme(name: str, word: str, function: Any) -> None:
    """Define Max or Min, and the gradient, which goes to every input that holds the extreme value."""

    def body(*xs: Tensor) -> Tensor:
        return reduce(function, xs) if len(xs) > 1 else xs[0].clone()

    op(
        f"{name}: X *Y -> M",
        doc=f"The elementwise {word} of all inputs.",
        inplace="X -> M",
        types="X=Y: floating index",
        same="X Y",
        like="X",
        gradient=f"{name}Gradient: M dM X Y -> dX dY",
    )(body)
    op(
        f"{name}Gradient: M dM +X -> +dX",
        doc=f"dX = dM where X = M, the {word}, else 0: each of several equal extremes gets all of dM.",
        types="M=dM=X: floating",
        same="M dM X",
        like="M",
        arity=lambda i, o: i == o + 2,
    )(extreme_gradient)


def extreme_gradient(m: Tensor, dm: Tensor, *xs: Tensor) -> tuple[Tensor, ...]:
    return tuple(dm * (x == m) for x in xs)


extreme("Max", "maximum", torch.maximum)
extreme("Min", "minimum", torch.minimum)


def scalar(w: Tensor, x: Tensor) -> Tensor:
    """A weight as a tensor that broadcasts against X without adding dimensions to it."""
    if w.numel() != 1:
        raise EnforceNotMet(f"a weight is one number, not {list(w.shape)}")
    return w if 1 == w.dim() <= x.dim() else w.reshape(())


@op(
    "WeightedSum: *(X weight) -> output",
    inplace="X_weight -> output",
    types="X_weight: floating",
    shape=lambda x, *_, **__: x,
    arity=lambda i, o: i >= 2,
)
def weighted_sum(*flat: Tensor, grad_on_w: bool = False) -> Tensor:
    """output = sum of weight_i * X_i over the pairs of inputs.

    X: tensors of one shape.
    weight: one number, float32, for each X.
    output: of the shape of X.
    grad_on_w: whether the weights get gradients too.
    """
    y = flat[0] * scalar(flat[1], flat[0])
    for x, w in zip(flat[2::2], flat[3::2]):
        if x.shape != y.shape:
            raise EnforceNotMet(f"all tensors have one shape; there are {list(y.shape)} and {list(x.shape)}")
        y = torch.addcmul(y, x, scalar(w, x))
    return y


@gradient("WeightedSum")
def _(g: Gradient) -> None:
    xs, weights = g.forward.input[::2], g.forward.input[1::2]
    wanted = [*xs, *weights] if g.arg("grad_on_w", False) else xs
    g.add("WeightedSumGradient", [g.blob("doutput"), *g.forward.input], [f"{n}_grad" for n in wanted])
    pairs = [(f"{x}_grad", f"{w}_grad" if len(wanted) > len(xs) else None) for x, w in zip(xs, weights)]
    g.set("X_weight", [grad for pair in pairs for grad in pair])


@op(
    "WeightedSumGradient: doutput *(X weight) -> +dX",
    types="doutput X_weight: floating",
    arity=lambda i, o: i >= 3,
    shape=lambda dy, *flat, grad_on_w=False: [dy] * (len(flat) // 2) + [dy.new_empty(1)] * (len(flat) // 2),
)
def weighted_sum_gradient(dy: Tensor, *flat: Tensor, grad_on_w: bool = False) -> tuple[Tensor, ...]:
    """dX_i = weight_i * doutput and, with grad_on_w, after all of these dweight_i = sum of X_i * doutput.

    doutput: the gradient of output.
    dX: the gradient of every X; with grad_on_w, then that of every weight, of shape (1).
    """
    slopes = [dy * scalar(w, dy) for w in flat[1::2]]
    if grad_on_w:
        slopes += [torch.dot(x.reshape(-1), dy.reshape(-1)).reshape(1) for x in flat[::2]]
    return tuple(slopes)
