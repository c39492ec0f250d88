"""The table of segment reductions: reducers under ways to cut, of rows as they lie or looked up by index."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from caffe2.opdef import UNKNOWN, EnforceNotMet, Gradient, NoGradient, Op, op
from caffe2.ops import demand, ragged
from caffe2.ops.segment.cut import Segments, by_ids, by_lengths, by_sorted_ids
from caffe2.ops.segment.reduce import largest, pooled

REDUCERS = {
    "Sum": "The sum",
    "Mean": "The mean",
    "WeightedSum": "The sum, each times its number in SCALARS,",
    "Max": "The maximum, element by element,",
}
KEYS = {
    "Lengths": ("LENGTHS", ""),
    "SortedSegment": (
        "SEGMENT_IDS",
        "SEGMENT_IDS: the number of the segment of each row: 0, then always the same or one more.",
    ),
    "UnsortedSegment": ("SEGMENT_IDS", "SEGMENT_IDS: the number of the segment of each row, in any order."),
}
TABLE = [
    *[(way, sparse, reducer) for way in KEYS for sparse in (False, True) for reducer in ("Sum", "Mean", "WeightedSum")],
    *[("Lengths", sparse, "Max") for sparse in (False, True)],
]
"""The operators: way to cut, whether rows are looked up, reducer."""


class _Reduction(Op):
    """One operator of the table."""

    _sparse = False
    _reducer = "Sum"

    def segments(self, key: Tensor, count: int) -> Segments:
        """`count` rows cut by the last input."""
        return by_lengths(key, count)

    def __call__(self, *inputs: Tensor) -> Tensor:
        table, key = inputs[0], inputs[-1]
        demand.least_rank(table, 1, "DATA")
        rows = inputs[-2] if self._sparse else None
        if rows is not None:
            demand.rank(rows, 1, "INDICES")
        count = table.shape[0] if rows is None else rows.numel()
        weights = self.weights(inputs[1], count) if self._reducer == "WeightedSum" else None
        lengths, order = self.segments(key, count)
        if order is not None:
            rows = order if rows is None else rows.index_select(0, order)
            weights = None if weights is None else weights.index_select(0, order)
        if self._reducer == "Max":
            return largest(table, rows, lengths, count)
        return pooled(table, rows, lengths, weights, self._reducer == "Mean")

    def weights(self, scalars: Tensor, count: int) -> Tensor:
        """The numbers to multiply rows with."""
        if scalars.dim() != 1 or scalars.numel() != count:
            raise EnforceNotMet(f"SCALARS hold a number for each of the {count} rows; they are {tuple(scalars.shape)}")
        return scalars


class _Sorted(_Reduction):
    def segments(self, key: Tensor, count: int) -> Segments:
        return by_sorted_ids(key, count)


class _Unsorted(_Reduction):
    num_segments: int = -1

    def segments(self, key: Tensor, count: int) -> Segments:
        return by_ids(key, count, self.num_segments)


class _Weighted(Op):
    grad_on_weights: bool = False


BASES = {"Lengths": _Reduction, "SortedSegment": _Sorted, "UnsortedSegment": _Unsorted}


def gradient_of(way: str, sparse: bool, reducer: str) -> str | Callable[[Gradient], None] | None:
    """The gradient facet of one operator of the table; that of rows looked up is sparse."""
    target, key = "dDATA[INDICES]" if sparse else "dDATA", KEYS[way][0]
    prefix = "SparseLengths" if sparse else "Lengths"
    if reducer == "Max":
        return (
            None if sparse else "LengthsMaxWithMainInputAndForwardOutputGradient: OUTPUT dOUTPUT LENGTHS DATA -> dDATA"
        )
    if reducer != "WeightedSum":
        if way != "Lengths":
            return f"{way}{reducer}Gradient: dOUTPUT {key} -> {target}"
        return (
            f"{prefix}IndicesInGradient{reducer}Gradient: dOUTPUT LENGTHS {'INDICES' if sparse else 'DATA'} -> {target}"
        )

    def weighted(g: Gradient) -> None:
        if way != "Lengths":
            if g.arg("grad_on_weights", False):
                raise NoGradient(f"{g.definition.header}\n  SCALARS have a gradient in the operators by LENGTHS alone")
            g.op(f"{way}WeightedSumGradient: SCALARS dOUTPUT {key} -> {target}")
            return
        name, rows = (f"{prefix}IndicesInGradient", " INDICES") if sparse else (prefix, "")
        if g.arg("grad_on_weights", False):
            g.op(f"{name}WeightedSumWithMainInputGradient: SCALARS dOUTPUT LENGTHS DATA{rows} -> {target} dSCALARS")
        else:
            g.op(f"{name}WeightedSumGradient: SCALARS dOUTPUT LENGTHS{rows} -> {target}")

    return weighted


def _define(way: str, sparse: bool, reducer: str) -> None:
    key, told = KEYS[way]
    weighted = reducer == "WeightedSum"
    name = f"{'Sparse' * sparse}{way}{reducer}"
    blobs = ["DATA", *["SCALARS"] * weighted, *["INDICES"] * sparse, key]
    half = " float16" if sparse and way == "Lengths" else ""
    types = [f"DATA: float{half}", f"{key}: int32", *["SCALARS: float"] * weighted, *["INDICES: index"] * sparse]
    bases = (BASES[way], _Weighted) if weighted else (BASES[way],)
    op(
        f"{name}: {' '.join(blobs)} -> OUTPUT",
        gradient=gradient_of(way, sparse, reducer),
        types=", ".join(types),
        shape=None if way == "Lengths" else UNKNOWN,
        doc=f"{REDUCERS[reducer]} of the rows of DATA{' that INDICES name' * sparse}, by segment.\n\n{told}",
    )(type(name, bases, {"_sparse": sparse, "_reducer": reducer}))


for _row in TABLE:
    _define(*_row)


@op(
    "SparseLengthsPositionalWeightedSum: DATA WEIGHT INDICES LENGTHS -> output",
    types="DATA: float float16, WEIGHT: float, INDICES: index, LENGTHS: int32",
)
def sparse_lengths_positional_weighted_sum(data: Tensor, weight: Tensor, indices: Tensor, lengths: Tensor) -> Tensor:
    """The weighted sum of the rows of DATA that INDICES name, by segment, the k-th row of a segment times WEIGHT[k].

    WEIGHT: at least as many numbers as the longest segment has rows.
    """
    demand.rank(weight, 1, "WEIGHT")
    demand.rank(indices, 1, "INDICES")
    lengths, _ = by_lengths(lengths, indices.numel())
    place = ragged.places(lengths, indices.numel())
    demand.in_range(place, weight.numel(), "the place of an index in its segment")
    return pooled(data, indices, lengths, weight.index_select(0, place))
