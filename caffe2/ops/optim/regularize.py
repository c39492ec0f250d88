"""Regularization of the rows of an embedding table that were just looked up."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Op, Site, op
from caffe2.ops.optim.rows import update_rows

FACETS = {"inplace": "param => output_param", "mutates": True, "like": "param"}
"""grad is taken, and not used, as older nets give it."""


class SparseNormalize(Op):
    """The rows of param that indices name, scaled to the Euclidean norm `norm`, in place.

    grad: accepted and ignored.
    use_max_norm: rows that are shorter than `norm` stay as they are.
    norm: the norm that the rows get.
    """

    use_max_norm: bool = True
    norm: float = 1.0

    def bind(self, site: Site) -> None:
        if self.norm < 0:
            raise EnforceNotMet(f"{site.op.type}\n  norm is not negative: {self.norm}")

    def __call__(self, param: Tensor, indices: Tensor, grad: Tensor | None = None) -> Tensor:
        def rule(row: Tensor) -> None:
            axes = tuple(range(1, row.dim()))
            size = row.float().square().sum(axes, keepdim=True) if axes else row.float().square()
            size = size.sqrt_().add_(1e-12)
            factor = self.norm / size
            row.mul_(torch.where(size < self.norm, 1.0, factor) if self.use_max_norm else factor)

        update_rows(rule, (param,), indices)
        return param


for _name, _type in (("SparseNormalize", "float"), ("Float16SparseNormalize", "float16")):
    op(f"{_name}: param indices grad? -> output_param", types=f"param: {_type}, indices: index", **FACETS)(
        SparseNormalize
    )


@op("SparseLpRegularizer: param indices grad? -> output_param", types="param: float, indices: index", **FACETS)
class SparseLpRegularizer(Op):
    """The rows of param that indices name drawn towards 0, in place.

    With p = 2 they are multiplied by 1 - reg_lambda; with p = 1 every element comes nearer to 0 by reg_lambda, and is 0
    if it was nearer than that.

    grad: accepted and ignored.
    p: 1 or 2.
    reg_lambda: how strongly.
    """

    p: float = 2.0
    reg_lambda: float = 1e-5

    def bind(self, site: Site) -> None:
        if self.p not in (1.0, 2.0) or not 0 < self.reg_lambda < 1:
            raise EnforceNotMet(f"SparseLpRegularizer\n  p is 1 or 2 and reg_lambda between 0 and 1: {self}")

    def __call__(self, param: Tensor, indices: Tensor, grad: Tensor | None = None) -> Tensor:
        def rule(row: Tensor) -> None:
            if self.p == 2:
                row.mul_(1 - self.reg_lambda)
            else:
                row.copy_(torch.nn.functional.softshrink(row, self.reg_lambda))

        update_rows(rule, (param,), indices)
        return param
