"""Gradient operators that differentiate the forward body."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from caffe2.opdef import op


def differentiable(name: str, inputs: str, outputs: str, wanted: int = 1, **facets: Any) -> Callable:
    """Register the function below as an operator, and the operator of its gradient.

    inputs, outputs: the two sides of the header; gradients come from the first output and go to the first `wanted`
    inputs. The function must be one that autograd differentiates.
    """
    top = outputs.split()[0]
    slopes = " ".join(f"d{x}" for x in inputs.split()[:wanted])
    arrows = f"{name}Gradient: {inputs} d{top} -> {slopes}"

    def define(body: Callable) -> Callable:
        op(f"{name}: {inputs} -> {outputs}", **{"gradient": arrows, **facets})(body)
        op(arrows, doc=f"The gradient of {name}, by automatic differentiation.")(_backward(body, wanted))
        return body

    return define


def _backward(body: Callable, wanted: int) -> Callable:
    def backward(*inputs: Tensor, **arguments: Any) -> Any:
        *given, slope = [x for one in inputs for x in (one if isinstance(one, tuple) else (one,))]
        leaves = [x.detach().requires_grad_() for x in given[:wanted]]
        with torch.enable_grad():
            found = body(*leaves, *given[wanted:], **arguments)
            first = found[0] if isinstance(found, tuple) else found
        grads = torch.autograd.grad(first, leaves, slope.reshape(first.shape))
        return grads[0] if wanted == 1 else tuple(grads)

    keywords = [p for p in inspect.signature(body).parameters.values() if p.kind is p.KEYWORD_ONLY]
    run = inspect.Parameter("inputs", inspect.Parameter.VAR_POSITIONAL)
    backward.__signature__ = inspect.Signature([run, *keywords])
    backward.__annotations__ = {"inputs": Tensor} | {p.name: body.__annotations__[p.name] for p in keywords}
    return backward
