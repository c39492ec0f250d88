"""Fixtures that every test may use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import caffe2.ops  # noqa: F401  (registers every operator)
from tests.sample import Sample


@pytest.fixture
def run() -> Callable[..., Any]:
    """run("Relu", x, alpha=0.1): the output of one operator, a list where it has several; outputs=N asks for N."""

    def call(name: str, *inputs: Any, outputs: int | None = None, **args: Any) -> Any:
        sample = Sample(name, inputs, args, outputs)
        workspace, op = sample.workspace(), sample.definition()
        workspace.run_operator_once(op)
        found = [workspace.fetch(o) for o in op.output]
        return found[0] if len(found) == 1 else found

    return call


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator of random numbers, the same in every test."""
    return np.random.default_rng(0)
