"""Poolings: where Caffe2 places as many windows as Caffe, rounding up or down, and what an average counts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from caffe2.bridge.caffe.export.draft import Draft, Weight, exports
from caffe2.bridge.caffe.export.neuron import LOWEST, first_channels
from caffe2.bridge.caffe.export.patterns import Match, demand, pattern
from caffe2.bridge.caffe.export.shape import reshape
from caffe2.bridge.caffe.export.site import Refusal, Shape, Site
from caffe2.bridge.caffe.export.window import SYMMETRIC, frame, padding, unlike
from caffe2.bridge.caffe.reference.pool import windows
from caffe2.bridge.caffe.reference.windows import Kernel
from caffe2.ops.window import Frame


def sided(stem: str, name: str, values: Shape, default: int | None = None) -> dict[str, int]:
    """A field of PoolingParameter given once, or as _h and _w."""
    if default is not None and all(v == default for v in values):
        return {}
    return {name: values[0]} if len(set(values)) == 1 else {f"{stem}_h": values[0], f"{stem}_w": values[1]}


@exports(*(f"{kind}Pool{rank}" for kind in ("Max", "Average") for rank in ("", "1D", "2D", "3D")))
def _(s: Site, e: Draft) -> None:
    if s.args["global_pooling"] and len(s.in_shape) == 4:
        first_channels(s)
        e.layer("Pooling", s.x, s.y, pooling_param={"pool": _method(s), "global_pooling": True})
        return
    if len(s.in_shape) == 3:
        _along_a_line(s, e)
    else:
        add_pool(s, e, s.x, s.y, s.out_shape)


def _along_a_line(s: Site, e: Draft) -> None:
    """Windows along one axis are those of images of one row."""
    flat = reshape(e, s.x, "", s.in_shape, (*s.in_shape[:2], 1, s.in_shape[2]))
    after = (*s.out_shape[:2], 1, s.out_shape[2])
    reshape(e, add_pool(s, e, flat, "", after), s.y, after, s.out_shape)


def _method(s: Site) -> str:
    return "MAX" if s.type.startswith("Max") else "AVE"


def add_pool(s: Site, e: Draft, x: str, y: str, after: Shape, pad: Shape = ()) -> str:
    """Write a pooling of x as y, where Caffe places as many windows as `after` says; its name.

    An average that counts otherwise than Caffe's is scaled behind it. pad: zeros that x lacks around the image.
    Raises Refusal: windows along other than two or three axes, or as many as Caffe does not place.
    """
    f, rank, spatial = _lifted(frame(s)), len(after) - 2, s.in_shape[2:]
    spatial = (1, *spatial) if len(spatial) == 1 else spatial
    if rank not in (2, 3):
        raise Refusal(f"X has {rank + 2} axes, and Caffe pools images [N, C, H, W]", advice="reshape to 4 axes")
    demand(not any(pad) or not any(f.head))
    size = tuple(n - 2 * p for n, p in zip(spatial, pad or (0,) * rank))
    kernel = Kernel(tuple(f.kernel), tuple(f.stride), tuple(pad or f.head), (1,) * rank)
    placed = {floor: windows(kernel, size, floor) for floor in (True, False)}
    fitting = [floor for floor, w in placed.items() if w.out == after[2:]]
    if not fitting or (rank == 3 and fitting == [True]):
        raise Refusal(unlike(f, after[2:], placed[False].out), argument="pads", advice=SYMMETRIC)
    floor = fitting[-1]
    params = _params(e, _method(s), kernel, floor)
    caffe, own = placed[floor].counts(), _counts(s, f, spatial, after)
    if _method(s) == "MAX" or np.array_equal(caffe, own):
        return e.layer(f"Pooling{'3D' * (rank == 3)}", x, y, **params)
    e.note("averages that do not count their padding are Caffe's, which do, times a Scale layer; sizes are fixed by it")
    inner = e.layer(f"Pooling{'3D' * (rank == 3)}", x, "", **params)
    weights = [Weight((caffe / own).astype(np.float32))]
    return e.layer("Scale", inner, y, weights=weights, name=f"{s.y}_counts", scale_param={"axis": 2, "num_axes": rank})


def _params(e: Draft, method: str, kernel: Kernel, floor: bool) -> dict[str, Any]:
    """The parameters of a Pooling layer, or of C3D's for three axes."""
    size, stride, pad = kernel.size, kernel.stride, kernel.pad
    if len(size) == 3:
        if any(len(set(sides[1:])) > 1 for sides in (size, stride, pad)):
            raise Refusal("the windows are not square, and those of Pooling3D are", argument="kernels")
        names = ("kernel_size", "stride", "pad"), ("kernel_depth", "temporal_stride", "temporal_pad")
        values = [[sides[k] for sides in (size, stride, pad)] for k in (1, 0)]
        found = {name: v for group, each in zip(names, values) for name, v in zip(group, each)}
        return {"fork": {"pooling3d_param": {"pool": method, **found}}}
    param = {"pool": method, **sided("kernel", "kernel_size", size), **sided("stride", "stride", stride, 1)}
    if floor:
        e.note("round_mode: FLOOR of a Pooling layer needs a BVLC Caffe of 2018 or later")
        param["round_mode"] = "FLOOR"
    return {"pooling_param": param | sided("pad", "pad", pad, 0)}


