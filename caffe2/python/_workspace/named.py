"""The workspaces by name, and the folder that relative paths start at."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Any

from caffe2.python import scope
from caffe2.runtime.workspaces import workspaces


def CurrentWorkspace() -> str:
    """The name of the current workspace."""
    return workspaces.name


def Workspaces() -> list[str]:
    """Names of all workspaces, in order."""
    return workspaces.names()


def SwitchWorkspace(name: str, create_if_missing: bool = False) -> None:
    """Make another workspace the current one, of every thread. Raises WorkspaceError where there is none."""
    workspaces.switch(name, create_if_missing)


def ResetWorkspace(root_folder: str | None = None) -> bool:
    """Empty the current workspace: no blobs, no nets; True. `root_folder` is made where it does not exist."""
    if root_folder is not None:
        os.makedirs(root_folder, exist_ok=True)
    workspaces.reset(root_folder)
    return True


def RootFolder() -> str:
    """The folder that relative paths of files start at."""
    return workspaces.current.root


def LocalBlobs() -> list[str]:
    """Names of the blobs that are the current workspace's own."""
    return workspaces.current.local_names()


def WorkspaceGuard(workspace_name: Any) -> AbstractContextManager[None]:
    """Work on another workspace, made where there is none, or on a Workspace object, within a `with` block."""
    return workspaces.working_on(getattr(workspace_name, "_held", workspace_name))


def GetNameScope() -> str:
    """The current name scope, empty or ending in '/'."""
    return scope.CurrentNameScope()
