"""Freed memory is kept, and left alone where the environment says so."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from caffe2.runtime import memory

PROGRAM = """
import resource, torch, caffe2.runtime.memory
blocks = [torch.ones(7 << 20) for _ in range(6)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    del blocks
    blocks = [torch.ones(7 << 20) for _ in range(6)]
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // 20)
"""


def faults(megabytes: str) -> int:
    """How often a page is missing for every six blocks of 28 MiB that are made and dropped."""
    env = dict(os.environ, CAFFE2_KEEP_MEMORY=megabytes, OMP_NUM_THREADS="1")
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator of glibc alone is told")
def test_pages_are_asked_for_once() -> None:
    """The place of a heap is drawn by chance: now and then it has no room to grow, and glibc maps blocks instead."""
    most = faults("0") / 4
    assert any(faults("1024") < most for _ in range(6))


@pytest.mark.parametrize("text, expected", [("0", 0), ("64", 64), ("no", 0)])
def test_the_environment_says_how_much(text: str, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAFFE2_KEEP_MEMORY", text)
    assert memory.asked() == expected
