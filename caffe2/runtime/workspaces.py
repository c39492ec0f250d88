"""The workspaces of this process by name, one of them the current one, the same for every thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from caffe2.opdef import did_you_mean
from caffe2.runtime.errors import WorkspaceError
from caffe2.runtime.workspace import Workspace


class Workspaces:
    """Named workspaces; `current` is the one that programs work on. There is always one named "default"."""

    def __init__(self) -> None:
        self._named = {"default": Workspace()}
        self.name = "default"
        self._unnamed: Workspace | None = None

    @property
    def current(self) -> Workspace:
        return self._named[self.name] if self._unnamed is None else self._unnamed

    def names(self) -> list[str]:
        """Names of all workspaces, in order."""
        return sorted(self._named)

    def switch(self, name: str, create: bool = False) -> None:
        """Make another workspace the current one. Raises WorkspaceError where there is none and it may not be made."""
        if name not in self._named:
            if not create:
                raise WorkspaceError(
                    f"there is no workspace {name!r}{did_you_mean(name, self._named)}; pass True to create it"
                )
            self._named[name] = Workspace()
        self.name, self._unnamed = name, None

    @contextmanager
    def working_on(self, where: str | Workspace) -> Iterator[None]:
        """Have another workspace be the current one within a block: one of a name, made if need be, or any other."""
        before = self.name, self._unnamed
        if isinstance(where, Workspace):
            self._unnamed = where
        else:
            self.switch(where, True)
        try:
            yield
        finally:
            self.name, self._unnamed = before

    def add_child(self, parent: str, name: str) -> None:
        """Make a workspace that sees the blobs of another. Raises WorkspaceError where the parent does not exist."""
        if parent not in self._named:
            raise WorkspaceError(f"there is no workspace {parent!r}{did_you_mean(parent, self._named)}")
        self._named[name] = Workspace(self._named[parent])

    def reset(self, root: str | None = None) -> None:
        """Put an empty workspace in the place of the current one; it keeps the root folder unless another is given."""
        before = self.current
        if self._unnamed is None:
            self._named[self.name] = Workspace(root=before.root if root is None else root)
        before.reset()


workspaces = Workspaces()
