"""Embedding tables in tensor-train form: every row is a product of slices of small cores.

Oseledets, Tensor-Train Decomposition, 2011; Yin et al., TT-Rec: Tensor Train Compression for Deep Learning
Recommendation Models, 2021.
"""

from __future__ import annotations

from itertools import accumulate
from math import prod
from operator import mul

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Op, Site, op
from caffe2.ops import demand, ragged
from caffe2.ops.segment.reduce import pooled


def _slices(core: Tensor, rows: Tensor, rank: int) -> Tensor:
    """The slices of a core, [rank, ...] each, that rows name."""
    return core.index_select(0, rows).reshape(rows.numel(), rank, prod(core.shape[1:]) // max(rank, 1))


@op(
    "TTSparseLengthsSum: core0 core1 core2 index lengths -> OUTPUT core0_output core1_output indices",
    gradient="TTSparseLengthsSumGradient: core0 core1 core2 lengths core0_output core1_output indices dOUTPUT"
    " -> dcore0 dcore1 dcore2",
    types="core0 core1 core2: float, index: int64, lengths: int32",
)
class TTSparseLengthsSum(Op):
    """SparseLengthsSum of an embedding table in tensor-train form, a product of three cores.

    The table has factor_i[0] factor_i[1] factor_i[2] rows; row i = i_0 + factor_i[0] (i_1 + factor_i[1] i_2) has
    emb_size = factor_j[0] factor_j[1] factor_j[2] numbers: the product of the slices core_k[i_k], of (ranks[k],
    factor_j[k] ranks[k + 1]) each.

    core0, core1, core2: (factor_i[k], ranks[k], factor_j[k], ranks[k + 1]) each.
    index: (N): rows of the table.
    OUTPUT: (S, emb_size): the sum of the rows of each segment.
    core0_output, core1_output: the products of the first, and of the first two, slices of each index, for the gradient.
    indices: (N, 3): the i_k of each index.
    factor_i: three factors of the number of rows.
    factor_j: three factors of emb_size.
    ranks: the four ranks, the first and the last of them 1.
    emb_size: the length of a row.
    """

    factor_i: tuple[int, ...] = (1, 1, 1)
    factor_j: tuple[int, ...] = (1, 1, 1)
    ranks: tuple[int, ...] = (1, 1, 1, 1)
    emb_size: int = 64

    def bind(self, site: Site) -> None:
        if (len(self.factor_i), len(self.factor_j), len(self.ranks)) != (3, 3, 4) or prod(
            self.factor_j
        ) != self.emb_size:
            raise EnforceNotMet(
                f"{site.op.type}\n  there are three factor_i, three factor_j whose product is emb_size, and four ranks:"
                f" {self.factor_i}, {self.factor_j}, {self.emb_size}, {self.ranks}"
            )

    def __call__(
        self, core0: Tensor, core1: Tensor, core2: Tensor, index: Tensor, lengths: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        demand.rank(index, 1, "index")
        demand.lengths(lengths, index.numel(), "lengths")
        demand.in_range(index, prod(self.factor_i), "index")
        strides = list(accumulate(self.factor_i, mul, initial=1))[:3]
        indices = torch.stack([index // s % n for s, n in zip(strides, self.factor_i)], 1)
        count, (_, r1, r2, r3), j = index.numel(), self.ranks, self.factor_j
        first = _slices(core0, indices[:, 0], self.ranks[0]).reshape(count, j[0], r1)
        second = torch.bmm(first, _slices(core1, indices[:, 1], r1)).reshape(count, j[0] * j[1], r2)
        rows = torch.bmm(second, _slices(core2, indices[:, 2], r2)).reshape(count, self.emb_size * r3)
        return pooled(rows[:, : self.emb_size], None, lengths), first, second, indices


@op(
    "TTSparseLengthsSumGradient: core0 core1 core2 lengths core0_output core1_output indices dOUTPUT"
    " -> dcore0 dcore1 dcore2",
    types="core0 core1 core2 core0_output core1_output dOUTPUT: float, lengths: int32, indices: int64",
    like="core0 core1 core2",
)
def tt_sparse_lengths_sum_gradient(
    core0: Tensor,
    core1: Tensor,
    core2: Tensor,
    lengths: Tensor,
    first: Tensor,
    second: Tensor,
    indices: Tensor,
    dy: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of the cores of TTSparseLengthsSum, from what it kept of every index."""
    demand.lengths(lengths, indices.shape[0], "lengths")
    demand.same_rows(lengths, dy, "lengths and the gradient")
    count, r1, r2 = indices.shape[0], first.shape[2], second.shape[2]
    drows = dy.index_select(0, ragged.segments(lengths, count)).reshape(count, second.shape[1], -1)
    dslice2 = torch.bmm(second.mT, drows)
    dsecond = torch.bmm(drows, _slices(core2, indices[:, 2], r2).mT).reshape(count, first.shape[1], -1)
    dslice1 = torch.bmm(first.mT, dsecond)
    dslice0 = torch.bmm(dsecond, _slices(core1, indices[:, 1], r1).mT)
    return tuple(
        torch.zeros_like(core).index_add_(0, indices[:, k], d.reshape(count, *core.shape[1:]))
        for k, (core, d) in enumerate(((core0, dslice0), (core1, dslice1), (core2, dslice2)))
    )
