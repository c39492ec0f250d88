"""The law of bad input: an operator does what it says or tells what is wrong, with what; nothing else changes."""

from __future__ import annotations

import pathlib
import resource
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet, lookup, registry
from caffe2.proto import caffe2_pb2
from caffe2.runtime.blob import Int8Tensor
from caffe2.runtime.workspace import Workspace
from tests.laws.mutations import ABSENT, EMPTY, in_place, mutations
from tests.sample import Sample, load_all, samples_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of time and memory are set as Linux has them")

load_all()
EVERY = sorted(name for name in registry if samples_of(name))
SECONDS = 20
OTHERS = {"Python", "PythonGradient", "PythonDLPack", "PythonDLPackGradient"}
"""What these raise is the user's own code's."""
WAITING = {"ONNXWhile", "StoreGet", "StoreWait"}
"""They wait, or go on, for as long as they are asked to."""
BY_STEPS = {"RecurrentNetwork", "RecurrentNetworkGradient", "Do", "If", "While"}
"""They run nets: what a net made before it failed stays."""


class TooSlow(BaseException):
    """An operator does not come to an end."""


@contextmanager
def limited(seconds: int, gigabytes: int = 2) -> Iterator[None]:
    """What lasts longer is ended, and what asks for more memory does not get it."""

    def end(*_: object) -> None:
        raise TooSlow

    before, (soft, hard) = signal.signal(signal.SIGALRM, end), resource.getrlimit(resource.RLIMIT_AS)
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + gigabytes * 2**30, hard))
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def held(value: Any) -> Any:
    """A value as it can be compared later: tensors with all their bytes, objects themselves."""
    if isinstance(value, Int8Tensor):
        return held(value.data), repr(value.scale), value.zero_point
    if isinstance(value, torch.Tensor):
        plain = value.float() if value.dtype == torch.bfloat16 else value
        return str(value.dtype), tuple(value.shape), plain.numpy().tobytes()
    if isinstance(value, np.ndarray):
        return value.shape, value.tolist()
    return id(value)


def spoiled(sample: Sample, values: list[Any]) -> Workspace:
    """A workspace of these values."""
    made = Workspace()
    for k, value in enumerate(values):
        if value is EMPTY:
            made.cell(f"i{k}")
        elif value is not ABSENT:
            made.feed(f"i{k}", value)
    if sample.setup:
        sample.setup(made)
    return made


def tell(sample: Sample, what: str, op: caffe2_pb2.OperatorDef, values: list[Any]) -> str | None:
    """What is wrong with how the operator takes its spoiled input; None where nothing is."""
    try:
        workspace = spoiled(sample, values)
    except EnforceNotMet:  # the set-up runs operators on the inputs
        return None
    before = {name: held(workspace.find(name).value) for name in workspace.names()}
    try:
        with limited(SECONDS):
            workspace.run_operator_once(op)
        return None
    except EnforceNotMet as error:
        text = str(error)
    except OSError as error:
        return None if str(error) else f"{what}: {error!r} says nothing"
    except TooSlow:
        return f"{what}: no end after {SECONDS} s"
    except Exception as error:
        return f"{what}: {error!r} is no error of the project's"
    if op.type not in text:
        return f"{what}: the operator is not named: {text}"
    if op.type in BY_STEPS:
        return None
    changed = [n for n, was in before.items() if n not in workspace or held(workspace.find(n).value) != was]
    left = set(workspace.names()) - set(before)
    return f"{what}: {changed} changed and {left} left behind by {text}" if changed or left else None


@pytest.mark.parametrize("name", EVERY)
def test_bad_input_is_refused_or_taken_and_changes_nothing(name: str, tmp_path: pathlib.Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    d = lookup(name)
    if d.blocking or name in OTHERS | WAITING:
        pytest.skip("it waits, or runs a user's code")
    sample = samples_of(name)[0]
    wrong = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for op in (sample.definition(), *([in_place(sample.definition())] if d.mutates else [])):
            wrong += [tell(sample, *case) for case in mutations(sample, op)]
    assert not any(wrong), "\n".join(filter(None, wrong))
