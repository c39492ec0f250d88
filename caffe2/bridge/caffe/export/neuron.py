"""Operators that work on every element alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from caffe2.bridge.caffe.export.draft import Draft, exports
from caffe2.bridge.caffe.export.site import Refusal, Site

Args = dict[str, Any]


def power(power: float = 1.0, scale: float = 1.0, shift: float = 0.0) -> Args:
    """The fields of a Power layer, (shift + scale x) ** power."""
    wanted = {"power": (power, 1.0), "scale": (scale, 1.0), "shift": (shift, 0.0)}
    return {"power_param": {name: float(value) for name, (value, default) in wanted.items() if value != default}}


NEURONS: dict[str, tuple[str, Callable[[Args], Args]]] = {
    "Abs": ("AbsVal", lambda a: {}),
    "Relu": ("ReLU", lambda a: {}),
    "LeakyRelu": ("ReLU", lambda a: {"relu_param": {"negative_slope": a["alpha"]}}),
    "Elu": ("ELU", lambda a: {"elu_param": {"alpha": a["alpha"]}}),
    "Sigmoid": ("Sigmoid", lambda a: {}),
    "Tanh": ("TanH", lambda a: {}),
    "Softplus": ("BNLL", lambda a: {}),
    "Exp": ("Exp", lambda a: {}),
    "Log": ("Log", lambda a: {}),
    "Pow": ("Power", lambda a: power(a["exponent"])),
    "Scale": ("Power", lambda a: power(scale=a["scale"])),
    "Negative": ("Power", lambda a: power(scale=-1)),
    "Sqr": ("Power", lambda a: power(2)),
    "Cube": ("Power", lambda a: power(3)),
    "Sqrt": ("Power", lambda a: power(0.5)),
    "Rsqrt": ("Power", lambda a: power(-0.5)),
    "Reciprocal": ("Power", lambda a: power(-1)),
    "Swish": ("Swish", lambda a: {}),
    "Copy": ("Split", lambda a: {}),
    "Alias": ("Split", lambda a: {}),
    "StopGradient": ("Split", lambda a: {}),
    "EnsureDense": ("Split", lambda a: {}),
    "EnsureCPUOutput": ("Split", lambda a: {}),
    "CopyCPUToGPU": ("Split", lambda a: {}),
    "CopyGPUToCPU": ("Split", lambda a: {}),
}
"""An operator of one input, the layer that computes the same, and its parameters from the operator's arguments."""


@exports(*NEURONS)
def _(s: Site, e: Draft) -> None:
    if s.type == "Pow" and len(s.inputs) > 1:
        raise Refusal("the exponent is a blob; a Power layer has one number", advice="give the argument exponent")
    kind, params = NEURONS[s.type]
    e.layer(kind, s.x, s.y, **params(s.args))


LOWEST = float(np.finfo(np.float32).min)


@exports("Clip")
def _(s: Site, e: Draft) -> None:
    """Without bounds nothing changes; a lower bound of 0 alone is a ReLU."""
    low, high = s.args["min"], s.args["max"]
    if low == 0 and high >= -LOWEST:
        e.layer("ReLU", s.x, s.y)
    else:
        e.layer("Clip", s.x, s.y, clip_param={"min": low, "max": high})


@exports("PRelu")
def _(s: Site, e: Draft) -> None:
    first_channels(s)
    one = e.constant(s.inputs[1]) is not None and e.constant(s.inputs[1]).size == 1
    shared = {"channel_shared": True} if one else {}
    e.layer("PReLU", s.x, s.y, weights=[e.shaped(s.inputs[1], () if one else (-1,))], prelu_param=shared)


@exports("Selu")
def _(s: Site, e: Draft) -> None:
    inner = e.layer("ELU", s.x, "", elu_param={"alpha": s.args["alpha"]})
    e.layer("Power", inner, s.y, **power(scale=s.args["scale"]))


@exports("HardSigmoid")
def _(s: Site, e: Draft) -> None:
    inner = e.layer("Power", s.x, "", **power(scale=s.args["alpha"], shift=s.args["beta"]))
    e.layer("Clip", inner, s.y, clip_param={"min": 0.0, "max": 1.0})


@exports("Softsign")
def _(s: Site, e: Draft) -> None:
    """x / (1 + |x|)."""
    inner = e.layer("Power", e.layer("AbsVal", s.x), "", **power(-1, shift=1))
    e.layer("Eltwise", [s.x, inner], s.y, eltwise_param={"operation": "PROD"})


@exports("ThresholdedRelu")
def _(s: Site, e: Draft) -> None:
    above = e.layer("Threshold", s.x, "", threshold_param={"threshold": s.args["alpha"]})
    e.layer("Eltwise", [s.x, above], s.y, eltwise_param={"operation": "PROD"})


@exports("Dropout")
def _(s: Site, e: Draft) -> None:
    if not s.args["is_test"]:
        raise Refusal(
            "it drops numbers at random, and the file would be of a net that does not",
            argument="is_test",
            advice="set it to 1: the layer is written, and drops while Caffe trains",
        )
    e.layer("Dropout", s.x, s.y, dropout_param={"dropout_ratio": s.args["ratio"]})


@exports("GT")
def _(s: Site, e: Draft) -> None:
    """Threshold is a comparison with a number and a cast of what it says to floats."""
    after, limit = e.sole(s.y), e.constant(s.inputs[1])
    if after is None or after.type != "Cast" or limit is None or limit.size != 1:
        raise Refusal("Caffe compares with one number, and gives floats", advice="put a Cast to float behind it")
    e.done.add(after.index)
    e.layer("Threshold", s.x, after.y, threshold_param={"threshold": float(limit.ravel()[0])})


def first_channels(s: Site) -> None:
    """Raises Refusal where channels stand last."""
    if str(s.args.get("order", "NCHW")).upper() != "NCHW":
        raise Refusal(
            f"images are stored as {s.args['order']}, and Caffe's as NCHW",
            argument="order",
            advice="build the net with order='NCHW'",
        )
