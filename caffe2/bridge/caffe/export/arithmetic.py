"""Sums, products and the like of blobs, and of a blob and a parameter, whatever their shapes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from caffe2.bridge.caffe.export.draft import Draft, Weight, exports
from caffe2.bridge.caffe.export.neuron import power
from caffe2.bridge.caffe.export.shape import reshape
from caffe2.bridge.caffe.export.site import Refusal, Shape, Site


@dataclass(frozen=True)
class Spread:
    """An operand that lies over axes `first` and following of another: its shape there, ones at its ends left out."""

    name: str
    whole: Shape
    first: int
    inner: Shape


def spread(s: Site, name: str, like: Shape, numpy: bool) -> Spread:
    """How an input is broadcast over a blob of the shape `like`: by NumPy's rules, or by the argument `broadcast`."""
    shape, rank = s.shape(name), len(like)
    if math.prod(shape) == 1:
        return Spread(name, shape, 0, ())
    first = rank - len(shape)
    if not numpy:
        letter, axis = s.args["axis_str"], s.args["axis"]
        at = s.args["order"].find(letter) if letter else axis
        first = first if at == -1 else at
    low, high = 0, len(shape)
    while low < high and shape[low] == 1 and like[first + low] != 1:
        low += 1
    while high > low and shape[high - 1] == 1 and like[first + high - 1] != 1:
        high -= 1
    return Spread(name, shape, first + low, shape[low:high])


@exports("Add", "Sub", "Mul", "Div")
def _(s: Site, e: Draft) -> None:
    a, b = s.inputs
    if s.type == "Div" and s.y in e.program.whole:
        raise Refusal("it divides whole numbers, and leaves the remainders out", advice="cast them to float first")
    numpy = not s.args["broadcast"]
    plain = s.shape(a) == s.shape(b)
    if plain and e.constant(a) is None and e.constant(b) is None:
        _alike(s, e, a, b)
    elif s.shape(a) == s.out_shape and (e.constant(a) is None or e.constant(b) is not None):
        _second(s, e, a, spread(s, b, s.out_shape, numpy))
    elif s.shape(b) == s.out_shape:
        _first(s, e, spread(s, a, s.out_shape, True), b)
    else:
        what = f"shapes {list(s.shape(a))} and {list(s.shape(b))} are both spread; in Caffe one of them is the result's"
        raise Refusal(what, advice="tile one of them first")


def _alike(s: Site, e: Draft, a: str, b: str) -> None:
    """Two blobs of one shape."""
    if s.type == "Div":
        b = e.layer("Power", b, "", **power(-1))
    multiplies = s.type in ("Mul", "Div")
    param = {"operation": "PROD"} if multiplies else {"coeff": [1.0, -1.0]} if s.type == "Sub" else {}
    e.layer("Eltwise", [a, b], s.y, eltwise_param=param)


def _second(s: Site, e: Draft, x: str, y: Spread) -> None:
    """x with a smaller second operand."""
    array = e.constant(y.name)
    change = {"Sub": np.negative, "Div": np.reciprocal}.get(s.type)
    if array is not None:
        array = array.astype(np.float32)
        same = change is None
        _by_number(s, e, x, y, array if same else change(array), y.name if same else "")
        return
    if change is not None:
        inverse = power(-1) if s.type == "Div" else power(scale=-1)
        y = Spread(e.layer("Power", y.name, "", **inverse), y.whole, y.first, y.inner)
    _by_blob(s, e, x, y)


def _first(s: Site, e: Draft, x: Spread, y: str) -> None:
    """A smaller first operand with y."""
    if s.type in ("Sub", "Div"):
        y = e.layer("Power", y, "", **(power(-1) if s.type == "Div" else power(scale=-1)))
    array = e.constant(x.name)
    if array is None:
        _by_blob(s, e, y, x)
    else:
        _by_number(s, e, y, x, array.astype(np.float32), x.name)


def _kind(s: Site) -> tuple[str, str]:
    return ("Scale", "scale_param") if s.type in ("Mul", "Div") else ("Bias", "bias_param")


def _by_number(s: Site, e: Draft, x: str, y: Spread, array: np.ndarray, source: str) -> None:
    """A parameter: one number is a Power layer, more a Scale or Bias layer."""
    kind, field = _kind(s)
    if array.size == 1:
        value = float(array.ravel()[0])
        e.layer("Power", x, s.y, **(power(scale=value) if kind == "Scale" else power(shift=value)))
        return
    full = s.out_shape[y.first : y.first + len(y.inner)]
    held = np.broadcast_to(array.reshape(y.inner), full)
    weight = Weight(held, source if array.shape == full else "", source)
    param = {name: v for name, v, usual in (("axis", y.first, 1), ("num_axes", len(full), 1)) if v != usual}
    e.layer(kind, x, s.y, weights=[weight], **{field: param})


