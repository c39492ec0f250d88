"""Shared libraries of operators, loaded when operators are first asked for."""

from __future__ import annotations

from collections.abc import Callable

from caffe2.python import dyndep, lazy

ErrorHandler = Callable[[BaseException], object]

_waiting: dict[str, None] = {}
_handlers: list[ErrorHandler] = []


def RegisterOpsLibrary(name: str) -> None:
    """Have the shared library at path `name` loaded before operators are next looked up.

    Like dyndep.InitOpsLibrary, this does nothing for the original's own libraries and raises FileNotFoundError where
    there is no such file.
    """
    if dyndep.needs_loading(name):
        _waiting[name] = None


def SetErrorHandler(handler: ErrorHandler) -> None:
    """Have `handler` called with what a library raises while it is loaded; without one, the error is raised."""
    _handlers[:] = [handler]


def GetImportedOpsLibraries() -> set[str]:
    """Paths of the libraries loaded so far; those that wait are loaded first."""
    _import_lazy()
    return dyndep.GetImportedOpsLibraries()


def _import_lazy() -> None:
    while _waiting:
        name = next(iter(_waiting))
        del _waiting[name]
        try:
            dyndep.InitOpsLibrary(name, trigger_lazy=False)
        except BaseException as error:
            if not _handlers:
                raise
            _handlers[0](error)


lazy.RegisterLazyImport(_import_lazy)
