"""The benchmark of LSTMs runs with every implementation, and the comparison tells ratios."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.python import lstm_benchmark, rnn_cell, workspace
from caffe2.python.rnn import lstm_comparison, rnn_cell_test_util

SMALL = ["--hidden_dim=4", "--input_dim=3", "--batch_size=2", "--seq_length=5", "--data_size=60", "--iters_to_report=2"]


@pytest.mark.parametrize("more", [[], ["--num_layers=2", "--rnn_executor", "--rnn_executor_num_threads=2"]])
@pytest.mark.parametrize("implementation", ["own", "static", "static_dag", "cudnn"])
def test_every_implementation_learns(implementation, more):
    workspace.ResetWorkspace()
    arguments = [*SMALL, "--fixed_shape", f"--implementation={implementation}"]
    args = lstm_benchmark.GetArgumentParser().parse_args([*arguments, *(more if implementation != "cudnn" else [])])
    assert lstm_benchmark.Caffe2LSTM(args) > 0
    assert np.isfinite(workspace.FetchBlob("loss"))


def test_steps_are_not_written_out_for_sequences_of_any_length():
    workspace.ResetWorkspace()
    args = lstm_benchmark.GetArgumentParser().parse_args([*SMALL, "--implementation=static"])
    with pytest.raises(AssertionError, match="fixed_shape"):
        lstm_benchmark.Caffe2LSTM(args)


def test_the_comparison_tells_the_ratio_of_all_settings(monkeypatch, capsys):
    taken = {"own": 2.0, "cudnn": 1.0}
    monkeypatch.setattr(lstm_comparison, "SETTINGS", ((64, 20, 40), (128, 100, 800)))
    monkeypatch.setattr(lstm_benchmark, "Benchmark", lambda args: taken[args.implementation])
    results = lstm_comparison.Compare(lstm_benchmark.GetArgumentParser().parse_args([]))
    assert [(args.batch_size, own, packed) for args, own, packed in results] == [(64, 2.0, 1.0), (128, 2.0, 1.0)]
    assert "Ratio average: 0.5" in capsys.readouterr().out


def test_a_prepared_layer_runs():
    workspace.ResetWorkspace()
    outputs, net, blobs = rnn_cell_test_util._prepare_rnn(4, 2, 3, rnn_cell.LSTM, [0], 0.0, dim_out=[5])
    workspace.FeedBlob(blobs[-1], np.zeros((4, 2, 3), np.float32))
    workspace.RunNetOnce(net)
    assert workspace.FetchBlob(outputs[0]).shape == (4, 2, 5)
    np.testing.assert_allclose(rnn_cell_test_util.tanh(np.arange(3.0)), np.tanh(np.arange(3.0)))
