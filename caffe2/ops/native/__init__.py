"""Compiled kernels: C++ beside this file, built on first use where a compiler is there, and called through ctypes.

Each is a faster twin of a form in torch, which serves where there is no compiler, no host memory, or another type.
CAFFE2_NATIVE=0 turns them off; CAFFE2_NATIVE_CACHE names the folder that keeps what was built.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet
from caffe2.ops import demand

SOURCES = Path(__file__).parent
OPTIONS = ("-std=c++17", "-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off", "-fopenmp")
VECTORS = {"AVX2": ("-mavx2", "-mfma"), "AVX512": ("-mavx2", "-mfma")}
C_TYPES = {"p": ctypes.c_void_p, "q": ctypes.c_int64, "f": ctypes.c_float}

POINTED = {
    "float*": (torch.float32,),
    "int32_t*": (torch.int32,),
    "int64_t*": (torch.int64,),
    "void*": (torch.int32, torch.int64),
}
"""The element types of tensors that a pointer may point to; any, where it is none of these."""

_lock = threading.Lock()
_libraries: dict[str, ctypes.CDLL | None] = {}


def library(stem: str) -> ctypes.CDLL | None:
    """The library built of a source beside this file; None where it cannot be had."""
    if stem not in _libraries:
        with _lock:
            if stem not in _libraries:
                _libraries[stem] = _built(SOURCES / f"{stem}.cpp")
    return _libraries[stem]


def build() -> None:
    """Build every library now rather than on first use."""
    for source in SOURCES.glob("*.cpp"):
        library(source.stem)


def _built(source: Path) -> ctypes.CDLL | None:
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if os.environ.get("CAFFE2_NATIVE") == "0" or os.name != "posix" or not compiler:
        return None
    options = (*OPTIONS, *VECTORS.get(torch.backends.cpu.get_cpu_capability(), ()))
    texts = [path.read_text() for path in (source, *sorted(SOURCES.glob("*.h")))]
    key = hashlib.sha256(repr((texts, compiler, options, os.uname().machine)).encode()).hexdigest()[:20]
    try:
        made = _folder() / f"{source.stem}-{key}.so"
        if not made.exists():
            _compile([compiler, *options, "-shared", "-fPIC", str(source)], made)
        return ctypes.CDLL(str(made))
    except (OSError, subprocess.SubprocessError):
        return None


def _folder() -> Path:
    """A folder of this user's alone: what lies there is run."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(os.environ.get("CAFFE2_NATIVE_CACHE") or f"{home}/caffe2/native")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = folder.stat()
    if state.st_uid != os.getuid() or state.st_mode & 0o022:
        raise PermissionError(f"{folder} can be written by others")
    return folder


def _compile(command: list[str], made: Path) -> None:
    """Build under a name of its own, then rename: another process may be building the same."""
    handle, path = tempfile.mkstemp(dir=made.parent, suffix=".tmp")
    os.close(handle)
    try:
        subprocess.run([*command, "-o", path], check=True, capture_output=True, timeout=120)
        os.replace(path, made)
    finally:
        Path(path).unlink(missing_ok=True)


def _pointed(stem: str, name: str) -> list[tuple[torch.dtype, ...] | None]:
    """What the pointers of a function point to, parameter by parameter."""
    parameters = re.search(rf"^void {name}\(([^)]*)\)", (SOURCES / f"{stem}.cpp").read_text(), re.MULTILINE)
    assert parameters is not None
    return [POINTED.get(one.replace("const ", "").split()[0]) for one in parameters[1].split(",")]


class Kernel:
    """A function of a library: `types` has a letter a parameter, p a tensor or None, q a whole number, f a float.

    A last whole number, the count of threads to run on, is added by the call.
    """

    def __init__(self, stem: str, name: str, types: str) -> None:
        self.stem, self.name = stem, name
        self.types = [C_TYPES[t] for t in types.replace(" ", "")] + [ctypes.c_int64]
        self._found: Callable[..., Any] | None = None
        self._pointed: list[tuple[torch.dtype, ...] | None] = []

    def serves(self, *tensors: Tensor | None) -> bool:
        """Whether the kernel is there and every tensor lies in host memory, contiguous, and is not differentiated."""
        held = all(t is None or demand.readable(t) and t.is_contiguous() and not t.requires_grad for t in tensors)
        return held and (self._found is not None or self._find())

    def _find(self) -> bool:
        made = library(self.stem)
        if made is None:
            return False
        function = getattr(made, self.name)
        function.argtypes, function.restype = self.types, None
        self._pointed = _pointed(self.stem, self.name)
        self._found = function
        return True

    def __call__(self, *values: Any) -> None:
        assert self._found is not None
        for value, taken in zip(values, self._pointed):
            if taken and isinstance(value, Tensor) and value.dtype not in taken:
                raise EnforceNotMet(f"{self.name} was compiled for {' or '.join(map(str, taken))}, not {value.dtype}")
        self._found(*[v.data_ptr() if isinstance(v, Tensor) else v for v in values], torch.get_num_threads())
