"""Operators on every element alone."""

from __future__ import annotations

import math

import numpy as np

from caffe2.bridge.onnx.call import Call, Unexportable, exporters, exports

SAME = {
    "Abs": "Abs",
    "Acos": "Acos",
    "Alias": "Identity",
    "Asin": "Asin",
    "Atan": "Atan",
    "Ceil": "Ceil",
    "Copy": "Identity",
    "CopyCPUToGPU": "Identity",
    "CopyFromCPUInput": "Identity",
    "CopyGPUToCPU": "Identity",
    "Cos": "Cos",
    "Cosh": "Cosh",
    "EnsureCPUOutput": "Identity",
    "Erf": "Erf",
    "Exp": "Exp",
    "Floor": "Floor",
    "Log": "Log",
    "Negative": "Neg",
    "Not": "Not",
    "Reciprocal": "Reciprocal",
    "Relu": "Relu",
    "Sigmoid": "Sigmoid",
    "Sign": "Sign",
    "Sin": "Sin",
    "Sinh": "Sinh",
    "Softplus": "Softplus",
    "Softsign": "Softsign",
    "Sqrt": "Sqrt",
    "StopGradient": "Identity",
    "Tan": "Tan",
    "Tanh": "Tanh",
}
"""Operators that ONNX has with the same blobs and no arguments."""

ATTRIBUTES = {
    "Elu": ("Elu", {"alpha": "alpha"}),
    "HardSigmoid": ("HardSigmoid", {"alpha": "alpha", "beta": "beta"}),
    "LeakyRelu": ("LeakyRelu", {"alpha": "alpha"}),
    "Selu": ("Selu", {"alpha": "alpha", "scale": "gamma"}),
    "ThresholdedRelu": ("ThresholdedRelu", {"alpha": "alpha"}),
}
"""Operators whose arguments ONNX has as attributes, under these names."""


def _plain(kind: str, names: dict[str, str]):
    def write(c: Call) -> None:
        c.give(kind, c.inputs[0], **{theirs: float(getattr(c.args, ours)) for ours, theirs in names.items()})

    return write


for _type, _kind in SAME.items():
    exporters[_type] = _plain(_kind, {})
for _type, (_kind, _names) in ATTRIBUTES.items():
    exporters[_type] = _plain(_kind, _names)


@exports("Scale")
def _(c: Call) -> None:
    c.give("Mul", c.inputs[0], c.number(c.args.scale))


@exports("Sqr")
def _(c: Call) -> None:
    c.give("Mul", c.inputs[0], c.inputs[0])


@exports("Cube")
def _(c: Call) -> None:
    x = c.inputs[0]
    c.give("Mul", x, c.add("Mul", x, x))


@exports("Rsqrt")
def _(c: Call) -> None:
    c.give("Reciprocal", c.add("Sqrt", c.inputs[0]))


@exports("Clip")
def _(c: Call) -> None:
    widest = np.finfo(np.float32)
    low = c.number(c.args.min) if c.args.min > widest.min or c.args.max < widest.max else ""
    high = c.number(c.args.max) if low else ""
    c.give("Clip", *[n for n in (c.inputs[0], low, high) if n])


@exports("ReluN")
def _(c: Call) -> None:
    c.give("Clip", c.inputs[0], c.number(0), c.number(c.args.n))


@exports("PRelu")
def _(c: Call) -> None:
    """One slope, or one a channel."""
    slope, rank = c.inputs[1], c.rank()
    if c.args.order == "NCHW" and c.shape(1) != (1,) and rank > 2:
        slope = c.reshape(slope, (-1, *(1,) * (rank - 2)))
    c.give("PRelu", c.inputs[0], slope)


@exports("Swish")
def _(c: Call) -> None:
    x = c.inputs[0]
    c.give("Mul", x, c.add("Sigmoid", x))


@exports("Gelu")
def _(c: Call) -> None:
    x = c.inputs[0]
    if c.args.fast_gelu:
        cubed = c.add("Mul", c.add("Mul", x, c.add("Mul", x, x)), c.number(0.044715))
        share = c.add("Tanh", c.add("Mul", c.add("Add", x, cubed), c.number(math.sqrt(2 / math.pi))))
    else:
        share = c.add("Erf", c.add("Mul", x, c.number(math.sqrt(0.5))))
    c.give("Mul", c.add("Mul", x, c.number(0.5)), c.add("Add", share, c.number(1)))


@exports("Glu")
def _(c: Call) -> None:
    """The first half along a dimension times the logistic function of the second."""
    dim = c.args.dim % c.rank()
    half = c.shape()[dim] // 2
    parts = [c.graph.fresh(c.inputs[0]) for _ in range(2)]
    c.add("Split", c.inputs[0], c.ints(half, half), outputs=parts, axis=dim)
    c.give("Mul", parts[0], c.add("Sigmoid", parts[1]))


@exports("Logit")
def _(c: Call) -> None:
    x = c.add("Clip", c.inputs[0], c.number(c.args.eps), c.number(1 - c.args.eps))
    c.give("Log", c.add("Div", x, c.add("Sub", c.number(1), x)))


@exports("Mod")
def _(c: Call) -> None:
    """ONNX's sign follows the divisor without fmod, the dividend with it."""
    c.give("Mod", c.inputs[0], c.number(c.args.divisor), fmod=int(not c.args.sign_follow_divisor))


@exports("ReplaceNaN")
def _(c: Call) -> None:
    x = c.inputs[0]
    c.give("Where", c.add("IsNaN", x), c.number(c.args.value), x)


@exports("StumpFunc")
def _(c: Call) -> None:
    a = c.args
    above = c.add("Greater", c.inputs[0], c.number(a.threshold))
    c.give("Where", above, c.number(a.high_value), c.number(a.low_value))


@exports("IsNaN")
def _(c: Call) -> None:
    c.give("Cast", c.add("IsNaN", c.inputs[0]), to=c.result_type())


@exports("Cast")
def _(c: Call) -> None:
    c.give("Cast", c.inputs[0], to=c.result_type())


@exports("Dropout")
def _(c: Call) -> None:
    if not c.args.is_test:
        raise Unexportable("dropout that draws random numbers is for training; set is_test to 1, or take it out")
    c.give("Identity", c.inputs[0])
