"""Rearrangements of batches of images: storage orders, channels, blocks, samples; and running sums."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from caffe2.opdef import EnforceNotMet, op
from caffe2.ops import demand
from caffe2.ops.window import channels_last


@op("NCHW2NHWC: data -> output", gradient="NHWC2NCHW: doutput -> ddata", types="data: float", engines="CUDNN")
def to_channels_last(data: Tensor) -> Tensor:
    """The channels, axis 1, moved to the end.

    data: (N, C, ...), of three axes or more.
    output: (N, ..., C).
    """
    demand.least_rank(data, 3, "data")
    return data.movedim(1, -1).clone(memory_format=torch.contiguous_format)


@op("NHWC2NCHW: data -> output", gradient="NCHW2NHWC: doutput -> ddata", types="data: float", engines="CUDNN")
def to_channels_first(data: Tensor) -> Tensor:
    """The channels, the last axis, moved to axis 1.

    data: (N, ..., C), of three axes or more.
    output: (N, C, ...).
    """
    demand.least_rank(data, 3, "data")
    return data.movedim(-1, 1).clone(memory_format=torch.contiguous_format)


def _shuffled(x: Tensor, rows: int, order: str) -> Tensor:
    """The channels of x written as a matrix of so many rows, column after column."""
    axis = x.dim() - 1 if channels_last(order) else 1
    demand.least_rank(x, 2, "X")
    if rows < 1 or x.shape[axis] % rows:
        raise EnforceNotMet(f"{x.shape[axis]} channels do not fall into groups with {rows}")
    grid = x.unflatten(axis, (rows, x.shape[axis] // rows)).transpose(axis, axis + 1)
    return grid.clone(memory_format=torch.contiguous_format).view(x.shape)


@op("ChannelShuffle: X -> Y", gradient="ChannelShuffleGradient: dY -> dX", types="X: float", engines="MKLDNN")
def channel_shuffle(x: Tensor, *, group: int = 1, order: str = "NCHW") -> Tensor:
    """The channels in another order (Zhang et al., ShuffleNet, 2017).

    Channel g * (C / group) + k of X is channel k * group + g of Y.

    X: (N, C, ...), or (N, ..., C) in the order NHWC.
    Y: of the shape of X.
    group: how many groups of channels are interleaved; it divides C.
    """
    return _shuffled(x, group, order)


@op("ChannelShuffleGradient: dY -> dX", types="dY: float", engines="MKLDNN")
def channel_shuffle_gradient(dy: Tensor, *, group: int = 1, order: str = "NCHW") -> Tensor:
    """dX is dY with the channels where they were before the shuffle."""
    channels = dy.shape[-1 if channels_last(order) else 1]
    return _shuffled(dy, channels // group if group > 0 and channels % group == 0 else 0, order)


def _block(x: Tensor, block_size: int, order: str) -> None:
    demand.rank(x, 4, "X")
    if channels_last(order) or block_size < 1:
        raise EnforceNotMet(f"it takes the order NCHW and a positive block_size, not {order} and {block_size}")


@op("SpaceToBatch: X -> Y", gradient="BatchToSpace: dY -> dX", types="X: float")
def space_to_batch(
    x: Tensor, *, block_size: int = 2, pad: int = 0, pad_t: int | None = None, order: str = "NCHW"
) -> Tensor:
    """Each pixel of a block of B = block_size squared goes to an image of its own.

    Y[(i * B + j) * N + n, c, h, w] = X[n, c, h * B + i - pad_t, w * B + j - pad], and 0 where X has no such pixel.

    X: (N, C, H, W), whose padded height and width divide by B; the order must be NCHW.
    Y: (B^2 * N, C, H', W').
    """
    _block(x, block_size, order)
    x = F.pad(x, (pad, pad, pad if pad_t is None else pad_t, pad))
    n, c, h, w = x.shape
    if h % block_size or w % block_size:
        raise EnforceNotMet(f"padded images of {h} x {w} do not fall into blocks of {block_size}")
    grid = x.view(n, c, h // block_size, block_size, w // block_size, block_size)
    images = n * block_size**2
    return grid.permute(3, 5, 0, 1, 2, 4).reshape(images, c, h // block_size, w // block_size).contiguous()


@op("BatchToSpace: X -> Y", gradient="SpaceToBatch: dY -> dX", types="X: float")
def batch_to_space(
    x: Tensor, *, block_size: int = 2, pad: int = 0, pad_t: int | None = None, order: str = "NCHW"
) -> Tensor:
    """The inverse of SpaceToBatch: the pixels of B^2 images go to blocks of B x B pixels of one, B = block_size.

    Y[n, c, h * B + i - pad_t, w * B + j - pad] = X[(i * B + j) * N + n, c, h, w], the padding being cut off.

    X: (B^2 * N, C, H, W); the order must be NCHW.
    Y: (N, C, H * B - pad_t - pad, W * B - 2 * pad).
    """
    _block(x, block_size, order)
    many, c, h, w = x.shape
    if many % block_size**2:
        raise EnforceNotMet(f"{many} images do not make blocks of {block_size} x {block_size}")
    n = many // block_size**2
    grid = x.view(block_size, block_size, n, c, h, w).permute(2, 3, 4, 0, 5, 1)
    y = grid.reshape(n, c, h * block_size, w * block_size)
    top = pad if pad_t is None else pad_t
    if y.shape[2] < top + pad or y.shape[3] < 2 * pad:
        raise EnforceNotMet(f"images of {y.shape[2]} x {y.shape[3]} are smaller than the padding {pad}")
    return y[:, :, top : y.shape[2] - pad, pad : y.shape[3] - pad].clone(memory_format=torch.contiguous_format)


def _permutation(indices: Tensor, x: Tensor) -> Tensor:
    demand.rank(indices, 1, "indices")
    demand.same_rows(x, indices, "X and indices")
    demand.in_range(indices, x.shape[0], "indices")
    return indices.long().clamp(0, max(x.shape[0] - 1, 0))


@op(
    "BatchPermutation: X indices -> Y",
    gradient="BatchPermutationGradient: indices dY -> dX",
    types="X: float, indices: int32",
)
def batch_permutation(x: Tensor, indices: Tensor) -> Tensor:
    """Rows in another order: Y[k] = X[indices[k]].

    X: (N, ...).
    indices: (N), int32: a permutation of 0 ... N - 1.
    Y: of the shape of X.
    """
    return x.index_select(0, _permutation(indices, x))


@op("BatchPermutationGradient: indices dY -> dX", types="indices: int32, dY: float")
def batch_permutation_gradient(indices: Tensor, dy: Tensor) -> Tensor:
    """dX[indices[k]] = dY[k]."""
    return torch.zeros_like(dy).index_copy_(0, _permutation(indices, dy), dy)


@op("IntegralImage: X -> Y", gradient="IntegralImageGradient: X dY -> dX", types="X: float")
def integral_image(x: Tensor) -> Tensor:
    """Sums over rectangles: Y[n, c, i, j] = the sum of X[n, c, h, w] over h < i and w < j (Crow, 1984).

    X: (N, C, H, W).
    Y: (N, C, H + 1, W + 1).
    """
    demand.rank(x, 4, "X")
    return F.pad(x.cumsum(2).cumsum(3), (1, 0, 1, 0))


@op("IntegralImageGradient: X dY -> dX", types="X dY: float")
def integral_image_gradient(x: Tensor, dy: Tensor) -> Tensor:
    """dX[n, c, i, j] = the sum of dY[n, c, h, w] over h <= i and w <= j.

    This is the original's operator. The transpose of the running sum would add up from i and j to the end.
    """
    demand.rank(x, 4, "X")
    if dy.shape != (*x.shape[:2], x.shape[2] + 1, x.shape[3] + 1):
        raise EnforceNotMet(f"dY {tuple(dy.shape)} is no gradient of the integral image of X {tuple(x.shape)}")
    return dy[:, :, :-1, :-1].cumsum(2).cumsum(3)
