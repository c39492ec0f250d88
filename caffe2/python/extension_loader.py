"""Loading shared libraries so that later ones see their symbols."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def DlopenGuard(extra_flags: int = ctypes.RTLD_GLOBAL) -> Iterator[None]:
    """Load libraries within with `extra_flags` besides the current ones; a system without such flags loads as ever."""
    if not hasattr(sys, "setdlopenflags"):
        yield
        return
    before = sys.getdlopenflags()
    sys.setdlopenflags(before | extra_flags)
    try:
        yield
    finally:
        sys.setdlopenflags(before)
