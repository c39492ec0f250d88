"""The weighted sum over the front dimensions, and its gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Gradient, NoGradient, gradient, op


def _split(shape: torch.Size, scalars: Tensor, dims: int) -> tuple[torch.Size, torch.Size]:
    if not 0 <= dims <= len(shape):
        raise EnforceNotMet(f"num_reduce_dim {dims} is no number of dimensions of {tuple(shape)}")
    front, back = shape[:dims], shape[dims:]
    if scalars.dim() != dims or scalars.numel() != front.numel():
        raise EnforceNotMet(f"SCALARS have the shape {tuple(front)} of what is summed, not {tuple(scalars.shape)}")
    return front, back


@op("ReduceFrontWeightedSum: DATA SCALARS -> OUTPUT", types="DATA SCALARS: float")
def reduce_front_weighted_sum(
    data: Tensor, scalars: Tensor, *, num_reduce_dim: int = 1, grad_on_weights: bool = False
) -> Tensor:
    """OUTPUT = the sum of SCALARS[i] DATA[i] over the first num_reduce_dim dimensions i.

    SCALARS: one number for each i.
    OUTPUT: the shape of DATA without those dimensions.
    """
    front, back = _split(data.shape, scalars, num_reduce_dim)
    return (scalars.reshape(1, -1) @ data.reshape(front.numel(), back.numel())).reshape(back)


@gradient("ReduceFrontWeightedSum")
def _(g: Gradient) -> None:
    if g.arg("grad_on_weights", False):
        raise NoGradient("ReduceFrontWeightedSum\n  SCALARS have a gradient in the operators by LENGTHS alone")
    dims = f"_{g.blob('OUTPUT')}_dims"
    made = g.grad_name("DATA")
    g.add("Shape", [g.blob("DATA")], [dims])
    g.add("ReduceFrontWeightedSumGradient", [g.blob("SCALARS"), g.blob("dOUTPUT"), dims], [made]).set("DATA", made)


@op(
    "ReduceFrontWeightedSumGradient: SCALARS dOUTPUT shape -> dDATA",
    types="SCALARS dOUTPUT: float, shape: int64",
    host="shape",
)
def reduce_front_weighted_sum_gradient(
    scalars: Tensor, dy: Tensor, shape: Tensor, *, num_reduce_dim: int = 1
) -> Tensor:
    """dDATA[i] = SCALARS[i] dOUTPUT.

    Elements of dOUTPUT beyond those of the dimensions left are ignored.

    shape: a vector of int64: the shape of dDATA.
    """
    wanted = torch.Size(shape.tolist())
    back = _split(wanted, scalars, num_reduce_dim)[1].numel()
    if dy.numel() < back:
        raise EnforceNotMet(f"dOUTPUT holds {dy.numel()} elements and {back} are left of the shape {tuple(wanted)}")
    return (scalars.reshape(-1, 1) * dy.reshape(-1)[:back]).reshape(wanted)
