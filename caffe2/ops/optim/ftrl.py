"""Follow the regularized leader, element by element, row by row and in groups, with L1 and L2 penalties."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Op, Site, op
from caffe2.ops import demand
from caffe2.ops.optim.rows import fitted, rows_of, scalar, update_rows

Shrink = Callable[[Tensor], Tensor]


class _Ftrl(Op):
    """The arguments, and the update of elements."""

    alpha: float | None = None
    beta: float = 1.0
    lambda1: float = 0.001
    lambda2: float = 0.001
    _least = 3

    def bind(self, site: Site) -> None:
        if self.alpha is not None and len(site.inputs) > self._least:
            raise EnforceNotMet(f"{site.op.type}\n  alpha is an argument or a blob, not both")
        if self.alpha == 0:
            raise EnforceNotMet("alpha, the learning rate, is not 0")

    def inverse_rate(self, alpha: Tensor | None) -> Tensor | float:
        """1 / alpha."""
        if alpha is not None:
            return 1 / scalar(alpha, "alpha")
        return 1 / (0.005 if self.alpha is None else self.alpha)

    def update_(self, w: Tensor, n_z: Tensor, g: Tensor, inverse: Tensor | float, shrink: Shrink) -> None:
        """In place: z = z + g - (sqrt(n + g^2) - sqrt(n)) w / alpha, n = n + g^2, and w from what z shrinks to."""
        n, z = n_z.unbind(-1)
        before = n.sqrt()
        n.addcmul_(g, g)
        after = n.sqrt()
        z.add_(g).sub_((after - before).mul_(inverse).mul_(w))
        w.copy_(-shrink(z) / ((after + self.beta) * inverse + self.lambda2))

    def shrink(self, z: Tensor) -> Tensor:
        """z moved lambda1 towards 0, 0 where it is nearer."""
        if self.lambda1 < 0:
            return z - z.sign() * self.lambda1
        return torch.nn.functional.softshrink(z, self.lambda1)

    def shrink_groups(self, z: Tensor) -> Tensor:
        """Every column of z shortened by lambda1 sqrt(its length), to 0 where its norm is less."""
        limit = self.lambda1 * z.shape[0] ** 0.5
        norm = torch.linalg.vector_norm(z, dim=0, keepdim=True)
        return torch.where(norm > limit, z * (1 - limit / norm), 0)


def _pairs(n_z: Tensor, var: Tensor) -> Tensor:
    """n and z of each element of var, as a last dimension of 2."""
    if n_z.numel() != 2 * var.numel():
        raise EnforceNotMet(f"n_z holds two numbers for each of the {var.numel()} of var, not {n_z.numel()} in all")
    return n_z.view(*var.shape, 2)


def _define(name: str, groups: bool, doc: str) -> None:
    """Define Ftrl or GFtrl."""

    class Body(_Ftrl):
        def __call__(
            self, var: Tensor, n_z: Tensor, grad: Tensor, alpha: Tensor | None = None
        ) -> tuple[Tensor, Tensor]:
            demand.least_rank(var, int(groups), "var")
            shrink = self.shrink_groups if groups else self.shrink
            self.update_(var, _pairs(n_z, var), fitted(grad, var, "grad"), self.inverse_rate(alpha), shrink)
            return var, n_z

    op(
        f"{name}: var n_z grad alpha? -> output_var output_n_z",
        inplace="var -> output_var, n_z -> output_n_z",
        types="var n_z grad alpha: float",
        engines="SIMD",
        mutates=True,
        like="var n_z",
        doc=doc,
    )(Body)


_define(
    "Ftrl",
    False,
    """The FTRL-Proximal update: n' = n + grad^2, z' = z + grad - (sqrt(n') - sqrt(n)) var / alpha,

    var' = -sgn(z') max(|z'| - lambda1, 0) / ((beta + sqrt(n')) / alpha + lambda2), elementwise. McMahan et al., Ad
    Click Prediction, 2013.

    alpha: the learning rate, positive: an argument or a blob of one number; 0.005 unless given.
    beta: is added to sqrt(n').
    lambda1, lambda2: the weights of the L1 and the L2 penalty.
    """,
)
_define(
    "GFtrl",
    True,
    """Ftrl with a penalty of groups: what lies in a column of var, along its N rows, shrinks together.

    var' = -z' max(1 - lambda1 sqrt(N) / |z'|, 0) / ((beta + sqrt(n')) / alpha + lambda2), |z'| the column's norm.

    alpha: the learning rate, positive: an argument or a blob of one number; 0.005 unless given.
    beta: is added to sqrt(n').
    lambda1, lambda2: the weights of the penalty of groups and of the L2 penalty.
    """,
)


@op(
    "SparseFtrl: var n_z indices grad alpha? -> output_var output_n_z",
    inplace="var => output_var, n_z => output_n_z",
    types="var n_z grad alpha: float, indices: index",
    engines="SIMD",
    mutates=True,
    like="var n_z",
)
class SparseFtrl(_Ftrl):
    """Ftrl of the rows of var and n_z that indices name.

    alpha: the learning rate: an argument or a blob of one number; 0.005 unless given.
    beta, lambda1, lambda2: as in Ftrl.
    """

    _least = 4

    def __call__(
        self, var: Tensor, n_z: Tensor, indices: Tensor, grad: Tensor, alpha: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        rows, inverse = rows_of(grad, indices, var), self.inverse_rate(alpha)
        rule = partial(self.update_, inverse=inverse, shrink=self.shrink)
        update_rows(rule, (var, _pairs(n_z, var)), indices, rows)
        return var, n_z
