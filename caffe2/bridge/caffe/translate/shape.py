"""Layers that move values: Concat, Slice, Reshape, Flatten, Crop, Tile, Permute and their like."""

from __future__ import annotations

import math

import numpy as np

from caffe2.bridge.caffe.layers import Layer
from caffe2.bridge.caffe.translate.builder import Builder, translates


@translates("Concat")
def _(layer: Layer, b: Builder) -> None:
    p, rank = layer.param, len(layer.bottom_shapes[0])
    axis = p.concat_dim if p.HasField("concat_dim") else p.axis % rank
    if len(layer.bottoms) == 1:
        b.op("Copy", layer.bottoms[0], layer.tops[0])
    else:
        b.op("Concat", layer.bottoms, [layer.tops[0], ""], axis=axis)


@translates("Slice")
def _(layer: Layer, b: Builder) -> None:
    p, rank = layer.param, len(layer.bottom_shapes[0])
    axis = p.slice_dim if p.HasField("slice_dim") else p.axis % rank
    if len(layer.tops) == 1:
        b.op("Copy", layer.bottoms[0], layer.tops[0])
    else:
        b.op("Split", layer.bottoms[0], layer.tops, axis=axis, split=tuple(s[axis] for s in layer.top_shapes))


@translates("Reshape")
def _(layer: Layer, b: Builder) -> None:
    """What the file leaves to be inferred, as the number of regions found, stays so; else the batch is free."""
    (before,), (after,), p = layer.bottom_shapes, layer.top_shapes, layer.param
    whole = p.axis == 0 and p.num_axes == -1 and -1 in p.shape.dim and math.prod(before) != 0
    shape = tuple(p.shape.dim) if whole else _free_batch(before, after)
    b.op("Reshape", layer.bottoms[0], [layer.tops[0], ""], shape=shape)


def _free_batch(before: tuple[int, ...], after: tuple[int, ...]) -> tuple[int, ...]:
    keeps = before and after and before[0] == after[0] and math.prod(before[1:]) == math.prod(after[1:]) != 0
    return (0, *after[1:]) if keeps else tuple(after)


@translates("Flatten")
def _(layer: Layer, b: Builder) -> None:
    (before,), (after,) = layer.bottom_shapes, layer.top_shapes
    if layer.param.axis == 1 and layer.param.end_axis % len(before) == len(before) - 1:
        b.op("Flatten", layer.bottoms[0], layer.tops[0], axis=1)
    else:
        b.op("Reshape", layer.bottoms[0], [layer.tops[0], ""], shape=_free_batch(before, after))


@translates("Crop")
def _(layer: Layer, b: Builder) -> None:
    p, (source, like) = layer.param, layer.bottom_shapes
    axis, offsets = p.axis % len(source), list(p.offset)
    starts, ends = [0] * len(source), [-1] * len(source)
    for k in range(axis, len(source)):
        starts[k] = (offsets[k - axis] if len(offsets) > 1 else offsets[0]) if offsets else 0
        ends[k] = starts[k] + like[k]
    b.op("Slice", layer.bottoms[0], layer.tops[0], starts=tuple(starts), ends=tuple(ends))


@translates("Tile")
def _(layer: Layer, b: Builder) -> None:
    axis = layer.param.axis % len(layer.bottom_shapes[0])
    b.op("Tile", layer.bottoms[0], layer.tops[0], axis=axis, tiles=layer.param.tiles)


@translates("Permute")
def _(layer: Layer, b: Builder) -> None:
    rank, order = len(layer.bottom_shapes[0]), [int(k) for k in layer.param.order]
    order += [k for k in range(rank) if k not in order]
    b.op("Transpose", layer.bottoms[0], layer.tops[0], axes=tuple(order))


@translates("Transpose")
def _(layer: Layer, b: Builder) -> None:
    b.op("Transpose", layer.bottoms[0], layer.tops[0], axes=tuple(layer.reference.order))


@translates("Reverse")
def _(layer: Layer, b: Builder) -> None:
    axis = layer.param.axis
    backwards = b.constant(np.arange(layer.bottom_shapes[0][axis], dtype=np.int32)[::-1].copy(), "backwards")
    b.op("Gather", [layer.bottoms[0], backwards], layer.tops[0], axis=axis, dense_gradient=int(b.trains) or None)


@translates("Reorg")
def _(layer: Layer, b: Builder) -> None:
    """The batch stays free."""
    parts, order = layer.reference.steps
    split = b.op("Reshape", layer.bottoms[0], ["", ""], shape=(-1, *parts[1:]))
    moved = b.op("Transpose", split, "", axes=order)
    b.op("Reshape", moved, [layer.tops[0], ""], shape=(-1, *layer.top_shapes[0][1:]))


@translates("ShuffleChannel")
def _(layer: Layer, b: Builder) -> None:
    b.op("ChannelShuffle", layer.bottoms[0], layer.tops[0], group=layer.param.group, kernel=1, order="NCHW")


@translates("BatchReindex")
def _(layer: Layer, b: Builder) -> None:
    index = b.op("Cast", layer.bottoms[1], "", to=2)
    b.op("Gather", [layer.bottoms[0], b.op("FlattenToVec", index)], layer.tops[0], dense_gradient=int(b.trains) or None)


@translates("Embed")
def _(layer: Layer, b: Builder) -> None:
    index = b.op("Cast", layer.bottoms[0], "", to=2)
    weight, biased = b.param(layer, 0, "w"), len(layer.params) > 1
    rows = b.op("Gather", [weight, index], "" if biased else layer.tops[0], dense_gradient=int(b.trains) or None)
    if biased:
        b.op("Add", [rows, b.param(layer, 1, "b")], layer.tops[0], broadcast=1)


@translates("Parameter")
def _(layer: Layer, b: Builder) -> None:
    b.op("Copy", b.param(layer, 0, "w"), layer.tops[0])
