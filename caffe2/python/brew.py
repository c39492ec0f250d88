"""Building functions: `brew.fc(model, "x", "y", dim_in, dim_out)` adds operators and parameters to a model."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable
from typing import Any

from caffe2.python.helpers import (
    algebra,
    arg_scope,
    array_helpers,
    control_ops,
    conv,
    db_input,
    dropout,
    elementwise_linear,
    fc,
    nonlinearity,
    normalization,
    pooling,
    quantization,
    tools,
    train,
)
from caffe2.python.model_helper import ModelHelper

_FAMILIES = (
    algebra,
    arg_scope,
    array_helpers,
    control_ops,
    conv,
    db_input,
    dropout,
    elementwise_linear,
    fc,
    nonlinearity,
    normalization,
    pooling,
    quantization,
    tools,
    train,
)

_registry: dict[str, Callable[..., Any]] = {name: getattr(m, name) for m in _FAMILIES for name in m.__all__}

_get_current_scope = arg_scope.get_current_scope

# The modules' names would hide the functions of the same names, which __getattr__ serves.
del arg_scope, conv, db_input, dropout, elementwise_linear, fc


def Register(helper: Callable[..., Any]) -> None:
    """Make `helper`, whose first parameter is a model, a building function under its own name.

    Raises AttributeError where there is one of that name.
    """
    name = helper.__name__
    if name in _registry:
        raise AttributeError(f"Helper {name} already exists. Please change your helper name.")
    _registry[name] = helper


def has_helper(helper_or_helper_name: Callable[..., Any] | str) -> bool:
    """Whether there is a building function of this name."""
    by_name = isinstance(helper_or_helper_name, str)
    return (helper_or_helper_name if by_name else helper_or_helper_name.__name__) in _registry


def __getattr__(helper_name: str) -> Callable[..., Any]:
    """The building function of this name.

    Called, it takes on arguments from the model's arg_scope, then from the argument scopes around the call, then from
    the call; those of the model it takes on alone that it has a parameter for, or all if it takes any.
    """
    if helper_name not in _registry:
        raise AttributeError(f"Helper function {helper_name} not registered.")
    helper = _registry[helper_name]

    @functools.wraps(helper)
    def scoped(*args: Any, **kwargs: Any) -> Any:
        arguments = {} if helper_name == "arg_scope" else _arguments_of_model(helper, args, kwargs)
        arguments.update(_get_current_scope().get(helper_name, {}))
        return helper(*args, **{**arguments, **kwargs})

    return scoped


def _arguments_of_model(helper: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    if args and isinstance(args[0], ModelHelper):
        model = args[0]
    elif "model" in kwargs:
        model = kwargs["model"]
    else:
        raise RuntimeError(
            "The first input of helper function should be model. Or you can provide it in kwargs as model=<your_model>."
        )
    parameters = inspect.getfullargspec(helper)
    takes_any = parameters.varkw is not None
    return {k: copy.deepcopy(v) for k, v in model.arg_scope.items() if takes_any or k in parameters.args}


def __dir__() -> list[str]:
    return sorted({*globals(), *_registry})
