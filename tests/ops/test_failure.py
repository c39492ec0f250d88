"""Checks for NaN and operators that fail: samples, and what is particular."""

from __future__ import annotations

import time

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace
from tests.sample import Sample, floats, samples

FAILING = ("ThrowException", "ThrowChildThreadException", "LogFatal")
FAILS = dict.fromkeys(("shape", "inplace", "alias", "compile", "wire", "device"), "it always fails")


@samples("NanCheck")
def _(rng):
    yield [floats(rng, 2, 3)], {}
    yield [floats(rng, 2, 3), floats(rng, 4)], {}


@samples(*FAILING)
def _(rng):
    for name in FAILING:
        yield Sample(name, (), outputs=0, except_=FAILS)


@samples("WallClockTime")
def _(rng):
    yield [], {}


def test_nan_is_found_and_placed(run):
    with pytest.raises(EnforceNotMet, match=r"i0 \[1\]; i1 \[0\]"):
        run("NanCheck", np.array([0, np.nan], np.float32), np.array([np.inf], np.float32))


@pytest.mark.parametrize("name", FAILING)
def test_failures_bear_their_message(name):
    op = caffe2_pb2.OperatorDef(type=name)
    op.arg.add(name="message", s=b"on purpose")
    with pytest.raises(EnforceNotMet, match="on purpose"):
        Workspace().run_operator_once(op)


def test_the_clock_counts_nanoseconds(run):
    assert abs(run("WallClockTime") / 1e9 - time.time()) < 60
