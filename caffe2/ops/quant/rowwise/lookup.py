"""Rows of fused tables looked up by index: gathered, or reduced segment by segment, of whole or of pruned tables."""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import NONE, UNKNOWN, EnforceNotMet, op
from caffe2.ops import demand, ragged
from caffe2.ops.index.gather import pick
from caffe2.ops.quant.rowwise.fused import BYTE, CRUMB, NIBBLE, Fused, unpack
from caffe2.ops.segment.reduce import pooled

LAYOUTS = {8: BYTE, 4: NIBBLE, 2: CRUMB}
REDUCERS = {
    "Sum": ("", "The sum"),
    "WeightedSum": ("WEIGHTS ", "The weighted sum"),
    "Mean": ("", "The mean"),
}


def bag(
    table: Tensor,
    layout: Fused,
    indices: Tensor,
    lengths: Tensor,
    weights: Tensor | None = None,
    mapping: Tensor | None = None,
    mean: bool = False,
) -> Tensor:
    """The sums of a fused table's rows, each times its weight, segment by segment; float32, 0 of an empty segment.

    mapping: says which row an index stands for, -1 for one that is not there and counts as 0; a single 0: itself.
    mean: sums are divided by the lengths.
    """
    demand.rank(table, 2, "DATA")
    demand.rank(indices, 1, "INDICES")
    demand.lengths(lengths, indices.numel(), "LENGTHS")
    if not layout.columns(table, "DATA"):
        raise EnforceNotMet("rows of DATA hold at least one number besides scale and bias")
    if weights is not None and weights.shape != indices.shape:
        raise EnforceNotMet(f"there is a weight for each of {indices.numel()} indices, not {tuple(weights.shape)}")
    rows = indices if mapping is None else mapped(indices, mapping, len(table))
    if demand.readable(table):
        kernel = getattr(torch.ops.quantized, f"embedding_bag_{layout.kernel}_rowwise_offsets")
        made = kernel(table, indices, ragged.starts(lengths), False, 0, mapping is not None, weights, mapping)
    else:
        present = (rows >= 0).float()
        weights = present if weights is None else weights * present
        made = pooled(unpack(table.index_select(0, rows.clamp(min=0)), layout), None, lengths, weights)
    return made.div_(lengths.clamp(min=1).unsqueeze(1)) if mean else made


def mapped(indices: Tensor, mapping: Tensor, size: int | None = None) -> Tensor:
    """What a mapping makes of indices, -1 of one that is not there; a single 0 in a table of `size` is no mapping.

    Raises EnforceNotMet for an index out of the mapping's range, or one that is mapped out of the table's.
    """
    demand.rank(mapping, 1, "COMPRESSED_INDICES_MAPPING")
    if size is not None and mapping.numel() == 1:
        rows = torch.where(mapping == 0, indices, mapping.to(indices.dtype))
    else:
        rows = pick(mapping, indices, 0).to(indices.dtype)
    if size is not None and demand.readable(rows) and rows.numel():
        low, high = rows.aminmax()
        if low < -1 or high >= size:
            raise EnforceNotMet(f"indices stand for rows {int(low)} to {int(high)} of DATA, which has {size}")
    return rows


def _define(bits: int, reducer: str, pruned: bool) -> None:
    layout, (extra, said) = LAYOUTS[bits], REDUCERS[reducer]
    weighted = bool(extra)

    def body(*inputs: Tensor) -> Tensor:
        table, *between = inputs
        weights = between.pop(0) if weighted else None
        return bag(table, layout, between[0], between[1], weights, between[2] if pruned else None, reducer == "Mean")

    name = f"{bits}BitRowwiseSparse" if pruned else f"Fused{bits}BitRowwise"
    last = " COMPRESSED_INDICES_MAPPING" if pruned else ""
    op(
        f"SparseLengths{reducer}{name}: DATA {extra}INDICES LENGTHS{last} -> output",
        gradient=NONE,
        types=f"DATA: uint8, INDICES: index, LENGTHS: int32{', WEIGHTS: float' * weighted}"
        + (", COMPRESSED_INDICES_MAPPING: int32" if pruned else ""),
        doc=f"{said} of the rows of a {'pruned ' * pruned}fused table of {bits} bits that INDICES name, by segment.\n\n"
        f"DATA: (M, K{layout.share} + {layout.tail}): rows of numbers of {bits} bits, then scale and bias.",
    )(body)


for _bits in LAYOUTS:
    for _reducer in REDUCERS:
        _define(_bits, _reducer, False)
        _define(_bits, _reducer, True)


@op(
    "SparseLengthsSumSparseLookup: INDICES LENGTHS COMPRESSED_INDICES_MAPPING WEIGHTS?"
    " -> output_indices output_lengths output_weights?",
    gradient=NONE,
    types="INDICES: index, LENGTHS COMPRESSED_INDICES_MAPPING: int32, WEIGHTS: float",
    shape=UNKNOWN,
)
def sparse_lookup(
    indices: Tensor, lengths: Tensor, mapping: Tensor, weights: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The indices of rows that are left in a pruned table, and how many each segment then has.

    INDICES: (N): rows of the table before it was pruned.
    LENGTHS: (S): how many indices each segment has; they add up to N.
    COMPRESSED_INDICES_MAPPING: for every row of the table before, its row in the pruned one, or -1 where it is gone.
    WEIGHTS: (N): a number for each index.
    output_indices: what INDICES map to, -1 left out.
    output_lengths: (S), int32: how many of them each segment has.
    output_weights: the WEIGHTS of those left.
    """
    demand.rank(indices, 1, "INDICES")
    demand.lengths(lengths, indices.numel(), "LENGTHS")
    if weights is not None and weights.shape != indices.shape:
        raise EnforceNotMet(f"there is a weight for each of {indices.numel()} indices, not {tuple(weights.shape)}")
    rows = mapped(indices, mapping)
    kept = rows != -1
    before = torch.cat([kept.new_zeros(1, dtype=torch.int32), kept.cumsum(0, dtype=torch.int32)])
    ends = lengths.cumsum(0)
    left = before.index_select(0, ends) - before.index_select(0, ends - lengths)
    return rows[kept], left, None if weights is None else weights[kept]


@op("GatherFused8BitRowwise: DATA INDICES -> OUTPUT", gradient=NONE, types="DATA: uint8, INDICES: index")
def gather_fused(table: Tensor, indices: Tensor) -> Tensor:
    """Rows of a fused table of 8 bits, as floats.

    DATA: (M, K + 8), uint8: fused rows with a scale and a bias in float32.
    INDICES: (N): rows of DATA.
    OUTPUT: (N, K), float32.
    """
    demand.rank(table, 2, "DATA")
    demand.rank(indices, 1, "INDICES")
    if not BYTE.columns(table, "DATA"):
        raise EnforceNotMet("rows of DATA hold at least one number besides scale and bias")
    return unpack(pick(table, indices, 0), BYTE)
