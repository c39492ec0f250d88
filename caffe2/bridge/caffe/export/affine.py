"""Products with matrices and tables: fully connected layers, embeddings."""

from __future__ import annotations

import math

import torch

from caffe2.bridge.caffe.export.draft import Draft, exports
from caffe2.bridge.caffe.export.shape import reshape
from caffe2.bridge.caffe.export.site import Refusal, Site


@exports("FC", "FCTransposed")
def _(s: Site, e: Draft) -> None:
    """The weights are [out, in], those of FCTransposed [in, out]; axes behind axis_w of a larger blob are one."""
    turned, cut = s.type == "FCTransposed", s.args["axis_w"]
    shape = e.weight(s.inputs[1]).array.shape
    flat = (math.prod(shape[:cut]), math.prod(shape[cut:]))
    bias = e.shaped(s.inputs[2], (-1,))
    rank = len(s.in_shape)
    param = {"num_output": flat[turned], **({"transpose": True} if turned else {})}
    axis = s.args["axis"] % rank if rank else 0
    param |= {"axis": axis} if axis != 1 else {}
    expected = (*s.in_shape[:axis], flat[turned])
    weights = [e.shaped(s.inputs[1], flat), bias]
    top = s.y if expected == s.out_shape else ""
    top = e.layer("InnerProduct", s.x, top, weights=weights, inner_product_param=param)
    if top != s.y:
        reshape(e, top, s.y, expected, s.out_shape)


@exports("MatMul")
def _(s: Site, e: Draft) -> None:
    """X W, or X W^T, of a matrix X and a parameter W."""
    a, plain = s.args, len(s.inputs) == 2 and not s.args["trans_a"]
    if not plain or len(s.in_shape) != 2 or a["axis_a"] != 1 or a["axis_b"] != 1:
        raise Refusal("Caffe multiplies a matrix of rows by a parameter", advice="use FC")
    w = e.weight(s.inputs[1])
    rows, columns = w.array.shape[0], math.prod(w.array.shape[1:])
    param = {"num_output": rows if a["trans_b"] else columns, "bias_term": False}
    param |= {} if a["trans_b"] else {"transpose": True}
    weights = [e.shaped(s.inputs[1], (rows, columns))]
    e.layer("InnerProduct", s.x, s.y, weights=weights, inner_product_param=param)


@exports("Cast")
def _(s: Site, e: Draft) -> None:
    """Casts to whole numbers are left out where the numbers are indices, which are whole already."""
    to = s.definition.arguments(s.op).get("to", torch.float32)
    if to in (torch.float32, torch.float64):
        e.layer("Split", s.x, s.y)
    elif to in (torch.int32, torch.int64) and s.y not in e.program.outputs:
        e.indices[s.y] = e.index(s.x)
    else:
        raise Refusal(f"it gives numbers of {to}, and Caffe's blobs hold floats", argument="to")


@exports("Gather", "BatchGather")
def _(s: Site, e: Draft) -> None:
    """Rows of a parameter are an Embed layer, rows of a blob a BatchReindex layer."""
    data, index = s.inputs[0], e.index(s.inputs[1])
    if s.type == "BatchGather" or s.args["axis"] != 0:
        raise Refusal("Caffe picks rows along the first axis only", argument="axis")
    if (table := e.constant(data)) is None:
        if len(s.shape(s.inputs[1])) != 1:
            raise Refusal("rows of a blob are picked by an index of one axis", advice="flatten the index")
        e.layer("BatchReindex", [data, index], s.y)
        return
    columns = math.prod(table.shape[1:])
    if table.ndim < 2 or columns != s.out_shape[-1]:
        raise Refusal(f"Caffe's tables have 2 axes, and {data!r} has {table.ndim}", advice="reshape the parameter")
    param = {"num_output": columns, "input_dim": table.shape[0], "bias_term": False}
    e.layer("Embed", index, s.y, weights=[e.weight(data)], embed_param=param)
