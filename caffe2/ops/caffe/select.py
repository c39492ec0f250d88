"""Caffe's layers that choose: ArgMax, Accuracy, Filter."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import NONE, UNKNOWN, EnforceNotMet, op
from caffe2.ops import demand


@op("CaffeArgMax: X -> Y", types="X: floating", gradient=NONE)
def arg_max(x: Tensor, *, top_k: int = 1, axis: int | None = None, out_max_val: bool = False) -> Tensor:
    """The places of the top_k largest numbers, as floats; of equal ones the last comes first.

    X: of any shape, (N, ...).
    Y: with `axis`, the shape of X with top_k along it; without, (N, 1, top_k), or (N, 2, top_k) with out_max_val:
        places, then numbers.
    top_k: how many.
    out_max_val: the numbers too; with `axis`, instead of the places.
    axis: the dimension to look along; without it each item of the batch is looked through.
    """
    rows = x.movedim(axis, -1) if axis is not None else x.reshape(x.shape[0], -1)
    if top_k > rows.shape[-1]:
        raise EnforceNotMet(f"top_k is {top_k}, and there are {rows.shape[-1]} numbers")
    values, turned = torch.sort(rows.flip(-1), dim=-1, descending=True, stable=True)
    values, places = values[..., :top_k], (rows.shape[-1] - 1 - turned[..., :top_k]).to(x.dtype)
    if axis is not None:
        return (values if out_max_val else places).movedim(-1, axis).contiguous()
    found = torch.stack([places, values], 1) if out_max_val else places.unsqueeze(1)
    return found.reshape(*found.shape, *(1,) * (x.dim() - 3))


@op("CaffeAccuracy: X label -> accuracy per_class?", types="X: floating", gradient=NONE)
def accuracy(
    x: Tensor, label: Tensor, *, axis: int = 1, top_k: int = 1, ignore_label: int | None = None
) -> tuple[Tensor, Tensor]:
    """The share of places whose label is among the top_k best classes.

    Of equal scores that of the true class comes last.

    X: scores of the classes.
    label: the true class of every place: the shape of X without `axis`.
    accuracy: one number, over all places.
    per_class: the same for each class.
    top_k: how many classes may be guessed.
    axis: the dimension of the classes.
    ignore_label: the label of places that do not count.
    """
    scores, labels = x.movedim(axis, -1).reshape(-1, x.shape[axis]), label.reshape(-1).long()
    valid = torch.ones_like(labels, dtype=torch.bool) if ignore_label is None else labels != ignore_label
    index = torch.where(valid, labels, 0)
    demand.in_range(index, scores.shape[1], "label")
    true = scores.gather(1, index.unsqueeze(1))
    right = (((scores >= true).sum(1) - 1 < top_k) & valid).to(x.dtype)
    seen = x.new_zeros(scores.shape[1]).index_add_(0, index, valid.to(x.dtype))
    hits = x.new_zeros(scores.shape[1]).index_add_(0, index, right)
    return right.sum() / valid.sum().clamp_min(1), hits / seen.clamp_min(1)


@op("CaffeFilter: selector +items -> +items", shape=UNKNOWN, gradient=NONE)
def select(selector: Tensor, *items: Tensor) -> tuple[Tensor, ...]:
    """Of every item the rows for which the selector is not 0.

    selector: (N, 1, ...): one number a row.
    items: (N, ...); out come (K, ...), K the rows selected.
    """
    chosen = selector.reshape(-1) != 0
    for item in items:
        if not item.dim() or item.shape[0] != chosen.numel():
            raise EnforceNotMet(f"the selector holds {chosen.numel()} numbers for rows of {[*item.shape]}")
    return tuple(item[chosen] for item in items)
