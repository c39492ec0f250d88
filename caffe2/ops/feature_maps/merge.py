"""The features of several inputs merged into one feature map, example by example."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import NONE, UNKNOWN, EnforceNotMet, Gradient, Op, op
from caffe2.ops import ragged
from caffe2.ops.feature_maps import cells
from caffe2.ops.index.gather import Array, pick

FORMS = {
    ("Single", "Scalar"): ("", "_presence"),
    ("Single", "List"): ("_lengths", "_values", "_presence"),
    ("Single", "Map"): ("_lengths", "_keys", "_values", "_presence"),
    ("Multi", "Scalar"): ("_lengths", "_keys", "_values"),
    ("Multi", "List"): ("_lengths", "_keys", "_values_lengths", "_values_values"),
    ("Multi", "Map"): ("_lengths", "_keys", "_values_lengths", "_values_keys", "_values_values"),
}
"""The blobs of each input, by how many features it holds and what they are; those of Multi are the outputs as well."""


@op(
    "MergeDenseFeatureTensors: in1 in1_presence -> out_lengths out_keys out_values",
    types="in1_presence: bool",
    gradient=NONE,
    shape=UNKNOWN,
)
def merge_dense(data: Array, presence: Tensor, *, feature_ids: tuple[int, ...] = ()) -> tuple[Tensor, Tensor, Array]:
    """The elements of a matrix (examples, features) that are present, as a map of scalars.

    feature_ids: the key of every column.
    """
    cells.demand_matrix(data, presence)
    ids = cells.named(feature_ids, data.shape[1], presence)
    values = data[presence.numpy()] if isinstance(data, np.ndarray) else data[presence]
    return presence.sum(1).int(), ids[presence.nonzero()[:, 1]], values


class _Merge(Op):
    """One operator of the table."""

    _width = 0

    def columns(self, flat: tuple[Array, ...]) -> list[list[Array]]:
        """The first blob of every input, the second of every input, and so on."""
        return [list(flat[k :: self._width]) for k in range(self._width)]


class _Single(_Merge):
    """Features of their own, all of {kind}, as a map of {kind}: of each example those that are present, input by input.

    feature_ids: the key of every input.
    """

    feature_ids: tuple[int, ...] = ()

    def keys(self, presence: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Where a feature is present (inputs, examples), how many each example has, and their keys."""
        present = cells.stack(presence, torch.bool, "in_presence")
        ids = cells.named(self.feature_ids, len(present), present)
        return present, present.sum(0).int(), ids[present.t().nonzero()[:, 1]]


class _SingleScalar(_Single):
    def __call__(self, *flat: Array) -> tuple[Array, ...]:
        values, presence = self.columns(flat)
        present, lengths, keys = self.keys(presence)
        count = present.shape[1]
        if any(x.shape != p.shape for x, p in zip(values, presence)):
            raise EnforceNotMet(f"in and in_presence hold a number for each of {count} examples")
        examples, inputs = present.t().nonzero().unbind(1)
        return lengths, keys, pick(cells.join(values), inputs * count + examples, 0)


class _SingleRagged(_Single):
    def __call__(self, *flat: Array) -> tuple[Array, ...]:
        lengths, *tables, presence = self.columns(flat)
        present, counts, keys = self.keys(presence)
        sizes = cells.stack(lengths, torch.int32, "in_lengths")
        rows = cells.by_example(sizes * present, cells.held(tables), "in_lengths")
        return counts, keys, sizes.t()[present.t()], *(pick(cells.join(x), rows, 0) for x in tables)


class _Multi(_Merge):
    """Maps of {kind} as one: of each example the features of the first input, of the second, and so on."""


class _MultiScalar(_Multi):
    def __call__(self, *flat: Array) -> tuple[Array, ...]:
        lengths, *tables = self.columns(flat)
        counts = cells.stack(lengths, torch.int32, "in_lengths")
        rows = cells.by_example(counts, cells.held(tables), "in_lengths", exact=True)
        return counts.sum(0).int(), *(pick(cells.join(x), rows, 0) for x in tables)


class _MultiRagged(_Multi):
    def __call__(self, *flat: Array) -> tuple[Array, ...]:
        lengths, keys, value_lengths, *tables = self.columns(flat)
        counts = cells.stack(lengths, torch.int32, "in_lengths")
        rows = cells.by_example(counts, cells.held([keys, value_lengths]), "in_lengths", exact=True)
        held = cells.held(tables)
        for x, size in zip(value_lengths, held):
            cells.demand_lengths(x, size)
        sizes = cells.join(value_lengths)
        places = ragged.places(sizes[rows], sum(held), ragged.starts(sizes)[rows])
        return (
            counts.sum(0).int(),
            cells.join(keys)[rows],
            sizes[rows],
            *(pick(cells.join(x), places, 0) for x in tables),
        )


BODIES = {
    ("Single", "Scalar"): _SingleScalar,
    ("Single", "List"): _SingleRagged,
    ("Multi", "Scalar"): _MultiScalar,
    ("Multi", "List"): _MultiRagged,
}


def _arrow(many: str, kind: str) -> object:
    """The gradient: of the values alone, from what tells where they went."""
    members = FORMS[many, kind]
    values = next(k for k in reversed(range(len(members))) if members[k] in ("", "_values", "_values_values"))
    asked = [k for k, name in enumerate(members) if name in ("_lengths", "_values_lengths", "_presence")]

    def arrow(g: Gradient) -> None:
        blobs = g.forward.input
        inputs = [blobs[at + k] for at in range(0, len(blobs), len(members)) for k in asked]
        made = [f"{name}_grad" if k % len(members) == values else None for k, name in enumerate(blobs)]
        upstream = g.blob(f"dout{FORMS['Multi', kind][-1]}")
        g.add(f"Merge{many}{kind}FeatureTensorsGradient", [*inputs, upstream], [name for name in made if name])
        g.set(g.definition.header.inputs.run.name, made)

    return arrow


def _define(many: str, kind: str) -> None:
    members = FORMS[many, kind]
    row = many, "Scalar" if kind == "Scalar" else "List"
    body = BODIES[row]
    name = f"Merge{many}{kind}FeatureTensors"
    op(
        f"{name}: *({' '.join(f'in{m}' for m in members)}) -> {' '.join(f'out{m}' for m in FORMS['Multi', kind])}",
        gradient=_arrow(many, kind),
        arity=lambda i, o: i > 0,
        shape=UNKNOWN,
        doc=body.__mro__[1].__doc__.format(kind=f"{kind.lower()}s"),
    )(type(name, (body,), {"_width": len(members)}))


for _row in FORMS:
    _define(*_row)