def _lifted(f: Frame) -> Frame:
    """A window along one axis as one of images of one row."""
    flat = Frame((1,), (1,), (1,), (0,), (0,))
    return Frame(*(one + more for one, more in zip(flat, f))) if len(f.head) == 1 else f


def _counts(s: Site, f: Frame, spatial: Shape, after: Shape) -> np.ndarray:
    """What the operator divides each window's sum by."""
    if s.args.get("count_include_pad") or not any(f.head + f.tail):
        return np.full(after[2:], math.prod(f.kernel), np.float32)
    result = np.ones((), np.float32)
    for n, k, t, head, out in zip(spatial, f.kernel, f.stride, f.head, after[2:]):
        start = np.arange(out) * t - head
        result = np.multiply.outer(result, (np.minimum(start + k, n) - np.maximum(start, 0)).astype(np.float32))
    return result


@pattern("Clip(MaxPool(x))")
@pattern("Clip(Slice(MaxPool(x)))")
def _(m: Match, e: Draft) -> None:
    """A window wholly in the padding gives the lowest float in Caffe."""
    demand(m.root.args["min"] == LOWEST and m.root.args["max"] == -LOWEST)
    add_pool(m.site("MaxPool"), e, m.blobs["x"], m.root.y, m.root.out_shape)


@pattern("Slice(MaxPool(x))")
@pattern("Slice(AveragePool(x))")
def _(m: Match, e: Draft) -> None:
    """Windows that Caffe leaves out are cut off."""
    demand(not any(m.root.args["starts"]))
    add_pool(m.sites[0], e, m.blobs["x"], m.root.y, m.root.out_shape)


@pattern("AveragePool(PadImage(x))")
@pattern("AveragePool(CaffePad(x))")
@pattern("Slice(AveragePool(PadImage(x)))")
@pattern("Slice(AveragePool(CaffePad(x)))")
def _(m: Match, e: Draft) -> None:
    """An average that counts its padding: the padding is made beforehand."""
    pad, pool = m.sites[:2]
    demand(not pool.args["global_pooling"] and (pool is m.root or not any(m.root.args["starts"])))
    add_pool(pool, e, m.blobs["x"], m.root.y, m.root.out_shape, padding(pad))


@exports("CaffeMaxPoolMask")
def _(s: Site, e: Draft) -> None:
    kernel, stride, pad = (tuple(s.args[name]) for name in ("kernel", "stride", "pad"))
    caffe = [windows(Kernel(kernel, stride, pad, (1, 1)), s.in_shape[2:], floor).out for floor in (False, True)]
    param = {"pool": "MAX", **sided("kernel", "kernel_size", kernel)}
    param |= sided("stride", "stride", stride, 1) | sided("pad", "pad", pad, 0)
    param |= {"round_mode": "FLOOR"} if caffe[0] != s.out_shape[2:] else {}
    e.layer("Pooling", s.x, s.outputs, pooling_param=param)
