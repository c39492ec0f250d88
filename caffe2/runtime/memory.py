"""Memory that blobs leave is kept for the next ones: a fresh page costs more than the arithmetic on it.

An operator gives a new tensor each time it runs. Left to itself glibc gives free memory back to the system once a few
dozen MiB of it lie on top of the heap, and the system clears every page of it when it is asked for again.
CAFFE2_KEEP_MEMORY tells how many MiB are kept instead, 1024 unless set; 0 leaves the allocator as it is. Blocks of more
than 32 MiB go back at once in any case.
"""

from __future__ import annotations

import ctypes
import os
import platform

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST = 32 << 20
"""Bytes of the largest block that glibc takes from its heap."""


def keep_freed_memory(megabytes: int) -> None:
    """Have glibc give back what is free on top of its heap beyond so many MiB, and only then."""
    if megabytes > 0 and platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, LARGEST)
        libc.mallopt(M_TRIM_THRESHOLD, min(megabytes << 20, 2**31 - 1))


def asked() -> int:
    """The MiB that the environment asks to keep; a word that is no number leaves the allocator as it is."""
    text = os.environ.get("CAFFE2_KEEP_MEMORY", "1024")
    return int(text) if text.isdigit() else 0


keep_freed_memory(asked())
