"""Workspaces of one's own, apart from the current one."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from caffe2.python import workspace


class Workspace:
    """A workspace with the functions of `caffe2.python.workspace`, which run in it; it goes when this object does."""

    def __init__(self) -> None:
        self._name = f"onnx-{uuid.uuid4()}"

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = getattr(workspace, name)

        def within(*args: Any, **kwargs: Any) -> Any:
            before = workspace.CurrentWorkspace()
            workspace.SwitchWorkspace(self._name, True)
            try:
                return function(*args, **kwargs)
            finally:
                workspace.SwitchWorkspace(before, True)

        return within

    def __del__(self) -> None:
        self.ResetWorkspace()
