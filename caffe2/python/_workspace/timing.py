"""How long nets take, and who watches them."""

from __future__ import annotations

import logging
from typing import Any

from caffe2.ops.sync.stat import PROCESS
from caffe2.python._workspace.names import StringifyNetName
from caffe2.runtime.observe import benchmark, profile
from caffe2.runtime.workspaces import workspaces

logger = logging.getLogger(__name__)


def BenchmarkNet(name: Any, warmup_runs: int, main_runs: int, run_individual: bool) -> list[float]:
    """Milliseconds of a run of a net, then of each of its operators: 0 unless run_individual, which logs a table."""
    net = workspaces.current.net(StringifyNetName(name))
    times = benchmark(net, warmup_runs, main_runs, run_individual)
    if run_individual:
        logger.info("%s", profile(net, times[0], times[1:]))
    return times


def BenchmarkNetOnce(name: Any) -> float:
    """Milliseconds of a single run of a net."""
    return benchmark(workspaces.current.net(StringifyNetName(name)), 0, 1, False)[0]


def GetStats() -> dict[str, int]:
    """The statistics of the process by name; they go on counting."""
    return PROCESS.publish(reset=False)


def ClearGlobalNetObserver() -> None:
    """Take off the observer that new nets get by themselves: there is none."""
