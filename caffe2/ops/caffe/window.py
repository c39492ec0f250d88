"""Windows over images as Caffe has them: what Caffe2's operators cannot do alike.

stride, pad, dilation, kernel: one number for each spatial axis.
group: how many groups the channels fall into.
mask: of the shape of X: places row * width + column, as floats.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.opdef import EnforceNotMet, op
from caffe2.ops import demand
from caffe2.ops.caffe.automatic import differentiable

LOWEST = torch.finfo(torch.float32).min


@differentiable("CaffeDeconvolution", "X filter bias", "Y", wanted=3, types="X filter bias: floating")
def deconvolution(
    x: Tensor,
    w: Tensor,
    b: Tensor,
    *,
    stride: tuple[int, ...],
    pad: tuple[int, ...],
    dilation: tuple[int, ...],
    group: int = 1,
) -> Tensor:
    """The transpose of the cross-correlation with filter as a linear map, plus bias, along any number of axes.

    X: (N, C, ...).
    filter: (C, M / group, ...).
    bias: (M).
    Y: (N, M, ...), along each axis of size stride * (n - 1) + dilation * (k - 1) + 1 - 2 * pad.
    """
    if x.dim() != w.dim() or x.dim() != len(stride) + 2:
        raise EnforceNotMet(f"X and filter have {len(stride) + 2} axes, as stride says; not {x.dim()} and {w.dim()}")
    return torch.convolution(x, w, b, stride, pad, dilation, True, (0,) * len(stride), group)


@op("CaffeMaxPoolMask: X -> Y mask", types="X: floating", gradient="CaffeMaxPoolMaskGradient: X mask dY -> dX")
def max_pool_mask(
    x: Tensor,
    *,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    pad: tuple[int, ...],
    size: tuple[int, ...],
) -> tuple[Tensor, Tensor]:
    """Maximum pooling, and where in its plane each maximum stands; of equal ones, the first.

    A window that lies wholly in the padding gives the lowest float32, and the place -1.

    X: (N, C, H, W).
    Y: (N, C, *size).
    mask: of the shape of Y: the places y * W + x, as floats.
    size: height and width of Y.
    """
    demand.rank(x, 4, "X")
    need = [(size[k] - 1) * stride[k] + kernel[k] - x.shape[2 + k] - pad[k] for k in (0, 1)]
    if not any(pad) and max(need) <= 0:
        y, at = F.max_pool2d(x, kernel, stride, return_indices=True)
        return y[:, :, : size[0], : size[1]], at[:, :, : size[0], : size[1]].to(x.dtype)
    padded = F.pad(x, (pad[1], max(need[1], 0), pad[0], max(need[0], 0)), value=float("-inf"))
    y, at = F.max_pool2d(padded, kernel, stride, return_indices=True)
    y, at = y[:, :, : size[0], : size[1]], at[:, :, : size[0], : size[1]]
    row, column = at // padded.shape[3] - pad[0], at % padded.shape[3] - pad[1]
    empty = y == float("-inf")
    return torch.where(empty, LOWEST, y), torch.where(empty, -1, row * x.shape[3] + column).to(x.dtype)


@op("CaffeMaxPoolMaskGradient: X mask dY -> dX", types="X mask dY: floating")
def max_pool_mask_gradient(x: Tensor, mask: Tensor, dy: Tensor) -> Tensor:
    """dX at an element is the sum of the elements of dY whose mask names its place.

    X: (N, C, H, W); only its shape matters.
    """
    demand.rank(x, 4, "X")
    demand.same_shape(mask, dy, "mask and dY")
    places = mask.flatten(2).long()
    demand.in_range(places + 1, x.shape[2] * x.shape[3] + 1, "mask + 1")
    slopes = torch.where(places < 0, 0, dy.flatten(2))
    return torch.zeros_like(x).flatten(2).scatter_add_(2, places.clamp_min(0), slopes).view_as(x)


@differentiable("CaffePad", "X", "Y", types="X: floating")
def pad(x: Tensor, *, pad: tuple[int, ...]) -> Tensor:
    """X with zeros on both sides of its last axes.

    X: of any shape.
    Y: as many zeros larger.
    pad: how many zeros are added on either side of each of the last axes.
    """
    return F.pad(x, [p for p in reversed(pad) for _ in (0, 1)])


@differentiable("CaffeUnpool", "X mask", "Y", types="X: floating")
def unpool(x: Tensor, mask: Tensor, *, size: tuple[int, ...]) -> Tensor:
    """Zeros, and each number of X at the place in its plane that the mask says.

    Of several numbers for one place any one stays. Badrinarayanan et al., SegNet, 2015.

    X: (N, C, H, W).
    mask: of the shape of X: places row * width + column of Y.
    Y: (N, C, *size).
    size: height and width of Y.
    """
    demand.rank(x, 4, "X")
    demand.same_shape(x, mask, "X and mask")
    places = mask.flatten(2).long()
    demand.in_range(places, size[0] * size[1], "mask")
    return x.new_zeros(*x.shape[:2], size[0] * size[1]).scatter(2, places, x.flatten(2)).unflatten(2, size)


@differentiable("CaffeInterp", "X", "Y", types="X: floating")
def interpolate(x: Tensor, *, size: tuple[int, ...], crop: tuple[int, ...] = (0, 0)) -> Tensor:
    """Images interpolated bilinearly to another size, corners on corners (the layer Interp of DeepLab).

    X: (N, C, H, W).
    Y: (N, C, *size).
    size: height and width.
    crop: two numbers: how many rows and columns of X are left out at the top and left, and at the bottom and right.
    """
    demand.rank(x, 4, "X")
    before, behind = crop
    inner = x[:, :, before : x.shape[2] - behind, before : x.shape[3] - behind]
    return F.interpolate(inner, size, mode="bilinear", align_corners=True)
