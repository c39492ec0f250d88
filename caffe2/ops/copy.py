"""Operators that hand a value on: copies between devices, casts, aliases, and what only gradients notice.

input, X: a tensor of any shape.
output, Y: of the shape of the input.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import NONE, DType, EnforceNotMet, Gradient, element_type, gradient, op


def _copied(value: Any, device: torch.device | None = None) -> Any:
    if isinstance(value, Tensor):
        return (
            value.to(device, copy=True).contiguous()
            if device is not None
            else value.clone(memory_format=torch.contiguous_format)
        )
    return value.copy() if isinstance(value, np.ndarray) else value


@op("Copy: input -> output", gradient="CopyOnDeviceLike: doutput input -> dinput", like="input")
def copy(x: Any) -> Any:
    """A copy on the same device."""
    return _copied(x)


@op("CopyOnDeviceLike: input dst -> output", like="input")
def copy_on_device_like(x: Any, like: Any) -> Any:
    """A copy of input on the device where dst is.

    dst: a tensor; only its device matters.
    """
    return _copied(x, like.device if isinstance(like, Tensor) else None)


@op("CopyCPUToGPU: input -> output", gradient="CopyGPUToCPU: doutput -> dinput", like="input", host="input")
def copy_cpu_to_gpu(x: Any, *, device: torch.device) -> Any:
    """A copy on the device of the operator."""
    return _copied(x, device)


@op("CopyGPUToCPU: input -> output", gradient="CopyCPUToGPU: doutput -> dinput", like="input", host="output")
def copy_gpu_to_cpu(x: Any) -> Any:
    """A copy in host memory."""
    return _copied(x, torch.device("cpu"))


@op("CopyFromCPUInput: input -> output", like="input", host="input")
def copy_from_cpu_input(x: Any, *, device: torch.device) -> Any:
    """A copy, on the device of the operator, of a value in host memory."""
    return _copied(x, device)


@op("EnsureCPUOutput: input -> output", gradient=NONE, like="input", host="output")
def ensure_cpu_output(x: Any) -> Any:
    """A copy in host memory, wherever the input is."""
    return _copied(x, torch.device("cpu"))


@op("Cast: X -> Y", types="X: fixed bfloat16")
def cast(x: Tensor, *, to: DType = torch.float32, from_type: Any = None) -> Tensor | np.ndarray:
    """The elements of X as another type.

    Real numbers are truncated towards zero to integers; nonzero numbers are true; strings show integers in decimal and
    real numbers with six digits behind the point.

    to: the element type, by number or by name.
    from_type: the element type of X, which the gradient needs to know.
    """
    return x.to(to, copy=True) if isinstance(to, torch.dtype) else _shown(x)


def _shown(x: Tensor) -> np.ndarray:
    form = b"%f" if x.is_floating_point() else b"%d"
    shown = np.empty(x.numel(), dtype=object)
    shown[:] = [form % number for number in x.reshape(-1).tolist()]
    return shown.reshape(x.shape)


@gradient("Cast")
def _(g: Gradient) -> None:
    back = g.arg("from_type")
    if back is None:
        raise EnforceNotMet("Cast: its gradient needs the argument from_type, the element type of X")
    g.op(
        "Cast: dY -> dX",
        to=element_type(back.s or back.i).number,
        from_type=element_type(g.arg("to", torch.float32)).number,
    )


@op("FloatToHalf: X -> Y", gradient="HalfToFloat: dY -> dX", types="X: float")
def float_to_half(x: Tensor) -> Tensor:
    """float32 as float16, rounded to nearest even."""
    return x.half()


@op("HalfToFloat: X -> Y", gradient="FloatToHalf: dY -> dX", types="X: float16")
def half_to_float(x: Tensor) -> Tensor:
    """float16 as float32."""
    return x.float()


def _passed_on(g: Gradient) -> None:
    g.set("input", g.g_output[0])


@op("Alias: input -> output", gradient=_passed_on, like="input", shares=True)
def alias(x: Any) -> Any:
    """The input itself under another name, sharing its storage."""
    return x.view(x.shape) if isinstance(x, Tensor) else x


@op("AliasWithName: input -> output", inplace=None, like="input", shares=True)
def alias_with_name(x: Any, *, name: str = "invalid_name", is_backward: bool = False) -> Any:
    """The input itself, sharing its storage, under a name that profilers may show.

    name: the name.
    is_backward: whether the operator belongs to the backward pass; for profilers alone.
    """
    return x


@gradient("AliasWithName")
def _(g: Gradient) -> None:
    g.op("AliasWithName: doutput -> dinput").ops[-1].arg.add(name="is_backward", i=1)


@op("StopGradient: input -> output", inplace=None, gradient=NONE, like="input", view=True)
def stop_gradient(x: Any) -> Any:
    """The input; no gradient passes through."""
    return x


@op("NegateGradient: input -> output", inplace=None, gradient="Negative: doutput -> dinput", like="input", view=True)
def negate_gradient(x: Any) -> Any:
    """The input; gradients change their sign (Ganin and Lempitsky, 2015)."""
    return x


@op("ZeroGradient: X ->")
def zero_gradient(x: Any) -> None:
    """Gives X a gradient of zeros, where nothing else gives it one."""


@gradient("ZeroGradient")
def _(g: Gradient) -> None:
    g.op("ConstantFill: X -> dX", value=0.0)


@op("EnsureDense: input -> output", inplace=None, like="input", view=True)
def ensure_dense(x: Any) -> Any:
    """The input; a gradient that is sparse is made dense on the way."""
    return x


@gradient("EnsureDense")
def _(g: Gradient) -> None:
    grad = g.g_output[0]
    if not isinstance(grad, tuple):
        g.set("input", grad)
        return
    indices, values = grad
    g.add("SparseToDense", [indices, values, g.inputs["input"]], [g.grad_name("input")])
    g.set("input", g.grad_name("input"))
