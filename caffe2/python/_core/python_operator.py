"""Operators that run Python functions: their registration and creation."""

from __future__ import annotations

import pickle
from typing import Any

from caffe2.proto import caffe2_pb2
from caffe2.python import _import_c_extension as C
from caffe2.python._core.create import CreateOperator
from caffe2.python._misuse import demand
from caffe2.runtime.functions import functions


def _RegisterPythonImpl(f: Any, grad_f: Any = None, python_func_type: Any = None, pass_workspace: bool = False) -> str:
    """Register a function, and its gradient, for Python operators of this process; the token that names them."""
    if python_func_type:
        made = python_func_type(f)
        f, grad_f = made.forward, made.backward
    token = C.register_python_op(_built(f), pass_workspace, "")
    if grad_f:
        C.register_python_gradient_op(token, _built(grad_f))
    return token


def _built(function: Any) -> Any:
    """A function, made where it is given as (make, args, kwargs)."""
    if not isinstance(function, tuple):
        return function
    make, args, kwargs = function
    return make(*args, **kwargs)


def CreatePythonOperator(
    f: Any,
    inputs: Any,
    outputs: Any,
    grad_f: Any = None,
    pass_workspace: bool = False,
    python_func_type: Any = None,
    *args: Any,
    **kwargs: Any,
) -> caffe2_pb2.OperatorDef:
    """An operator that runs f(inputs, outputs), or with `pass_workspace` f(inputs, outputs, workspace): Net.Python."""
    kwargs["token"] = _RegisterPythonImpl(f, grad_f, python_func_type, pass_workspace=pass_workspace)
    return CreateOperator("Python", inputs, outputs, *args, **kwargs)


def arguments(f: Any, grad_f: Any, python_func_type: Any, pass_workspace: bool) -> dict[str, Any]:
    """The arguments of a Python operator: the token of functions registered here, or pickled makers of them.

    Raises Misuse where one of f and grad_f is a tuple (make, args, kwargs) and the other a function.
    """
    demand(
        not grad_f or isinstance(f, tuple) == isinstance(grad_f, tuple),
        "A tuple has to be passed to both f and grad_f or neither.",
    )
    if not isinstance(f, tuple):
        return {"token": _RegisterPythonImpl(f, grad_f, python_func_type, pass_workspace=pass_workspace)}
    return {
        "pickled_builder": _pickled(f),
        "pickled_grad_builder": _pickled(grad_f) if grad_f else "",
        "pass_workspace": pass_workspace,
    }


def _pickled(builder: tuple) -> bytes:
    demand(len(builder) == 3, f"Expected builder tuple (func, args, kwargs), not {builder!r}")
    function, args, kwargs = builder
    return functions.trust(pickle.dumps((function, tuple(args), dict(kwargs))))
