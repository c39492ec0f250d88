"""Where in a program an operator was created."""

from __future__ import annotations

import os
import sys

Place = tuple[str, int, str]
"""A file, a line and a function."""

_HERE = os.path.dirname(__file__) + os.sep


def user_stack() -> list[Place]:
    """The callers, innermost first, beginning with the first outside this package.

    Read off the frames: no source file is opened, which costs on a network drive.
    """
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_HERE):
        frame = frame.f_back
    stack = []
    while frame is not None:
        stack.append((frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
        frame = frame.f_back
    return stack
