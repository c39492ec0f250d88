"""Memory that blobs leave is kept for the next ones: a fresh page costs more than the arithmetic on it.

An operator gives a new tensor each time it runs. Left to itself glibc maps a large block anew and unmaps it when it is
freed, and the system clears every page of it again: a step of ResNet-50 takes a tenth longer, a net of few large blobs
twice as long. CAFFE2_KEEP_MEMORY tells how many MiB at most are kept on top of the heap, 1024 unless set; 0 leaves the
allocator as it is.
"""

from __future__ import annotations

import ctypes
import os
import platform

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_freed_memory(megabytes: int) -> None:
    """Have glibc take large blocks from its heap, and give back what is free on top of it beyond so many MiB."""
    if megabytes > 0 and platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, min(megabytes << 20, 2**31 - 1))


def asked() -> int:
    """The MiB that the environment asks to keep; a word that is no number leaves the allocator as it is."""
    text = os.environ.get("CAFFE2_KEEP_MEMORY", "1024")
    return int(text) if text.isdigit() else 0


keep_freed_memory(asked())
