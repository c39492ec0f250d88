"""Logs of training runs: accuracy, loss and speed as comma-separated values in a file, and in loggers elsewhere."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

log = logging.getLogger("experiment_logger")


class ExternalLogger:
    """Where else a run is logged; to be derived from."""

    def set_runtime_args(self, runtime_args: dict[str, Any]) -> None:
        """Take note of the arguments of the run, its `experiment_id` and `hostname` among them."""
        raise NotImplementedError(f"{type(self).__name__} does not define set_runtime_args")

    def log(self, log_dict: Mapping[str, Any]) -> None:
        """Take note of one row of values, by name."""
        raise NotImplementedError(f"{type(self).__name__} does not define log")


class ModelTrainerLog:
    """The log of one run, in the file `<expname>_<date>_<time>.log` of the current directory.

    The first line is a comment with `runtime_args`, a mapping or a namespace as argparse gives; the second names the
    columns, and every call of `log` adds a row.
    """

    def __init__(
        self, expname: str, runtime_args: Any, external_loggers: Sequence[ExternalLogger] | None = None
    ) -> None:
        self.experiment_id = f"{expname}_{datetime.now():%Y%m%d_%H%M%S}"
        self.filename = f"{self.experiment_id}.log"
        self.logstr(f"# {runtime_args}")
        self.headers: list[str] | None = None
        self.start_time = self.last_time = time.time()
        self.last_input_count = 0
        self.external_loggers = list(external_loggers or ())
        if self.external_loggers:
            arguments = dict(runtime_args if isinstance(runtime_args, Mapping) else vars(runtime_args))
            arguments.update(experiment_id=self.experiment_id, hostname=socket.gethostname())
            for logger in self.external_loggers:
                logger.set_runtime_args(arguments)

    def logstr(self, str: str) -> None:
        """Add a line to the file and to the logger "experiment_logger"."""
        with open(self.filename, "a") as file:
            file.write(f"{str}\n")
        log.info(str)

    def log(self, input_count: int, batch_count: int, additional_values: Mapping[str, Any]) -> None:
        """Add a row: counts so far, time in seconds, inputs per second since the last row, and `additional_values`."""
        row = self._progress(input_count, batch_count)
        row.update(sorted(additional_values.items()))
        if self.headers is None:
            self.headers = list(row)
            self.logstr(",".join(self.headers))
        self.logstr(",".join(map(str, row.values())))
        for logger in self.external_loggers:
            try:
                logger.log(row)
            except Exception:
                log.warning("%s failed to log a row", type(logger).__name__, exc_info=True)

    def _progress(self, input_count: int, batch_count: int) -> dict[str, Any]:
        now = time.time()
        spent, inputs = now - self.last_time, input_count - self.last_input_count
        self.last_time, self.last_input_count = now, input_count
        return {
            "time_spent": spent,
            "cumulative_time_spent": now - self.start_time,
            "input_count": inputs,
            "cumulative_input_count": input_count,
            "cumulative_batch_count": batch_count,
            "inputs_per_sec": inputs / spent if spent > 0 else 0.0,
        }
