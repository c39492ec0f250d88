"""Arithmetic of two tensors: Add, Sub, Mul, Div and Pow with their gradients, and scaling by a number.

X: of any shape.
Y: of the shape of X.
A: of any shape.
B: of a shape that broadcasts against A.
scale: the factor.
axis: the dimension of A where those of B begin; -1: the last ones. Only with `broadcast`.
axis_str, order: instead of `axis`, a letter of order, such as C of NCHW.
broadcast: B lies within the dimensions of A from `axis` on, and C has the shape of A; without it, shapes follow NumPy's
    rules.
"""

from __future__ import annotations

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Gradient, NoGradient, gradient, op
from caffe2.ops.broadcast import align, binary, binary_gradient, broadcast_shape, in_shape, reduce_to
from caffe2.ops.demand import readable

NUMBERS = "floating index"


def quotient(a: Tensor, b: Tensor) -> Tensor:
    return a / b if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


ROWS = (
    ("Add", "A + B", lambda a, b: torch.add(a, b), "A -> C, B -> C", "dC A B"),
    ("Sub", "A - B", lambda a, b: torch.sub(a, b), "A -> C, B -> C", "dC A B"),
    ("Mul", "A * B", lambda a, b: torch.mul(a, b), "A -> C, B -> C", "dC A B"),
    ("Div", "A / B, truncated where they are integers", quotient, "A -> C", "dC A B C"),
)
for name, formula, function, inplace, needed in ROWS:
    op(
        f"{name}: A B -> C",
        doc=f"Elementwise C = {formula}.",
        types=f"A=B: {NUMBERS}",
        inplace=inplace,
        gradient=f"{name}Gradient: {needed} -> dA dB",
        shape=broadcast_shape(),
    )(binary(function))

SLOPES = (
    ("Add", "dA = dC, dB = dC", "dC -> dA, dC -> dB", lambda dc, a, b: (dc, dc)),
    ("Sub", "dA = dC, dB = -dC", "dC -> dA, dC -> dB", lambda dc, a, b: (dc, -dc)),
    ("Mul", "dA = dC * B, dB = dC * A", "dC -> dA, dC -> dB", lambda dc, a, b: (dc * b, dc * a)),
)
for name, formula, inplace, function in SLOPES:
    op(
        f"{name}Gradient: dC A B -> dA dB",
        doc=f"{formula}, each summed over the dimensions along which its input was broadcast.",
        types=f"dC=A=B: {NUMBERS}",
        inplace=inplace,
        view=True,
        like="A B",
    )(binary_gradient(function))


def of_division(dc: Tensor, a: Tensor, b: Tensor, c: Tensor | None = None, **_: object) -> tuple[Tensor, Tensor]:
    """A and B, whose shapes their gradients take, whichever form the inputs are in."""
    return (a, dc) if c is None else (a, b)


@op(
    "DivGradient: dC A B C? -> dA dB",
    inplace="dC -> dA",
    types=f"dC=A=B=C: {NUMBERS}",
    view=True,
    shape=of_division,
)
def div_gradient(
    dc: Tensor,
    a: Tensor,
    b: Tensor,
    c: Tensor | None = None,
    *,
    broadcast: bool = False,
    axis: int = -1,
    axis_str: str = "",
    order: str = "NCHW",
) -> tuple[Tensor, Tensor]:
    """dA = dC / B, dB = -dC * C / B, each summed over the dimensions along which its input was broadcast.

    With three inputs they are B C dC, as old nets have it, and A has the shape of C.
    """
    if c is None:
        b, c, dc = dc, a, b
        a = c
    view = align(a, b, axis, axis_str, order) if broadcast else b
    da, db = quotient(dc, view), -quotient(dc * c, view)
    return reduce_to(da, a), in_shape(reduce_to(db, view), b)


@op("SumReduceLike: A B -> C", types="A: floating", view=True, shape=lambda a, b, **_: a.new_empty(b.shape))
def sum_reduce_like(a: Tensor, b: Tensor, *, axis: int = -1, axis_str: str = "", order: str = "NCHW") -> Tensor:
    """C = A summed to the shape of B: over those of A's dimensions that B lacks, or has only one element along.

    B: lies within the dimensions of A from `axis` on; its values do not matter.
    C: of the shape of B.
    axis: the dimension of A where those of B begin; -1: the last ones.
    """
    return a.sum_to_size(align(a, b, axis, axis_str, order).shape).reshape(b.shape)


power = binary(lambda x, e: torch.pow(x, e))


