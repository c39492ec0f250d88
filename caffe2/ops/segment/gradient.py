"""The gradients of the table: what flows back to each row is the gradient of its segment, scaled."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import UNKNOWN, EnforceNotMet, op
from caffe2.ops import demand, ragged
from caffe2.ops.segment.cut import counted, demand_sorted


def column(x: Tensor, like: Tensor) -> Tensor:
    """A vector as a column that broadcasts against rows."""
    return x.view(-1, *[1] * (like.dim() - 1))


def flowed(dy: Tensor, lengths: Tensor, count: int | None, reducer: str, scalars: Tensor | None) -> Tensor:
    """The gradient of each row of segments cut by lengths; `count` rows, or as many as the lengths add up to."""
    demand.least_rank(dy, 1, "the gradient")
    demand.lengths(lengths, count, "LENGTHS")
    demand.same_rows(dy, lengths, "the gradient and LENGTHS")
    if reducer == "Mean":
        dy = dy / column(lengths.clamp(min=1), dy)
    rows = dy.index_select(0, torch.repeat_interleave(lengths, output_size=count))
    return rows if scalars is None else _scaled(rows, scalars)


def _scaled(rows: Tensor, scalars: Tensor) -> Tensor:
    if scalars.dim() != 1 or scalars.shape[0] != rows.shape[0]:
        raise EnforceNotMet(f"SCALARS hold a number for each of {rows.shape[0]} rows; they are {tuple(scalars.shape)}")
    return rows.mul_(column(scalars, rows))


def _define_by_lengths(reducer: str) -> None:
    """The gradients by LENGTHS: told the number of rows by INDICES or DATA, or adding the lengths up."""
    weighted = reducer == "WeightedSum"
    blobs, types = ("SCALARS ", "SCALARS: float, ") if weighted else ("", "")

    def short(*inputs: Tensor) -> Tensor:
        *scalars, dy, lengths = inputs
        return flowed(dy, lengths, scalars[0].shape[0] if weighted else None, reducer, *scalars or (None,))

    def told(*inputs: Tensor) -> Tensor:
        *scalars, dy, lengths, rows = inputs
        return flowed(dy, lengths, rows.shape[0], reducer, *scalars or (None,))

    doc = f"The gradient of {{}}: that of each row is that of its segment{SCALES[reducer]}."
    for prefix in ("Lengths", "SparseLengths"):
        op(
            f"{prefix}{reducer}Gradient: {blobs}dOUTPUT LENGTHS -> dDATA",
            types=f"{types}dOUTPUT: float, LENGTHS: int32",
            shape=None if weighted else UNKNOWN,
            doc=doc.format(f"{prefix}{reducer}"),
        )(short)
        if prefix == "Lengths" and weighted:
            continue
        rows = "INDICES" if prefix == "SparseLengths" else "DATA"
        op(
            f"{prefix}IndicesInGradient{reducer}Gradient: {blobs}dOUTPUT LENGTHS {rows} -> dDATA",
            types=f"{types}dOUTPUT: float, LENGTHS: int32",
            doc=doc.format(f"{prefix}{reducer}") + f" {rows} tells how many rows there are.",
        )(told)


def _define_by_ids(way: str, reducer: str) -> None:
    """The gradients by SEGMENT_IDS, the same whether rows were looked up or not."""
    weighted = reducer == "WeightedSum"

    def body(*inputs: Tensor) -> Tensor:
        *scalars, dy, ids = inputs
        demand.rank(ids, 1, "SEGMENT_IDS")
        if way == "SortedSegment":
            demand_sorted(ids)
        counts = counted(ids, dy.shape[0])
        if reducer == "Mean":
            dy = dy / column(counts.clamp_(min=1), dy)
        rows = dy.index_select(0, ids)
        return _scaled(rows, scalars[0]) if weighted else rows

    for prefix in ("", "Sparse"):
        blobs, types = ("SCALARS ", "SCALARS: float, ") if weighted else ("", "")
        op(
            f"{prefix}{way}{reducer}Gradient: {blobs}dOUTPUT SEGMENT_IDS -> dDATA",
            types=f"{types}dOUTPUT: float, SEGMENT_IDS: int32",
            doc=f"The gradient of {prefix}{way}{reducer}: that of each row is that of its segment{SCALES[reducer]}.",
        )(body)


SCALES = {"Sum": "", "Mean": ", divided by its length", "WeightedSum": ", times the row's number in SCALARS"}
for _reducer in SCALES:
    _define_by_lengths(_reducer)
    for _way in ("SortedSegment", "UnsortedSegment"):
        _define_by_ids(_way, _reducer)


def _with_scalars(dy: Tensor, scalars: Tensor, lengths: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    spread = flowed(dy, lengths, rows.shape[0], "Sum", None)
    dscalars = (spread * rows).flatten(1).sum(1) if rows.dim() > 1 else spread * rows
    return _scaled(spread, scalars), dscalars


@op(
    "LengthsWeightedSumWithMainInputGradient: SCALARS dOUTPUT LENGTHS DATA -> dDATA *dSCALARS",
    types="SCALARS dOUTPUT DATA: float, LENGTHS: int32",
)
def lengths_weighted_sum_gradient(scalars: Tensor, dy: Tensor, lengths: Tensor, data: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients of LengthsWeightedSum: its segment's times SCALARS for each row, their dot product for SCALARS."""
    return _with_scalars(dy, scalars, lengths, data)


def sparse_lengths_weighted_sum_gradient(
    scalars: Tensor, dy: Tensor, lengths: Tensor, data: Tensor, indices: Tensor
) -> tuple[Tensor, Tensor]:
    """The gradients of SparseLengthsWeightedSum: its segment's times SCALARS for each row of DATA that INDICES name,
    and their dot product for SCALARS.
    """
    return _with_scalars(dy, scalars, lengths, data.index_select(0, indices).to(dy.dtype))


for _name, _run in (("SparseLengths", "*"), ("SparseLengthsIndicesInGradient", "")):
    op(
        f"{_name}WeightedSumWithMainInputGradient: SCALARS dOUTPUT LENGTHS DATA INDICES -> dDATA {_run}dSCALARS",
        types="SCALARS dOUTPUT: float, DATA: float float16, LENGTHS: int32, INDICES: index",
    )(sparse_lengths_weighted_sum_gradient)


@op(
    "LengthsMaxWithMainInputAndForwardOutputGradient: OUTPUT dOUTPUT LENGTHS DATA -> +dDATA",
    types="OUTPUT dOUTPUT DATA: float, LENGTHS: int32",
    arity=lambda i, o: o == 1,
)
def lengths_max_gradient(y: Tensor, dy: Tensor, lengths: Tensor, data: Tensor) -> tuple[Tensor]:
    """The gradient of LengthsMax: that of its segment for each element that is the segment's maximum, else 0."""
    demand.same_shape(y, dy, "OUTPUT and its gradient")
    demand.lengths(lengths, data.shape[0], "LENGTHS")
    ids = ragged.segments(lengths, data.shape[0])
    return (torch.where(data == y.index_select(0, ids), dy.index_select(0, ids), 0),)
