"""Recurrent layers: what the two kinds of LSTM compute is the same, and cells say what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.python import core, recurrent, rnn_cell, workspace
from caffe2.python.model_helper import ModelHelper

T, N, SIZE, H = 4, 3, 5, 6


def test_an_lstm_of_packed_parameters_is_the_one_of_step_nets():
    workspace.ResetWorkspace()
    rng = np.random.default_rng(0)
    model = ModelHelper("m")
    x, h, c = model.net.AddExternalInputs("x", "h", "c")
    *packed, (extract, by_gate) = rnn_cell.cudnn_LSTM(model, x, (h, c), SIZE, H, "packed", return_params=True)
    *stepped, parameters = rnn_cell.LSTM(model, x, None, (h, c), SIZE, H, "stepped", return_params=True)
    workspace.FeedBlob("x", rng.standard_normal((T, N, SIZE), np.float32))
    for state in ("h", "c"):
        workspace.FeedBlob(state, rng.standard_normal((1, N, H), np.float32))
    workspace.RunNetOnce(model.param_init_net)
    workspace.RunNetOnce(extract)
    held = {
        kind: {name: workspace.FetchBlob(layers[0]) for name, layers in gates.items()}
        for kind, gates in by_gate.items()
    }
    rnn_cell.InitFromLSTMParams(parameters, held)
    workspace.RunNetOnce(model.net)
    output, hidden, cell = map(workspace.FetchBlob, packed)
    everything, last_hidden, _, last_cell = map(workspace.FetchBlob, stepped)
    np.testing.assert_allclose(output, everything, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(hidden, last_hidden, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(cell, last_cell, rtol=1e-4, atol=1e-6)


def test_sequences_that_have_ended_keep_their_states_or_lose_them():
    for drop, want in ((False, "kept"), (True, "zero")):
        workspace.ResetWorkspace()
        model = ModelHelper(want)
        x, lengths = model.net.AddExternalInputs("x", "lengths")
        output, *_ = rnn_cell.LSTM(model, x, lengths, None, SIZE, H, want, drop_states=drop, forward_only=True)
        workspace.FeedBlob("x", np.random.default_rng(1).standard_normal((T, N, SIZE), np.float32))
        workspace.FeedBlob("lengths", np.array([4, 2, 1], np.int32))
        workspace.RunNetOnce(model.param_init_net)
        workspace.RunNetOnce(model.net)
        found = workspace.FetchBlob(output)
        after = np.zeros_like(found[2:, 1]) if drop else np.broadcast_to(found[1, 1], found[2:, 1].shape)
        np.testing.assert_array_equal(found[2:, 1], after)
        assert np.abs(found[:2, 1]).min() > 0


def test_the_executor_of_steps_is_told_how_many_threads_it_has():
    op = core.CreateOperator("RecurrentNetwork", ["x"], ["y"])
    recurrent.set_rnn_executor_config(op, num_threads=2, max_cuda_streams=3)
    assert {a.name: a.i for a in op.arg} == {"rnn_executor.num_threads": 2, "rnn_executor.max_cuda_streams": 3}


def test_cells_say_what_is_wrong():
    model = ModelHelper("m")
    cell = rnn_cell.LSTMCell(SIZE, H, 0.0, False, name="c")
    cell.initializer = None
    with pytest.raises(ValueError, match="initial states or initializer"):
        cell.apply_over_sequence(model, "x")
    with pytest.raises(Exception, match="doesn't match the number of states"):
        cell.apply_over_sequence(model, "x", initial_states=("h",))
    with pytest.raises(RuntimeError, match="unknown activation"):
        rnn_cell.BasicRNNCell(SIZE, H, 0.0, False, activation="sine")
