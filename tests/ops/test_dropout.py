"""Dropout: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples


@samples("Dropout")
def _(rng):
    yield Sample("Dropout", (floats(rng, 4, 3),), {"ratio": 0.3, "is_test": 0}, 2)
    yield Sample("Dropout", (floats(rng, 4, 3),), {"ratio": 0.3, "is_test": 1}, 1)
    yield Sample("Dropout", (floats(rng, 0, 3),), {"is_test": 0}, 2)


@samples("DropoutGrad")
def _(rng):
    yield [floats(rng, 2, 3), rng.random((2, 3)) < 0.5], {"ratio": 0.2}
    yield [floats(rng, 2, 3)], {"is_test": 1}


@samples("SparseDropoutWithReplacement")
def _(rng):
    lengths = np.array([2, 0, 3, 1], np.int32)
    for ratio in (0.0, 0.5, 1.0):
        yield [np.arange(6), lengths], {"ratio": ratio, "replacement_value": -1}
    yield [np.arange(0), lengths[:0]], {"ratio": 0.5}


def test_the_kept_are_scaled_and_the_mask_tells_which(run):
    x = np.ones((100, 100), np.float32)
    y, mask = run("Dropout", x, ratio=0.25, is_test=0, outputs=2)
    np.testing.assert_allclose(y, mask / 0.75, rtol=1e-6)
    assert 0.7 < mask.mean() < 0.8
    assert np.array_equal(run("DropoutGrad", x, mask, ratio=0.25), y)


def test_a_seed_in_the_device_option_repeats():
    sample = Sample("Dropout", (np.ones(64, np.float32),), {}, 2)
    op, found = sample.definition(), []
    op.device_option.random_seed = 5
    for _ in range(2):
        workspace = sample.workspace()
        workspace.run_operator_once(op)
        found.append(workspace.fetch("o1"))
    assert np.array_equal(*found)


@pytest.mark.parametrize("ratio, outputs", [(1.0, 2), (-0.1, 2), (0.5, 1)])
def test_what_cannot_be_is_refused(run, ratio, outputs):
    with pytest.raises(EnforceNotMet):
        run("Dropout", np.ones(3, np.float32), ratio=ratio, outputs=outputs)


def test_runs_are_dropped_whole(run):
    lengths = np.full(50, 3, np.int32)
    y, out = run("SparseDropoutWithReplacement", np.arange(150), lengths, ratio=0.5, replacement_value=-1)
    assert set(out) == {1, 3} and len(y) == out.sum()
    assert (y == -1).sum() == (out == 1).sum()


def test_empty_runs_are_dropped_too(run):
    y, out = run(
        "SparseDropoutWithReplacement", np.arange(2), np.array([0, 2], np.int32), ratio=1.0, replacement_value=9
    )
    assert y.tolist() == [9, 9] and out.tolist() == [1, 1]


def test_lengths_that_do_not_add_up_are_refused(run):
    with pytest.raises(EnforceNotMet, match="add up"):
        run("SparseDropoutWithReplacement", np.arange(6), np.array([2, 2], np.int32))
