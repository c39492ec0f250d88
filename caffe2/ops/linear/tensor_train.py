"""The tensor-train layer: a fully connected layer whose weights are a product of small cores."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Op, Site, op


class TensorTrain(Op):
    """The sizes of the cores, which both TT and its gradient take."""

    inp_sizes: tuple[int, ...] = ()
    out_sizes: tuple[int, ...] = ()
    tt_ranks: tuple[int, ...] = ()

    def bind(self, site: Site) -> None:
        count = len(self.inp_sizes)
        if not count or len(self.out_sizes) != count or len(self.tt_ranks) != count + 1:
            raise EnforceNotMet(
                f"a tensor train of n cores has n inp_sizes, n out_sizes and n + 1 tt_ranks,"
                f" not {count}, {len(self.out_sizes)} and {len(self.tt_ranks)}"
            )

    def product(self, x: Tensor, b: Tensor, cores: Tensor) -> Tensor:
        """The rows of X times the cores, last one first, plus b."""
        self.demand(x, b, cores)
        y, at = x, 0
        for k in reversed(range(len(self.inp_sizes))):
            rows = self.inp_sizes[k] * self.tt_ranks[k + 1]
            columns = self.tt_ranks[k] * self.out_sizes[k]
            core = cores[at : at + rows * columns].reshape(rows, columns)
            y = (y.reshape(-1, rows) @ core).reshape(-1, self.out_sizes[k]).t()
            at += rows * columns
        return y.reshape(x.shape[0], -1).t().reshape(x.shape[0], -1) + b

    def demand(self, x: Tensor, b: Tensor, cores: Tensor) -> None:
        """Raise EnforceNotMet unless X, b and the cores have the sizes that the arguments say."""
        ranks = zip(self.inp_sizes, self.out_sizes, self.tt_ranks, self.tt_ranks[1:])
        needed = sum(math.prod(sizes) for sizes in ranks)
        inner, outer = math.prod(self.inp_sizes), math.prod(self.out_sizes)
        if x.dim() < 2 or x.shape[1:].numel() != inner or tuple(b.shape) != (outer,) or tuple(cores.shape) != (needed,):
            raise EnforceNotMet(
                f"X has rows of {inner}, b {outer} elements and the cores {needed};"
                f" they are X{list(x.shape)}, b{list(b.shape)}, cores{list(cores.shape)}"
            )


@op("TT: X b cores -> Y", types="X=b=cores: floating", gradient="TTLinearGradient: X b cores dY -> dX db dcores")
class TT(TensorTrain):
    """A fully connected layer in tensor-train form: Y = X W + b, where W is a product of n cores.

    As in the original, which transposes the last product as if the batch came first, the elements of a batch of more
    than one row are mixed: each is a right one, in another place. Novikov et al., Tensorizing Neural Networks, 2015.

    X: (M, prod(inp_sizes)).
    b: (prod(out_sizes)).
    cores: all cores, flat, the last one first; core i is a matrix of inp_sizes[i] * tt_ranks[i + 1] rows and
        tt_ranks[i] * out_sizes[i] columns.
    Y: (M, prod(out_sizes)).
    inp_sizes, out_sizes: the n factors of the number of rows, and of columns, of W.
    tt_ranks: the n + 1 ranks, the first and the last of them 1.
    """

    def __call__(self, x: Tensor, b: Tensor, cores: Tensor) -> Tensor:
        return self.product(x, b, cores)


@op(
    "TTLinearGradient: *inputs -> *outputs",
    types="inputs: floating",
    differs="it computes the gradient; the original only declares the operator",
)
class TTLinearGradient(TensorTrain):
    """The gradients of TT.

    inputs: X, b, cores and dY.
    outputs: dX, db and dcores.
    inp_sizes, out_sizes: the n factors of the number of rows, and of columns, of W.
    tt_ranks: the n + 1 ranks, the first and the last of them 1.
    """

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        if len(inputs) != 4:
            raise EnforceNotMet(f"it takes X, b, cores and dY, not {len(inputs)} blobs")
        _, slopes = torch.func.vjp(self.product, *inputs[:3])
        return slopes(inputs[3])
