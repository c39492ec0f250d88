"""What tests of operators and nets share: random blobs, a workspace of their own, and a base class."""

from __future__ import annotations

import os
import unittest
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from caffe2.proto import caffe2_pb2
from caffe2.python import core, workspace

_PROTO_TYPES = {
    "float64": caffe2_pb2.TensorProto.DOUBLE,
    "float32": caffe2_pb2.TensorProto.FLOAT,
    "int32": caffe2_pb2.TensorProto.INT32,
    "int64": caffe2_pb2.TensorProto.INT64,
}


def rand_array(*dims: int) -> np.ndarray:
    """Random float32 numbers, uniform in [-0.5, 0.5)."""
    return np.array(np.random.rand(*dims) - 0.5).astype(np.float32)


def randBlob(name: str, type: Any, *dims: int, **kwargs: Any) -> None:
    """Feed a blob of random numbers, uniform in [offset, offset + 1)."""
    workspace.FeedBlob(name, np.random.rand(*dims).astype(type) + kwargs.get("offset", 0.0))


def randBlobFloat32(name: str, *dims: int, **kwargs: Any) -> None:
    """Feed a blob of random float32 numbers."""
    randBlob(name, np.float32, *dims, **kwargs)


def randBlobsFloat32(names: Iterable[str], *dims: int, **kwargs: Any) -> None:
    """Feed blobs of random float32 numbers."""
    for name in names:
        randBlobFloat32(name, *dims, **kwargs)


def numOps(net: core.Net) -> int:
    """The number of a net's operators."""
    return len(net.Proto().op)


def str_compare(a: str | bytes, b: str | bytes, encoding: str = "utf8") -> bool:
    """Whether two strings are equal, either of which may be encoded."""
    a, b = (s.decode(encoding) if isinstance(s, bytes) else s for s in (a, b))
    return a == b


def get_default_test_flags() -> list[str]:
    """The arguments that tests start Caffe2 with."""
    return [
        "caffe2",
        "--caffe2_log_level=0",
        "--caffe2_cpu_allocator_do_zero_fill=0",
        "--caffe2_cpu_allocator_do_junk_fill=1",
    ]


def caffe2_flaky(test_method: Callable) -> Callable:
    """Mark a test as flaky: it runs where the environment variable CAFFE2_RUN_FLAKY_TESTS is 1, and others do not."""
    test_method.__caffe2_flaky__ = True
    return test_method


def is_flaky_test_mode() -> bool:
    """Whether flaky tests run, and they alone."""
    return os.getenv("CAFFE2_RUN_FLAKY_TESTS", "0") == "1"


def proto_type(value: Any) -> Any:
    """The TensorProto type of a fetched blob's elements; a description of what else it is."""
    if isinstance(value, np.ndarray):
        return _PROTO_TYPES.get(value.dtype.name, f"unknown {value.dtype}")
    return str(type(value))


@contextmanager
def switched_workspace(name: str) -> Iterator[None]:
    """Be in the workspace `name` within, and reset it afterwards; the current one is neither left nor reset."""
    before = workspace.CurrentWorkspace()
    if name == before:
        yield
        return
    workspace.SwitchWorkspace(name, True)
    try:
        yield
    finally:
        workspace.ResetWorkspace()
        workspace.SwitchWorkspace(before)


class TestCase(unittest.TestCase):
    """A test that starts and ends with an empty workspace."""

    @classmethod
    def setUpClass(cls) -> None:
        workspace.GlobalInit(get_default_test_flags())
        core.SetEnginePref({}, {})

    def setUp(self) -> None:
        flaky = getattr(getattr(self, self._testMethodName), "__caffe2_flaky__", False)
        if flaky != is_flaky_test_mode():
            kind, mode = ("Flaky", "regular") if flaky else ("Non-flaky", "flaky")
            raise unittest.SkipTest(f"{kind} tests are skipped in {mode} test mode")
        self.ws = workspace.C.Workspace()
        workspace.ResetWorkspace()

    def tearDown(self) -> None:
        workspace.ResetWorkspace()
