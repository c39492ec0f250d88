"""Shared libraries of operators, loaded while a program runs."""

from __future__ import annotations

import os
from threading import Lock

import torch

from caffe2.python import core

_TARGET_PREFIXES = ("@/", "//")
"""What the original's own libraries are named by: build targets, such as @/caffe2/caffe2/contrib/gloo:gloo_ops."""

_loaded: set[str] = set()
_lock = Lock()


def InitOpsLibrary(name: str, trigger_lazy: bool = True) -> None:
    """Load the shared library at path `name`, which registers operators with PyTorch.

    The operators of the original's own libraries, which are named as build targets, are here without loading: such a
    name does nothing. Raises FileNotFoundError where there is no such file, and OSError where it cannot be loaded.
    """
    if not needs_loading(name):
        return
    with _lock:
        try:
            torch.ops.load_library(name)
        except OSError as error:
            raise OSError(
                f"{name} cannot be loaded: {error}. A library of operators is built against PyTorch and registers them "
                "with TORCH_LIBRARY; one that was built against the original Caffe2 has to be built anew."
            ) from error
        _loaded.add(name)
    core.RefreshRegisteredOperators(trigger_lazy)


def GetImportedOpsLibraries() -> set[str]:
    """Paths of the libraries loaded so far."""
    return _loaded


def needs_loading(name: str) -> bool:
    """Whether `name` is a file to load, rather than one of the original's own libraries.

    Raises FileNotFoundError where it is neither.
    """
    if name.startswith(_TARGET_PREFIXES):
        return False
    if not os.path.isfile(name):
        raise FileNotFoundError(f"{name}: no such library of operators; give the path of a shared library")
    return True
