"""Operators that move numbers: Reshape, Concat, Split, Slice, Transpose, Tile and their like."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe2.bridge.caffe.export.draft import Draft, exports
from caffe2.bridge.caffe.export.neuron import first_channels
from caffe2.bridge.caffe.export.site import Refusal, Shape, Site


def reshape(e: Draft, x: str, y: str, before: Shape, after: Shape, name: str = "") -> str:
    """Write a Reshape layer; a first size that stays is free, so that a batch may have any size."""
    keeps = before and after and before[0] == after[0] != 0 and math.prod(before[1:]) == math.prod(after[1:])
    dims = [0, *after[1:]] if keeps else list(after)
    return e.layer("Reshape", x, y, name=name, reshape_param={"shape": {"dim": dims}})


@exports("Reshape", "Squeeze", "ExpandDims", "ResizeLike", "FlattenToVec", "Flatten")
def _(s: Site, e: Draft) -> None:
    if s.x in e.indices:
        index = e.index(s.x)
        same = s.in_shape == s.out_shape
        e.indices[s.y] = index if same else reshape(e, index, e.fresh(s.y), s.in_shape, s.out_shape)
        return
    before, after = s.in_shape, s.out_shape
    if s.type == "Flatten" and s.args["axis"] == 1 and len(before) > 1:
        e.layer("Flatten", s.x, s.y)
    elif s.type == "FlattenToVec":
        e.layer("Reshape", s.x, s.y, reshape_param={"shape": {"dim": [-1]}})
    else:
        reshape(e, s.x, s.y, before, after)


@exports("Concat", "DepthConcat")
def _(s: Site, e: Draft) -> None:
    axis, parts = _axis(s, len(s.out_shape)), s.inputs
    if s.args["add_axis"]:
        wider = (*s.in_shape[:axis], 1, *s.in_shape[axis:])
        parts = [reshape(e, name, "", s.shape(name), wider) for name in parts]
    if len(parts) == 1:
        e.layer("Split", parts, s.y)
    else:
        e.layer("Concat", parts, s.y, concat_param={"axis": axis} if axis != 1 else {})


def _axis(s: Site, rank: int) -> int:
    axis = s.args["axis"]
    if axis is None:
        axis = 1 if (s.args["order"] or "NCHW") == "NCHW" else 3
    return axis % rank


@exports("Split", "DepthSplit")
def _(s: Site, e: Draft) -> None:
    axis, outs = _axis(s, len(s.in_shape)), s.outputs
    tops = [e.fresh(name) for name in outs] if s.args["add_axis"] else outs
    sizes = [1] * len(outs) if s.args["add_axis"] else [s.after[name][axis] for name in outs]
    slices(e, s.x, tops, axis, sizes)
    for top, name in zip(tops, outs) if s.args["add_axis"] else ():
        reshape(e, top, name, (*s.in_shape[:axis], 1, *s.in_shape[axis + 1 :]), s.after[name])


def slices(e: Draft, x: str, tops: Sequence[str], axis: int, sizes: Sequence[int]) -> None:
    """Write a Slice layer that cuts a blob into parts of these sizes along an axis."""
    if len(tops) == 1:
        e.layer("Split", x, tops)
        return
    if 0 in sizes:
        raise Refusal("one of the parts is empty, and Caffe's slices are not", argument="split")
    param = {"axis": axis} if axis != 1 else {}
    points = [int(p) for p in np.cumsum(sizes)[:-1]]
    param |= {"slice_point": points} if len(set(sizes)) > 1 else {}
    e.layer("Slice", x, tops, slice_param=param)


@exports("Slice")
def _(s: Site, e: Draft) -> None:
    """Along one axis a Slice layer, the rest silenced; along several a Crop to the size of a blob of zeros."""
    if any(name not in e.program.constants for name in s.inputs[1:]):
        raise Refusal("its bounds are computed", advice="give them as the arguments starts and ends")
    before, after = s.in_shape, s.out_shape
    starts = _starts(s, e)
    cut = [k for k in range(len(before)) if before[k] != after[k]]
    if not cut:
        e.layer("Split", s.x, s.y)
    elif len(cut) == 1:
        (k,) = cut
        parts = [(False, starts[k]), (True, after[k]), (False, before[k] - after[k] - starts[k])]
        tops = [s.y if wanted else e.fresh(s.y) for wanted, size in parts if size]
        slices(e, s.x, tops, k, [size for _, size in parts if size])
        e.layer("Silence", [top for top in tops if top != s.y], [], name=f"{s.y}_rest")
    else:
        like = e.layer("DummyData", [], e.fresh(s.y), dummy_data_param={"shape": [{"dim": list(after)}]})
        param = {"axis": cut[0], "offset": list(starts[cut[0] :])}
        e.layer("Crop", [s.x, like], s.y, crop_param=param)


def _starts(s: Site, e: Draft) -> list[int]:
    given = e.constant(s.inputs[1]).tolist() if len(s.inputs) > 1 else list(s.args["starts"])
    starts = [*given, *[0] * (len(s.in_shape) - len(given))]
    return [start + size + 1 if start < 0 else start for start, size in zip(starts, s.in_shape)]


def permute(e: Draft, x: str, y: str, order: Sequence[int], shape: Shape) -> str:
    """Write a Permute layer; a Reshape, which every Caffe has, where only axes of size 1 move."""
    full = [k for k in order if shape[k] != 1]
    if full == sorted(full):
        return reshape(e, x, y, shape, tuple(shape[k] for k in order))
    return e.layer("Permute", x, y, fork={"permute_param": {"order": list(order)}})


@exports("Transpose", "NCHW2NHWC", "NHWC2NCHW")
def _(s: Site, e: Draft) -> None:
    rank = len(s.in_shape)
    orders = {"NCHW2NHWC": (0, *range(2, rank), 1), "NHWC2NCHW": (0, rank - 1, *range(1, rank - 1))}
    order = orders.get(s.type) or s.args["axes"] or tuple(reversed(range(rank)))
    permute(e, s.x, s.y, order, s.in_shape)


@exports("Tile")
def _(s: Site, e: Draft) -> None:
    given = {name: e.constant(blob) for name, blob in zip(("tiles", "axis"), s.inputs[1:])}
    if any(value is None for value in given.values()):
        raise Refusal("its tiles or its axis are computed", advice="give them as arguments")
    tiles, axis = (int(np.ravel(given.get(name, s.args[name] or 0))[0]) for name in ("tiles", "axis"))
    e.layer("Tile", s.x, s.y, tile_param={"axis": axis % len(s.in_shape), "tiles": tiles})


@exports("ChannelShuffle")
def _(s: Site, e: Draft) -> None:
    first_channels(s)
    e.layer("ShuffleChannel", s.x, s.y, fork={"shuffle_channel_param": {"group": s.args["group"]}})


@exports("ConstantFill")
def _(s: Site, e: Draft) -> None:
    """A blob of one number, whatever is fed: its size is the one that it has now."""
    if s.inputs:
        e.note(f"blob {s.y!r} is as large as a shape says in Caffe2; in Caffe it has the size that it has now")
    held = np.asarray(e.program.workspace.fetch(s.y))
    if len(s.inputs) > 1 or held.dtype.kind not in "fiub":
        raise Refusal("it fills with what is fed, or with text", advice="give the number as the argument value")
    if not held.size:
        raise Refusal("its blob is empty, and Caffe fills none that is", argument="shape")
    filler = {"type": "constant", "value": float(held.ravel()[0])}
    shape = [{"dim": list(s.out_shape)}]
    e.layer("DummyData", [], s.y, dummy_data_param={"data_filler": [filler], "shape": shape})
