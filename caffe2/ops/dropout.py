"""Dropout of elements, and of the items of sparse features."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import UNKNOWN, EnforceNotMet, Gradient, Op, OutputCount, op
from caffe2.ops import demand


def _gradient(g: Gradient) -> Gradient:
    return g.op("DropoutGrad: dY -> dX" if g.arg("is_test", False) else "DropoutGrad: dY mask -> dX")


class Dropping(Op):
    """What dropout and its gradient settle alike."""

    ratio: float = 0.5
    is_test: bool = False

    def bind(self, site: object) -> None:
        if not 0 <= self.ratio < 1:
            raise EnforceNotMet(f"ratio is {self.ratio}; it must be at least 0 and less than 1")
        self.scale = 1 / (1 - self.ratio)


@op(
    "Dropout: X -> Y mask?",
    inplace="X -> Y",
    gradient=_gradient,
    types="X: floating",
    engines="CUDNN",
    view=True,
    random=True,
)
class Dropout(Dropping):
    """Each element is 0 with probability ratio: Y = X / (1 - ratio) * mask (Srivastava et al., 2014).

    With is_test Y = X.

    X: of any shape.
    Y: of the shape of X.
    mask: of the shape of X, bool: true with probability 1 - ratio; always with is_test.
    ratio: the probability, at least 0 and below 1.
    is_test: nothing is dropped.
    """

    outputs: OutputCount
    generator: torch.Generator

    def bind(self, site: object) -> None:
        super().bind(site)
        if not self.is_test and self.outputs != 2:
            raise EnforceNotMet("Dropout in training has two outputs: Y and mask")

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]:
        if self.is_test:
            return (x,) if self.outputs == 1 else (x, torch.ones_like(x, dtype=torch.bool))
        if self.generator is None and x.numel():  # of nothing torch makes a mask of another type
            return torch.native_dropout(x, self.ratio, True)
        mask = torch.empty_like(x, dtype=torch.bool).bernoulli_(1 - self.ratio, generator=self.generator)
        return x * mask * self.scale, mask


@op("DropoutGrad: dY mask? -> dX", inplace="dY -> dX", types="dY: floating, mask: bool", engines="CUDNN", view=True)
class DropoutGrad(Dropping):
    """dX = dY / (1 - ratio) * mask; dY with is_test.

    dY: the gradient of Dropout's Y.
    mask: as Dropout made it.
    dX: the gradient of X.
    ratio, is_test: as in Dropout.
    """

    def __call__(self, dy: Tensor, mask: Tensor | None = None) -> Tensor:
        if self.is_test:
            return dy
        if mask is None or mask.numel() != dy.numel():
            raise EnforceNotMet(f"mask has {0 if mask is None else mask.numel()} elements; dY has {dy.numel()}")
        return torch.ops.aten.native_dropout_backward(dy, mask.view(dy.shape), self.scale)


@op(
    "SparseDropoutWithReplacement: X Lengths -> Y OutputLengths",
    types="X: int64, Lengths: int32",
    shape=UNKNOWN,
    random=True,
)
def sparse_dropout_with_replacement(
    x: Tensor, lengths: Tensor, *, generator: torch.Generator, ratio: float = 0.0, replacement_value: int = 0
) -> tuple[Tensor, Tensor]:
    """Each run of items is kept, or with probability `ratio` replaced whole, an empty one too, by one item.

    X: (N), int64: the items.
    Lengths: (S), int32: how many items each run has; they add up to N.
    Y: the items left, one run after another.
    OutputLengths: (S), int32: how many items each run then has.
    ratio: the probability.
    replacement_value: the item that replaces a run.
    """
    if not 0 <= ratio <= 1:
        raise EnforceNotMet(f"ratio is {ratio}; it must lie between 0 and 1")
    demand.rank(x, 1, "X")
    demand.lengths(lengths, x.numel(), "Lengths")
    dropped = torch.rand(lengths.shape, generator=generator, device=x.device) < ratio
    out = torch.where(dropped, 1, lengths)
    of = torch.repeat_interleave(out)
    start = (lengths.cumsum(0) - lengths)[of] + torch.arange(of.numel(), device=x.device) - (out.cumsum(0) - out)[of]
    return torch.cat([x, x.new_tensor([replacement_value])])[torch.where(dropped[of], x.numel(), start)], out
