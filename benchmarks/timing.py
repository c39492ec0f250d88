"""Timing of alternatives in one run, interleaved, told as ratios."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def seconds(work: Callable[[], object], at_least: float = 0.02) -> float:
    """The time of one call, averaged over as many as last `at_least` seconds."""
    calls, spent = 1, 0.0
    while True:
        start = time.perf_counter()
        for _ in range(calls):
            work()
        spent = time.perf_counter() - start
        if spent >= at_least:
            return spent / calls
        calls *= 2


def compare(title: str, works: Mapping[str, Callable[[], object]], rounds: int = 15) -> dict[str, float]:
    """Time every alternative `rounds` times, in turn; print and return the medians of their ratios to the last one."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(seconds(work))
    peer = list(works)[-1]
    print(title)
    ratios = {}
    for name, spent in times.items():
        ratios[name] = statistics.median(a / b for a, b in zip(spent, times[peer]))
        print(f"  {name:28} {statistics.median(spent) * 1e3:10.3f} ms   {ratios[name]:6.2f} x {peer}")
    return ratios