@op(
    "Pow: X exponent? -> Y",
    inplace="X -> Y, exponent -> Y",
    types="X=exponent: floating",
    shape=lambda x, e=None, exponent=None, **args: x if e is None else broadcast_shape()(x, e, **args),
)
def pow_(
    x: Tensor,
    e: Tensor | None = None,
    *,
    exponent: float | None = None,
    broadcast: bool = False,
    axis: int = -1,
    axis_str: str = "",
    order: str = "NCHW",
) -> Tensor:
    """Y = X^exponent, elementwise.

    Raises EnforceNotMet where there is neither the blob nor the argument `exponent`.

    exponent: the exponent: a blob, broadcast as B is in Add, or else one number, the argument.
    """
    if e is not None:
        return power(x, e, broadcast=broadcast, axis=axis, axis_str=axis_str, order=order)
    if exponent is None:
        raise EnforceNotMet("the exponent is missing: give it as second input or as the argument `exponent`")
    return torch.pow(x, exponent)


@gradient("Pow")
def _(g: Gradient) -> None:
    if "exponent" in g.args:
        _pow_gradient_of_number(g)
    elif g.outputs["Y"] in g.forward.input:
        raise NoGradient("Pow: X exponent -> Y\n  its gradient needs both inputs; write Y to another blob")
    else:
        _pow_gradient_of_blob(g)


def _pow_gradient_of_number(g: Gradient) -> None:
    x, dx = g.inputs["X"], g.grad_name("X")
    exponent = g.arg("exponent")
    # where Y has overwritten X, X^(e-1) is Y^((e-1)/e)
    lower = exponent - 1 if x != g.outputs["Y"] else (exponent - 1) / exponent
    g.add("Pow", [x], [dx], copy=False, exponent=lower)
    g.add("Mul", [dx, g.blob("dY")], [dx], copy=False)
    g.add("Scale", [dx], [dx], copy=False, scale=exponent).set("X", dx)


def _pow_gradient_of_blob(g: Gradient) -> None:
    x, e, y, dy = g.inputs["X"], g.inputs["exponent"], g.outputs["Y"], g.blob("dY")
    dx, de = g.grad_name("X"), g.grad_name("exponent")
    wide = {}
    if "broadcast" in g.args:
        defaults = {"broadcast": 0, "axis": -1, "axis_str": "", "order": "NCHW"}
        wide = {name: g.args.get(name, default) for name, default in defaults.items()}
    g.add("ConstantFill", [e], [de], copy=False, value=1.0)
    g.add("Sub", [e, de], [de], copy=False)
    g.add("Pow", [x, de], [dx], copy=False, **wide)
    g.add("Mul", [dx, dy], [dx], copy=False)
    g.add("Mul", [dx, e], [dx], copy=False, **wide).set("X", dx)
    unsummed = f"{de}_autogen_pre_red"
    g.add("Log", [x], [unsummed], copy=False)
    g.add("Mul", [unsummed, y], [unsummed], copy=False)
    g.add("Mul", [unsummed, dy], [unsummed if wide else de], copy=False)
    if wide:
        wide.pop("broadcast")
        g.add("SumReduceLike", [unsummed, e], [de], copy=False, **wide)
    g.set("exponent", de)


@op("Scale: X -> Y", inplace="X -> Y", types="X: floating", like="X", gradient="Scale: dY -> dX")
def scale(x: Tensor, *, scale: float = 1.0) -> Tensor:
    """Elementwise: Y = scale * X."""
    return x * scale


@op("ScaleBlobs: +blobs -> +blobs", inplace=None, types="blobs: floating", like="blobs")
def scale_blobs(*blobs: Tensor, scale: float = 1.0) -> tuple[Tensor, ...]:
    """Every blob times `scale`.

    blobs: of any shapes; each output has the shape of its input.
    """
    return tuple(x * scale for x in blobs)


@op(
    "SquareRootDivide: X scale -> Y",
    inplace="X -> Y",
    types="X: floating, scale: floating index",
    like="X",
    gradient="SquareRootDivide: dY scale -> dX",
)
def square_root_divide(x: Tensor, scale: Tensor) -> Tensor:
    """Row i of X divided by sqrt(scale[i]), or by 1 where scale[i] is 0.

    X: (N, ...).
    scale: (N), not negative.
    """
    if scale.dim() != 1 or x.dim() == 0 or x.shape[0] != scale.shape[0]:
        raise EnforceNotMet(f"scale{list(scale.shape)} has one number for each row of X{list(x.shape)}")
    if readable(scale) and bool((scale < 0).any()):
        raise EnforceNotMet(f"scale holds a negative number: {float(scale.min())}")
    rate = torch.rsqrt(torch.where(scale == 0, 1, scale).to(x.dtype))
    return x * rate.reshape((-1,) + (1,) * (x.dim() - 1))
