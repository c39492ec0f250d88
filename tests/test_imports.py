"""Imports run one way: proto <- opdef <- {ops, runtime} <- rewrite <- bridge <- python."""

from __future__ import annotations

import ast
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1] / "caffe2"
MAY_IMPORT = {
    "proto": {"proto"},
    "opdef": {"opdef", "proto"},
    "runtime": {"runtime", "opdef", "proto"},
    "ops": {"ops", "runtime", "opdef", "proto"},
    "rewrite": {"rewrite", "ops", "runtime", "opdef", "proto"},
    "bridge": {"bridge", "rewrite", "ops", "runtime", "opdef", "proto"},
}


@pytest.mark.parametrize("layer", MAY_IMPORT)
def test_a_layer_imports_only_layers_below(layer: str) -> None:
    for path in (ROOT / layer).rglob("*.py"):
        for module in imported(path):
            parts = module.split(".")
            if parts[0] == "caffe2" and len(parts) > 1:
                assert parts[1] in MAY_IMPORT[layer], f"{path.relative_to(ROOT)} imports {module}"


def imported(path: pathlib.Path) -> list[str]:
    """Names of the modules that a file imports."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = node.module == "caffe2"
            found += [f"caffe2.{alias.name}" for alias in node.names] if whole else [node.module]
    return found


@pytest.mark.skipif(not pathlib.Path("/proc/self/task").exists(), reason="threads are counted by Linux")
def test_importing_starts_no_threads() -> None:
    """A program that forks after an import would wait forever for OpenMP's threads, which no child has."""
    count = "len(os.listdir('/proc/self/task'))"
    program = f"import os, numpy, torch; before = {count}; import caffe2.python.workspace; print({count} - before)"
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT.parent, env=environment, capture_output=True)
    assert run.stdout.strip() == b"0", run.stderr.decode()
