import argparse
from pathlib import Path

import pytest

from caffe2.python import experiment_util


class Recorder(experiment_util.ExternalLogger):
    def __init__(self):
        self.arguments, self.rows = None, []

    def set_runtime_args(self, runtime_args):
        self.arguments = runtime_args

    def log(self, log_dict):
        self.rows.append(log_dict)


def test_rows_go_to_the_file_and_to_loggers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recorder = Recorder()
    run = experiment_util.ModelTrainerLog("mine", argparse.Namespace(lr=0.1), [recorder])
    run.log(10, 1, {"loss": 2.5, "accuracy": 0.5})
    run.log(30, 2, {"loss": 1.5, "accuracy": 0.75})
    comment, header, first, second = Path(run.filename).read_text().splitlines()
    assert comment == "# Namespace(lr=0.1)"
    columns = header.split(",")
    assert columns[2:5] == ["input_count", "cumulative_input_count", "cumulative_batch_count"]
    assert columns[-2:] == ["accuracy", "loss"]
    assert second.split(",")[2:5] == ["20", "30", "2"]
    assert second.split(",")[-2:] == ["0.75", "1.5"]
    assert recorder.arguments["lr"] == 0.1
    assert recorder.arguments["experiment_id"] == run.experiment_id
    assert [row["loss"] for row in recorder.rows] == [2.5, 1.5]


def test_a_failing_logger_does_not_stop_the_run(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)

    class Half(Recorder):
        log = experiment_util.ExternalLogger.log

    experiment_util.ModelTrainerLog("mine", {}, [Half()]).log(1, 1, {})
    assert "Half failed to log" in caplog.text


def test_a_logger_defines_both_methods():
    with pytest.raises(NotImplementedError, match="set_runtime_args"):
        experiment_util.ExternalLogger().set_runtime_args({})
