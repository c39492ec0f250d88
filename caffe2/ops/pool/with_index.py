"""Pooling by the maximum that also says where each maximum lies, and its gradient."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.opdef import EnforceNotMet, op
from caffe2.ops import demand
from caffe2.ops.pool.pooling import Pooling


@op(
    "MaxPoolWithIndex: X -> Y Index",
    gradient="MaxPoolWithIndexGradient: X dY Index -> dX",
    types="X: floating",
    differs="it runs on every device, not on CUDA alone",
)
class MaxPoolWithIndex(Pooling):
    """The maximum of every window of images, and where each maximum lies.

    X: (N, C, H, W); the order must be NCHW.
    Index: one int32 for each element of Y, in one dimension: the position h * W + w, in its channel of X, of the first
        element of the window that equals the maximum.
    """

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.last:
            raise EnforceNotMet("MaxPoolWithIndex takes the order NCHW")
        demand.rank(x, 4, "X")
        frame = self.frame(x)
        frame.out(self.size(x))
        padded = frame.pad(x, 2, -torch.inf)
        y, where = F.max_pool2d(padded, frame.kernel, frame.stride, return_indices=True)
        row, column = where // padded.shape[3] - frame.head[0], where % padded.shape[3] - frame.head[1]
        return y, (row * x.shape[3] + column).to(torch.int32).flatten()


@op("MaxPoolWithIndexGradient: X dY Index -> dX", types="X dY: floating, Index: int32")
def max_pool_with_index_gradient(x: Tensor, dy: Tensor, index: Tensor) -> Tensor:
    """dX at an element is the sum of the elements of dY whose Index points at it.

    X: (N, C, H, W); only its shape matters.
    """
    demand.rank(x, 4, "X")
    if dy.dim() != 4 or dy.shape[:2] != x.shape[:2] or index.numel() != dy.numel():
        raise EnforceNotMet(f"X {tuple(x.shape)}, dY {tuple(dy.shape)} and {index.numel()} indices do not go together")
    dx = torch.zeros_like(x).flatten(2)
    return dx.scatter_add_(2, index.reshape(*dy.shape[:2], -1).long(), dy.flatten(2)).view_as(x)
