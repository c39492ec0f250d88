"""Groups of operators that are one layer: normalizations, activations and sums that Caffe2 has in parts."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.bridge.caffe.export.draft import Draft
from caffe2.bridge.caffe.export.patterns import Match, demand, number, pattern


@pattern("Transpose(Softmax(Transpose(x)))")
def _(m: Match, e: Draft) -> None:
    """Rows moved last and back."""
    inner, outer = m.site("Transpose"), m.root
    rank, there, back = len(inner.in_shape), inner.args["axes"], outer.args["axes"]
    demand(len(there) == rank and tuple(np.argsort(there)) == tuple(back))
    demand(m.site("Softmax").args["axis"] % rank == rank - 1)
    e.layer("Softmax", m.blobs["x"], outer.y, softmax_param={"axis": there[-1]} if there[-1] != 1 else {})


@pattern("Mul(x, Sigmoid(x))")
def _(m: Match, e: Draft) -> None:
    e.layer("Swish", m.blobs["x"], m.root.y)


@pattern("Mul(x, Sigmoid(Scale(x)))")
def _(m: Match, e: Draft) -> None:
    e.layer("Swish", m.blobs["x"], m.root.y, swish_param={"beta": m.site("Scale").args["scale"]})


@pattern("Sub(x, ReduceMean(x))")
def _(m: Match, e: Draft) -> None:
    _mvn(m, e, {"normalize_variance": False})


@pattern("Div((c := Sub(x, ReduceMean(x))), Add(Sqrt(ReduceMean(Sqr(c))), eps))")
def _(m: Match, e: Draft) -> None:
    demand(m.site("ReduceMean", 0).args["axes"] == m.site("ReduceMean", 1).args["axes"])
    _mvn(m, e, {"eps": number(e, m.blobs["eps"])})


def _mvn(m: Match, e: Draft, param: dict[str, Any]) -> None:
    """Each plane, or each image, less its mean and over its deviation."""
    mean = m.site("ReduceMean")
    axes, rank = tuple(k % 4 for k in mean.args["axes"]), len(mean.in_shape)
    demand(rank == 4 and mean.args["keepdims"] and axes in ((2, 3), (1, 2, 3)))
    across = {"across_channels": True} if len(axes) == 3 else {}
    e.layer("MVN", m.blobs["x"], m.root.y, mvn_param={**param, **across})


@pattern("Mul(Div(x, Sqrt(Add(ReduceSum(Sqr(x)), eps))), scale)")
def _(m: Match, e: Draft) -> None:
    total, scale = m.site("ReduceSum"), e.weight(m.blobs["scale"])
    rank, axes = len(total.in_shape), total.args["axes"]
    spatial = axes == tuple(range(1, rank))
    demand(rank >= 2 and total.args["keepdims"] and (spatial or axes == (1,)))
    one = scale.array.size == 1
    demand(one or (scale.array.shape == total.in_shape[1:2] and m.root.args["axis"] == 1))
    param = {"across_spatial": spatial, "channel_shared": one, "eps": number(e, m.blobs["eps"])}
    weights = [e.shaped(m.blobs["scale"], () if one else (-1,))]
    e.layer("Normalize", m.blobs["x"], m.root.y, weights=weights, fork={"norm_param": param})


@pattern("Add(Mul(x, Reshape(a)), y)")
def _(m: Match, e: Draft) -> None:
    """SENet's Axpy, where forks are allowed: without it the same is Reshape, Scale and Eltwise."""
    shape, rows = m.root.in_shape, m.site("Reshape")
    demand(not e.bvlc and len(shape) >= 2 and m.root.before[m.blobs["y"]] == shape)
    demand(rows.out_shape == (*shape[:2], *(1,) * (len(shape) - 2)))
    demand(e.constant(m.blobs["a"]) is None and e.constant(m.blobs["y"]) is None)
    e.layer("Axpy", [m.blobs["a"], m.blobs["x"], m.blobs["y"]], m.root.y)
