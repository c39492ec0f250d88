"""The gradient of a merged feature map, taken apart into those of the inputs' values."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import NONE, UNKNOWN, EnforceNotMet, op
from caffe2.ops import ragged
from caffe2.ops.feature_maps import cells
from caffe2.ops.index.gather import Array, pick


@op(
    "MergeSingleScalarFeatureTensorsGradient: +in_presence dout_values -> +din",
    arity=lambda i, o: i >= 2,
    gradient=NONE,
    shape=UNKNOWN,
)
def single_scalar(presence: tuple[Tensor, ...], upstream: Array) -> tuple[Array, ...]:
    """The next number of dout_values where the value of an example is present, example by example; 0 elsewhere.

    dout_values: the gradient of out_values.
    """
    present = cells.stack(presence, torch.bool, "in_presence").t()
    _demand_total(upstream, int(present.sum()))
    if isinstance(upstream, np.ndarray):
        made = np.full(present.shape, b"", object)
        made[present.numpy()] = upstream
    else:
        made = upstream.new_zeros(present.shape).masked_scatter_(present, upstream)
    columns = _split(made.T.reshape(-1), [x.numel() for x in presence])
    return tuple(y.reshape(x.shape) for x, y in zip(presence, columns))


def _define(many: str, kind: str, members: str, told: str, body: object) -> None:
    op(
        f"Merge{many}{kind}FeatureTensorsGradient: {members} -> +din_values",
        gradient=NONE,
        arity=lambda i, o: i > 0,
        shape=UNKNOWN,
        doc=f"The gradients of the values of each input: that of the merged {kind.lower()}s, taken apart; {told}.",
    )(body)


def _single(flat: tuple[Tensor, ...], upstream: Array) -> tuple[Array, ...]:
    lengths, presence = flat[::2], flat[1::2]
    counts = cells.stack(lengths, torch.int32, "in_lengths") * cells.stack(presence, torch.bool, "in_presence")
    return _apart(counts, upstream)


def _scalar(lengths: tuple[Tensor, ...], upstream: Array) -> tuple[Array, ...]:
    return _apart(cells.stack(lengths, torch.int32, "in_lengths"), upstream)


def _apart(counts: Tensor, upstream: Array) -> tuple[Array, ...]:
    """Values that lie example by example, counts[input, example] of each, input by input."""
    sums = cells.totals(counts, "in_lengths")
    _demand_total(upstream, sum(sums))
    return _split(pick(upstream, cells.by_input(counts, sum(sums)), 0), sums)


def _multi(flat: tuple[Tensor, ...], upstream: Array) -> tuple[Array, ...]:
    lengths, value_lengths = flat[::2], flat[1::2]
    counts = cells.stack(lengths, torch.int32, "in_lengths")
    features = cells.totals(counts, "in_lengths")
    for x, count in zip(value_lengths, features):
        _demand_total(x, count)
    sizes = cells.join(value_lengths)
    total = int(sizes.sum())
    _demand_total(upstream, total)
    merged = cells.by_example(counts, features, "in_lengths")
    first = torch.empty(len(sizes), dtype=torch.int64, device=sizes.device)
    first[merged] = ragged.starts(sizes[merged])
    return _split(pick(upstream, ragged.places(sizes, total, first), 0), [int(x.sum()) for x in value_lengths])


def _split(values: Array, sizes: list[int]) -> tuple[Array, ...]:
    if isinstance(values, np.ndarray):
        return tuple(x.copy() for x in np.split(values, np.cumsum(sizes)[:-1]))
    return tuple(x.clone() for x in values.split(sizes))


def _demand_total(values: Array, total: int) -> None:
    if tuple(values.shape) != (total,):
        raise EnforceNotMet(f"the lengths and presence of the inputs tell of {total} values, not {tuple(values.shape)}")


SINGLE = "*(in_lengths in_presence) dout_values_values", "in_lengths count where in_presence is true", _single
MULTI = "*(in_lengths in_values_lengths) dout_values_values", "in_lengths cut the features into examples", _multi
for _row in (
    ("Single", "List", *SINGLE),
    ("Single", "Map", *SINGLE),
    ("Multi", "Scalar", "+in_lengths dout_values", "in_lengths cut the features into examples", _scalar),
    ("Multi", "List", *MULTI),
    ("Multi", "Map", *MULTI),
):
    _define(*_row)
