"""What programs know as the C extension: the names of it that they use, over the runtime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from caffe2.runtime import observe
from caffe2.runtime.db import registered as registered_dbs
from caffe2.runtime.functions import functions
from caffe2.runtime.workspace import Workspace
from caffe2.runtime.workspaces import workspaces

use_mkldnn = has_mkldnn = False
is_asan = False
has_cuda_support = torch.cuda.is_available()
has_hip_support = False
has_gpu_support = has_cuda_support


def register_python_op(function: Callable, pass_workspace: bool, name: str) -> str:
    """Register a function for Python operators; the token that names it."""
    return functions.register(function, pass_workspace, name)


def register_python_gradient_op(token: str, function: Callable) -> None:
    """Register the gradient of a registered function."""
    functions.register_gradient(token, function)


def add_observer_to_net(name: str, kind: str) -> Any:
    """Attach an observer to a net of the current workspace."""
    return observe.attach(workspaces.current.net(name), kind)


def remove_observer_from_net(name: str, observer: Any) -> None:
    """Take an observer off a net."""
    observe.detach(observer)


def num_observers_on_net(name: str) -> int:
    """How many observers a net of the current workspace has."""
    return len(observe.watching(workspaces.current.net(name)))


def builtin_cpu_supports_avx() -> bool:
    """Whether torch's kernels use AVX on this processor."""
    return torch.backends.cpu.get_cpu_capability() != "DEFAULT"


def set_global_init(args: list[str]) -> None:
    """Accept the command-line flags of the original, which have no meaning here."""


__all__ = ["Workspace", "registered_dbs"]


def set_engine_pref(*preferences: Any) -> None:
    """Accept engines to prefer, by operator or for all: the names of one kernel's engines mean the same here."""


set_global_engine_pref = set_op_engine_pref = set_per_op_engine_pref = set_engine_pref
