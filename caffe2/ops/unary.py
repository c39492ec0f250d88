"""Elementwise functions of one tensor and their slopes: roots, powers, exponentials, trigonometry, rounding, signs.

X, input, tensor, data: of any shape.
Y, output: of the shape of the input.
dY: the gradient of the function's output.
dX: the gradient of its input.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Gradient, gradient, op

TWO_OVER_ROOT_PI = 1.1283791670955126


def unary(header: str, doc: str, function: Callable[[Tensor], Tensor], types: str = "floating", **facets: Any) -> None:
    """Define an operator that applies a function to every element."""
    x, y = header.split(": ")[1].split(" -> ")
    inplace = f"{x} -> {y}" if facets.pop("inplace", False) else ""
    op(header, doc=f"Elementwise: {doc}", types=f"{x}: {types}", inplace=inplace, **({"like": x} | facets))(function)


def slope(header: str, doc: str, function: Callable[[Tensor, Tensor], Tensor], types: str = "floating") -> None:
    """Define a gradient operator of an elementwise function; the original lets three of them overwrite dY."""
    name, blobs = header.split(": ")
    blobs = blobs.split(" -> ")[0]
    inplace = "dY -> dX" if name in ("CbrtGradient", "ReciprocalGradient", "RsqrtGradient") else ""
    op(
        header,
        doc=f"Elementwise: {doc}",
        types=f"{blobs}: {types}",
        same=blobs,
        like="X" if "X" in blobs.split() else "Y",
        inplace=inplace,
    )(function)


def cbrt(x: Tensor) -> Tensor:
    return torch.copysign(x.abs().pow(1 / 3), x)


NUMBERS = "floating index"

unary("Abs: X -> Y", "Y = |X|.", lambda x: torch.abs(x), gradient="AbsGradient: X dY -> dX")
slope("AbsGradient: X dY -> dX", "dX = dY * sign(X).", lambda x, dy: dy * torch.sign(x))

unary("Negative: X -> Y", "Y = -X.", lambda x: torch.neg(x), NUMBERS, inplace=True, gradient="Negative: dY -> dX")
unary("Sign: X -> Y", "Y = -1, 0 or 1: the sign of X, 0 for NaN.", lambda x: torch.sign(x), NUMBERS)

unary("Sqr: X -> Y", "Y = X^2.", lambda x: torch.square(x), inplace=True)
unary("Sqrt: X -> Y", "Y = X^(1/2).", lambda x: torch.sqrt(x), inplace=True)

unary("Cube: X -> Y", "Y = X^3.", lambda x: x**3, NUMBERS, gradient="CubeGradient: dY X -> dX")
slope("CubeGradient: dY X -> dX", "dX = 3 dY X^2.", lambda dy, x: dy * torch.square(x) * 3, NUMBERS)

unary("Cbrt: X -> Y", "Y = X^(1/3), with the sign of X.", cbrt, inplace=True, gradient="CbrtGradient: dY Y -> dX")
slope("CbrtGradient: dY Y -> dX", "dX = dY / (3 Y^2).", lambda dy, y: dy / (torch.square(y) * 3))

unary("Reciprocal: X -> Y", "Y = 1 / X.", lambda x: 1 / x, inplace=True, gradient="ReciprocalGradient: Y dY -> dX")
slope("ReciprocalGradient: Y dY -> dX", "dX = -dY Y^2.", lambda y, dy: -dy * torch.square(y))

unary("Rsqrt: X -> Y", "Y = X^(-1/2).", lambda x: torch.rsqrt(x), inplace=True, gradient="RsqrtGradient: dY Y -> dX")
slope("RsqrtGradient: dY Y -> dX", "dX = -dY Y^3 / 2.", lambda dy, y: dy * y**3 * -0.5)

unary("Exp: X -> Y", "Y = e^X.", lambda x: torch.exp(x), inplace=True, gradient="Mul: Y dY -> dX")
unary("Log: X -> Y", "Y = ln X.", lambda x: torch.log(x), inplace=True, gradient="Div: dY X -> dX")

unary(
    "Erf: input -> output",
    "output = 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to input.",
    lambda x: torch.erf(x),
    gradient="ErfGradient: input doutput -> dinput",
)
slope(
    "ErfGradient: X dY -> dX",
    "dX = 2 / sqrt(pi) dY e^(-X^2).",
    lambda x, dy: dy * torch.exp(-torch.square(x)) * TWO_OVER_ROOT_PI,
)

unary("Sin: X -> Y", "Y = sin X.", lambda x: torch.sin(x), gradient="SinGradient: X dY -> dX")
slope("SinGradient: X dY -> dX", "dX = dY cos X.", lambda x, dy: dy * torch.cos(x))

unary("Cos: X -> Y", "Y = cos X.", lambda x: torch.cos(x), gradient="CosGradient: X dY -> dX")
slope("CosGradient: X dY -> dX", "dX = -dY sin X.", lambda x, dy: -dy * torch.sin(x))

unary(
    "Tan: input -> output",
    "output = tan input.",
    lambda x: torch.tan(x),
    gradient="TanGradient: input doutput -> dinput",
)
slope("TanGradient: X dY -> dX", "dX = dY / cos(X)^2.", lambda x, dy: dy / torch.square(torch.cos(x)))

unary(
    "Asin: input -> output",
    "output = arcsin input, NaN outside [-1, 1].",
    lambda x: torch.asin(x),
    gradient="AsinGradient: input doutput -> dinput",
)
slope("AsinGradient: X dY -> dX", "dX = dY / sqrt(1 - X^2).", lambda x, dy: dy * torch.rsqrt(1 - torch.square(x)))

unary(
    "Acos: input -> output",
    "output = arccos input, NaN outside [-1, 1].",
    lambda x: torch.acos(x),
    gradient="AcosGradient: input doutput -> dinput",
)
slope("AcosGradient: X dY -> dX", "dX = -dY / sqrt(1 - X^2).", lambda x, dy: -dy * torch.rsqrt(1 - torch.square(x)))

unary(
    "Atan: input -> output",
    "output = arctan input.",
    lambda x: torch.atan(x),
    gradient="AtanGradient: input doutput -> dinput",
)
slope("AtanGradient: X dY -> dX", "dX = dY / (1 + X^2).", lambda x, dy: dy / (1 + torch.square(x)))

unary(
    "Sinh: input -> output",
    "output = sinh input.",
    lambda x: torch.sinh(x),
    gradient="SinhGradient: doutput input -> dinput",
)
slope("SinhGradient: dY X -> dX", "dX = dY cosh X.", lambda dy, x: dy * torch.cosh(x))

unary(
    "Cosh: input -> output",
    "output = cosh input.",
    lambda x: torch.cosh(x),
    gradient="CoshGradient: doutput input -> dinput",
)
slope("CoshGradient: dY X -> dX", "dX = dY sinh X.", lambda dy, x: dy * torch.sinh(x))

unary("Ceil: X -> Y", "Y = the least integer not below X.", lambda x: torch.ceil(x), inplace=True, engines="CUDNN")
unary("Floor: X -> Y", "Y = the greatest integer not above X.", lambda x: torch.floor(x), inplace=True)

unary("Not: X -> Y", "Y = not X.", lambda x: torch.logical_not(x), "bool")
unary(
    "IsNaN: tensor -> output",
    "1 where an element is NaN, else 0, as uint8.",
    lambda x: torch.isnan(x).byte(),
    like="",
    shape=lambda x: x.new_empty(x.shape, dtype=torch.uint8),
)


@gradient("Sqr")
def _(g: Gradient) -> None:
    dy, dx = g.blob("dY"), g.grad_name("X")
    g.add("Scale", [dy], [dy], scale=2.0)  # the original scales dY where it stands
    g.add("Mul", [dy, g.inputs["X"]], [dx]).set("X", dx)


@gradient("Sqrt")
def _(g: Gradient) -> None:
    dx = g.grad_name("X")
    g.add("Scale", [g.blob("dY")], [dx], scale=0.5)
    g.add("Div", [dx, g.outputs["Y"]], [dx]).set("X", dx)


@op("ReplaceNaN: input -> output", inplace="input -> output", types="input: floating", like="input")
def replace_nan(x: Tensor, *, value: float = 0.0) -> Tensor:
    """The input with every NaN replaced by `value`.

    value: the number.
    """
    return torch.where(torch.isnan(x), value, x)


@op("Mod: data -> output", inplace="data -> output", types="data: index", like="data")
def mod(data: Tensor, *, divisor: int = 0, sign_follow_divisor: bool = False) -> Tensor:
    """The remainder of data / divisor.

    Raises EnforceNotMet for the divisor 0.

    divisor: the number, not 0.
    sign_follow_divisor: the remainder has the sign of divisor, not that of data.
    """
    if divisor == 0:
        raise EnforceNotMet("the divisor must not be 0")
    return torch.remainder(data, divisor) if sign_follow_divisor else torch.fmod(data, divisor)
