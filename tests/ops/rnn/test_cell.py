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


@pytest.mark.parametrize("args", [{}, {"drop_states": 1}, {"forget_bias": 0.7}])
def test_compiled_kernels_compute_what_torch_does(run, args):
    rng = np.random.default_rng(0)
    n, d = 3, 37
    hidden, cell, slope, more = (floats(rng, 1, n, d) for _ in range(4))
    lstm, gru = 3 * floats(rng, 1, n, 4 * d), 3 * floats(rng, 1, n, 3 * d)
    after = (np.array([1, 3, 2], np.int32), STEP)
    for name, given, outputs in (
        ("LSTMUnit", (hidden, cell, lstm, *after), 2),
        ("LSTMUnitGradient", (hidden, cell, lstm, *after, hidden, more, slope, more), 3),
        ("GRUUnit", (hidden, gru, *after), 1),
        ("GRUUnitGradient", (hidden, gru, *after, hidden, slope), 2),
    ):
        exact = [x.astype(np.float64) if x.dtype == np.float32 else x for x in given]
        found, want = (run(name, *blobs, outputs=outputs, **args) for blobs in (given, exact))
        for a, b in zip(found, want):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6, err_msg=name)


def test_a_tangent_is_exact_to_the_last_places_near_zero_and_far_from_it(run):
    x = np.concatenate([np.logspace(-12, 2, 500, dtype=np.float32), [0, np.inf]]).astype(np.float32)
    x = np.concatenate([x, -x])
    none, wide = np.zeros((1, 1, len(x)), np.float32), np.zeros((1, 1, 4 * len(x)), np.float32)
    wide[..., : len(x)], wide[..., -len(x) :] = 200, x
    _, cell = run("LSTMUnit", none, none, wide, STEP, outputs=2, sequence_lengths=0)
    np.testing.assert_allclose(cell[0, 0], np.tanh(x.astype(np.float64)), rtol=1e-6)


@pytest.mark.parametrize("states, rows", [((1, 3, 3), 12), ((1, 2, 3), 8)])
def test_states_and_weights_of_another_size_are_refused(run, states, rows):
    h, weights = np.zeros(states, np.float32), [np.zeros((rows, 4), np.float32), np.zeros((rows, 3), np.float32)]
    with pytest.raises(EnforceNotMet, match="have the shape|4 rows"):
        run("InferenceLSTM", np.zeros((5, 2, 4), np.float32), h, h, *weights, has_biases=0, outputs=3)
