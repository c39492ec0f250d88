"""Immediate mode: every operator that is created runs at once, in a workspace of its own. Meant for debugging."""

from __future__ import annotations

import logging
import shutil
import tempfile
from typing import Any

from caffe2.python._workspace.blobs import Blobs, FeedBlob, FetchBlob
from caffe2.python._workspace.named import ResetWorkspace, WorkspaceGuard
from caffe2.python._workspace.running import RunOperatorOnce

logger = logging.getLogger(__name__)

WORKSPACE = "_CAFFE2_IMMEDIATE"


class Mode:
    """Whether immediate mode is on, and the folder that it works in: empty while it is off."""

    folder: str = ""


def IsImmediate() -> bool:
    """Whether immediate mode is on."""
    return bool(Mode.folder)


def StartImmediate(i_know: bool = False) -> None:
    """Turn immediate mode on, from an empty workspace. `i_know` silences the note on what it is not for."""
    StopImmediate()
    Mode.folder = tempfile.mkdtemp()
    with WorkspaceGuard(WORKSPACE):
        ResetWorkspace(Mode.folder)
    if not i_know:
        logger.warning(
            "immediate mode is on: operators run when they are created, in order, in the one workspace %s,"
            " and each is bound anew; it is for debugging, so call StopImmediate() soon",
            WORKSPACE,
        )


def StopImmediate() -> None:
    """Turn immediate mode off and forget what it made."""
    if not IsImmediate():
        return
    with WorkspaceGuard(WORKSPACE):
        ResetWorkspace()
    shutil.rmtree(Mode.folder, ignore_errors=True)
    Mode.folder = ""


def ImmediateBlobs() -> list[str]:
    """Names of the blobs of immediate mode."""
    with WorkspaceGuard(WORKSPACE):
        return Blobs()


def RunOperatorImmediate(op: Any) -> None:
    """Run an operator in the workspace of immediate mode."""
    with WorkspaceGuard(WORKSPACE):
        RunOperatorOnce(op)


def FetchImmediate(*args: Any, **kwargs: Any) -> Any:
    """FetchBlob in the workspace of immediate mode."""
    with WorkspaceGuard(WORKSPACE):
        return FetchBlob(*args, **kwargs)


def FeedImmediate(*args: Any, **kwargs: Any) -> bool:
    """FeedBlob in the workspace of immediate mode."""
    with WorkspaceGuard(WORKSPACE):
        return FeedBlob(*args, **kwargs)
