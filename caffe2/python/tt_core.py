"""Matrices as trains of tensors, the parameters of TT layers.

A matrix W[o, i] with o = (o1 .. od) and i = (i1 .. id) is approximated by a product of cores,
W[o, i] = G1[i1, o1] G2[i2, o2] .. Gd[id, od], each Gk[ik, ok] a matrix of tt_ranks[k - 1] x tt_ranks[k]
(I. Oseledets, Tensor-train decomposition, 2011; A. Novikov et al., Tensorizing neural networks, 2015).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from caffe2.python._misuse import demand

Sizes = Sequence[int]


def _demand(inp_sizes: Sizes, out_sizes: Sizes, tt_ranks: Sizes) -> None:
    demand(
        len(inp_sizes) == len(out_sizes) == len(tt_ranks) - 1,
        f"{len(inp_sizes)} inp_sizes need as many out_sizes and one rank more; "
        f"got {len(out_sizes)} and {len(tt_ranks)} ranks",
    )


def init_tt_cores(inp_sizes: Sizes, out_sizes: Sizes, tt_ranks: Sizes, seed: int = 1234) -> np.ndarray:
    """Random cores, one after the other in one float32 vector, all but the last with orthogonal columns.

    Core k, of shape [tt_ranks[k], inp_sizes[k], out_sizes[k], tt_ranks[k + 1]], is drawn from a normal distribution.
    seed: that of NumPy's global generator, which is set to it. Raises Misuse where the numbers of sizes disagree.
    """
    _demand(inp_sizes, out_sizes, tt_ranks)
    np.random.seed(seed)
    cores, rest = [], np.eye(tt_ranks[0])
    for k, (i, o) in enumerate(zip(inp_sizes, out_sizes)):
        drawn = rest @ np.random.normal(0, 1, (tt_ranks[k], i * o * tt_ranks[k + 1]))
        core = drawn.reshape(-1, tt_ranks[k + 1])
        if k < len(inp_sizes) - 1:
            core, rest = np.linalg.qr(core)
        cores.append(core.ravel())
    spread = (prod(inp_sizes) * prod(tt_ranks)) ** (1.0 / len(inp_sizes))
    return (0.1 / spread) * np.concatenate(cores).astype(np.float32)


def matrix_to_tt(W: np.ndarray, inp_sizes: Sizes, out_sizes: Sizes, tt_ranks: Sizes) -> np.ndarray:
    """The cores, for a TT layer, of the weights W [prod(inp_sizes), prod(out_sizes)] of a fully connected one.

    They lie in one float32 vector, last core first, each as [in, rank after, rank before, out]; the tensor they make
    is W transposed, read as [*inp_sizes, *out_sizes].
    Raises Misuse where the sizes disagree with each other or with W.
    """
    _demand(inp_sizes, out_sizes, tt_ranks)
    demand(
        W.ndim == 2 and W.shape == (prod(inp_sizes), prod(out_sizes)),
        f"W is {W.shape}; the sizes make {prod(inp_sizes)} x {prod(out_sizes)}",
    )
    count = len(inp_sizes)
    pairs = [axis for k in range(count) for axis in (k, count + k)]
    both = [i * o for i, o in zip(inp_sizes, out_sizes)]
    folded = W.T.reshape([*inp_sizes, *out_sizes]).transpose(pairs).reshape(both)
    flat, at, turned = tt_svd(folded, both, tt_ranks), 0, []
    for k, (i, o) in enumerate(zip(inp_sizes, out_sizes)):
        shape = (tt_ranks[k], i, o, tt_ranks[k + 1])
        turned.append(flat[at : at + prod(shape)].reshape(shape).transpose(1, 3, 0, 2).ravel())
        at += prod(shape)
    return np.concatenate(turned[::-1]).astype(np.float32)


def tt_svd(W: np.ndarray, sizes: Sizes, tt_ranks: Sizes) -> np.ndarray:
    """The cores [rank before, size, rank after] of a tensor of these sizes, in one float32 vector, by repeated SVD.

    Each but the last has orthonormal columns; the last carries the singular values. Raises Misuse for ranks that are
    more than there are singular values, or not one more in number than the sizes.
    """
    demand(len(tt_ranks) == len(sizes) + 1, f"{len(sizes)} sizes need one rank more, not {len(tt_ranks)}")
    cores, rest = [], W
    for k, size in enumerate(list(sizes)[:-1]):
        rank = tt_ranks[k + 1]
        left, values, right = np.linalg.svd(rest.reshape(tt_ranks[k] * size, -1), full_matrices=False)
        demand(rank <= len(values), f"rank {k + 1} is {rank}; there are {len(values)} singular values")
        cores.append(left[:, :rank].ravel())
        rest = values[:rank, None] * right[:rank]
    return np.concatenate([*cores, rest.ravel()]).astype(np.float32)


def fc_net_to_tt_net(net: Any) -> None:
    """Does nothing, as in the original: networks are not converted as a whole."""
