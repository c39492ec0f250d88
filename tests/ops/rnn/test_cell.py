"""Cells of recurrent networks: samples, and steps after the end of a sequence."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples

T, N, D = 3, 2, 4
STEP = np.array([1], np.int32)


@samples("LSTMUnit")
def _(rng):
    states = [floats(rng, 1, N, D), floats(rng, 1, N, D), floats(rng, 1, N, 4 * D)]
    yield [*states, np.array([1, 3], np.int32), STEP], {"forget_bias": 0.5}
    yield [*states, np.array([1, 3], np.int32), STEP], {"drop_states": 1}
    yield [*states, STEP], {"sequence_lengths": 0}


@samples("LSTMUnitGradient")
def _(rng):
    states = [floats(rng, 1, N, D), floats(rng, 1, N, D), floats(rng, 1, N, 4 * D)]
    yield [*states, np.array([1, 3], np.int32), STEP, *(floats(rng, 1, N, D) for _ in range(4))], {}
    yield [*states, STEP, *(floats(rng, 1, N, D) for _ in range(4))], {"sequence_lengths": 0, "drop_states": 1}


@samples("GRUUnit")
def _(rng):
    states = [floats(rng, 1, N, D), floats(rng, 1, N, 3 * D)]
    yield [*states, np.array([1, 3], np.int32), STEP], {}
    yield [*states, np.array([1, 3], np.int32), STEP], {"drop_states": 1}
    yield [*states, STEP], {"sequence_lengths": 0}


@samples("GRUUnitGradient")
def _(rng):
    states = [floats(rng, 1, N, D), floats(rng, 1, N, 3 * D)]
    yield [*states, np.array([1, 3], np.int32), STEP, floats(rng, 1, N, D), floats(rng, 1, N, D)], {}


@samples("InferenceLSTM")
def _(rng):
    weights = [floats(rng, 4 * D, D), floats(rng, 4 * D, D), floats(rng, 4 * D), floats(rng, 4 * D)]
    yield Sample(
        "InferenceLSTM", (floats(rng, T, N, D), floats(rng, 1, N, D), floats(rng, 1, N, D), *weights), outputs=3
    )
    yield Sample(
        "InferenceLSTM",
        (floats(rng, N, T, D), floats(rng, 1, N, D), floats(rng, 1, N, D), *weights[:2]),
        {"batch_first": 1, "has_biases": 0},
        outputs=3,
    )


@pytest.mark.parametrize("drop", [0, 1])
def test_what_stands_in_for_padding_goes_nowhere(run, drop):
    rng = np.random.default_rng(0)
    hidden, cell, gates, slope = (
        floats(rng, 1, N, D),
        floats(rng, 1, N, D),
        floats(rng, 1, N, 4 * D),
        floats(rng, 1, N, D),
    )
    gates[0, 0] = np.nan
    given = (hidden, cell, gates, np.array([1, 3], np.int32), STEP)
    after = run("LSTMUnit", *given, outputs=2, drop_states=drop)
    for state, before in zip(after, (hidden, cell)):
        np.testing.assert_array_equal(state[0, 0], 0 if drop else before[0, 0])
    back = run("LSTMUnitGradient", *given, *after, slope, slope, outputs=3, drop_states=drop)
    np.testing.assert_array_equal(back[2][0, 0], 0)
    np.testing.assert_array_equal(back[0][0, 0], 0 if drop else slope[0, 0])
    assert all(np.isfinite(grad).all() for grad in back)


def test_lengths_are_as_many_as_sequences(run):
    rng = np.random.default_rng(0)
    with pytest.raises(EnforceNotMet, match="holds 3 lengths for a batch of 2"):
        run("GRUUnit", floats(rng, 1, N, D), floats(rng, 1, N, 3 * D), np.array([1, 2, 3], np.int32), STEP)