def _by_blob(s: Site, e: Draft, x: str, y: Spread) -> None:
    """A blob: reshaped without the ones at its ends, tiled where ones are left, and given as second bottom."""
    kind, field = _kind(s)
    name = y.name if y.inner == y.whole else reshape(e, y.name, "", y.whole, y.inner)
    for k, size in enumerate(y.inner):
        if size != (wanted := s.out_shape[y.first + k]):
            name = e.layer("Tile", name, "", tile_param={"axis": k, "tiles": wanted})
    e.layer(kind, [x, name], s.y, **{field: {"axis": y.first} if y.first != 1 and y.inner else {}})


@exports("Sum", "Max", "Min", "WeightedSum")
def _(s: Site, e: Draft) -> None:
    """Min is the negative of the largest negative."""
    terms, param = s.inputs, {}
    if s.type == "WeightedSum":
        terms, weights = s.inputs[::2], [e.constant(name) for name in s.inputs[1::2]]
        if any(w is None for w in weights):
            raise Refusal("a weight is computed or fed, and the coefficients of a layer are numbers")
        param = {"coeff": [float(w.ravel()[0]) for w in weights]}
    elif s.type != "Sum":
        param = {"operation": "MAX"}
    if len({s.shape(name) for name in terms}) > 1:
        raise Refusal("the inputs have different shapes, and Caffe's Eltwise takes equal ones")
    if len(terms) == 1:
        factor = param.get("coeff", [1.0])[0]
        e.layer("Split", terms, s.y) if factor == 1 else e.layer("Power", terms, s.y, **power(scale=factor))
        return
    if s.type == "Min":
        terms = [e.layer("Power", name, "", **power(scale=-1)) for name in terms]
    top = e.layer("Eltwise", terms, "" if s.type == "Min" else s.y, eltwise_param=param)
    if s.type == "Min":
        e.layer("Power", top, s.y, **power(scale=-1))


REDUCTIONS = {
    "ReduceSum": "SUM",
    "ReduceMean": "MEAN",
    "ReduceL1": "ASUM",
    "ReduceL2": "SUMSQ",
    "ReduceBackSum": "SUM",
    "ReduceBackMean": "MEAN",
    "SumElements": "SUM",
    "SumSqrElements": "SUMSQ",
    "AveragedLoss": "MEAN",
}


@exports(*REDUCTIONS)
def _(s: Site, e: Draft) -> None:
    operation, shape, rank = REDUCTIONS[s.type], s.in_shape, len(s.in_shape)
    if s.args.get("average"):
        if operation == "SUMSQ":
            raise Refusal("Caffe has no mean of squares", argument="average")
        operation = "MEAN"
    axes = _axes(s, rank)
    start = next((k for k in range(rank) if all(j in axes or shape[j] == 1 for j in range(k, rank))), rank)
    if all(k >= start or shape[k] == 1 for k in axes):
        top, made = _reduction(e, s.x, operation, start, shape), shape[:start]
    elif axes == [1] and operation in ("SUM", "MEAN") and rank == 4:
        top, made = _over_channels(e, s.x, operation, shape), (shape[0], 1, *shape[2:])
    else:
        what = f"Caffe reduces the last axes, and these are {axes} of {rank}"
        raise Refusal(what, argument="axes", advice="transpose so that they come last")
    if s.type == "ReduceL2":
        top = e.layer("Power", top, "", **power(0.5))
    e.rename(top, s.y) if made == s.out_shape else reshape(e, top, s.y, made, s.out_shape)


def _axes(s: Site, rank: int) -> list[int]:
    if s.type.startswith("ReduceBack"):
        if len(s.inputs) > 1:
            raise Refusal("it reduces parts of unequal lengths")
        return list(range(rank - s.args["num_reduce_dim"], rank))
    return sorted(k % rank for k in s.args.get("axes", ())) or list(range(rank))


def _reduction(e: Draft, x: str, operation: str, start: int, shape: Shape) -> str:
    """A Reduction layer over the axes from `start` on; none where there are none."""
    if start == len(shape) and operation in ("SUM", "MEAN"):
        return e.layer("Split", x)
    if start == len(shape):
        return e.layer("AbsVal", x) if operation == "ASUM" else e.layer("Power", x, "", **power(2))
    param = {"operation": operation} if operation != "SUM" else {}
    return e.layer("Reduction", x, "", reduction_param=param | ({"axis": start} if start else {}))


def _over_channels(e: Draft, x: str, operation: str, shape: Shape) -> str:
    """A convolution by ones, or by one over their number."""
    value = 1 / shape[1] if operation == "MEAN" else 1.0
    filters = Weight(np.full((1, shape[1], 1, 1), value, np.float32))
    param = {"num_output": 1, "bias_term": False, "kernel_size": [1]}
    return e.layer("Convolution", x, "", weights=[filters], convolution_param=param)
