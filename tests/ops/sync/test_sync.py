"""Counters, atomics, statistics and timers: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from caffe2.ops.sync.atomic import AtomicBool, Mutex
from caffe2.ops.sync.counter import Counter
from caffe2.ops.sync.stat import StatRegistry, Timer
from tests.sample import Sample, floats, samples

ONE = np.array([1], np.int32)


@samples("CreateCounter", "CreateMutex", "CreateAtomicBool", "StatRegistryCreate", "TimerBegin")
def _(rng):
    yield [], {}


@samples("ResetCounter", "CountDown", "CountUp", "RetrieveCount", "CheckCounterDone")
def _(rng):
    yield [lambda: Counter(3)], {}
    yield [lambda: Counter(0)], {}


@samples("AtomicFetchAdd")
def _(rng):
    yield [Mutex, ONE, ONE], {}
    yield [Mutex, np.array(5, np.int32), ONE], {}


@samples("AtomicFetchAdd64")
def _(rng):
    yield [Mutex, ONE.astype(np.int64), ONE.astype(np.int64)], {}


@samples("ConditionalSetAtomicBool")
def _(rng):
    yield [AtomicBool, np.array([True])], {}


@samples("CheckAtomicBool")
def _(rng):
    yield [AtomicBool], {}


@samples("AsyncNetBarrier")
def _(rng):
    yield [floats(rng, 2), floats(rng, 3)], {}


@samples("StatRegistryExport")
def _(rng):
    yield [StatRegistry], {}


@samples("StatRegistryUpdate")
def _(rng):
    yield [np.array([b"a"], object), np.array([2], np.int64), StatRegistry], {}


@samples("AveragePut", "IncrementPut", "StdDevPut")
def _(rng):
    yield [floats(rng, 1)], {"stat_name": "test"}
    yield [np.zeros(0, np.float32)], {"stat_name": "test", "default_value": 1.0, "magnitude_expand": 10, "bound": 1}


@samples("TimerEnd")
def _(rng):
    yield [lambda: Timer("t")], {}


@samples("TimerGet", "TimerGetAndEnd")
def _(rng):
    reason = "the time goes on"
    for name in ("TimerGet", "TimerGetAndEnd"):
        yield Sample(name, (lambda: Timer("t"),), except_={"wire": reason, "device": reason})


def test_a_counter_counts_below_zero(run):
    counter = Counter(0)
    assert run("CountDown", lambda: counter) and run("RetrieveCount", lambda: counter) == -1


def test_a_counter_starts_from_no_less_than_zero(run):
    with pytest.raises(EnforceNotMet, match="-1"):
        run("CreateCounter", init_count=-1)


def test_statistics_add_up_and_start_again(run):
    registry = StatRegistry()
    keys, values = np.array([b"a", b"b", b"a"], object), np.array([1, 2, 3], np.int64)
    run("StatRegistryUpdate", keys, values, lambda: registry, outputs=0)
    names, sums, _ = run("StatRegistryExport", lambda: registry)
    assert dict(zip(names, sums)) == {b"a": 4, b"b": 2}
    assert run("StatRegistryExport", lambda: registry)[1].tolist() == [0, 0]


def test_a_number_too_large_to_count_is_refused_unless_bound(run):
    with pytest.raises(EnforceNotMet, match="bound"):
        run("IncrementPut", np.array([1e18]), outputs=0, magnitude_expand=1000)
    run("IncrementPut", np.array([1e18]), outputs=0, magnitude_expand=1000, bound=1)


def test_a_stopped_timer_tells_no_time(run):
    timer = Timer("t")
    timer.end("TimerEnd")
    with pytest.raises(EnforceNotMet, match="stopped"):
        run("TimerGet", lambda: timer)
