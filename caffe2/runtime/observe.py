"""Observers of nets: how often operators run, and how long they take."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from caffe2.opdef import did_you_mean
from caffe2.runtime.cost import operator_cost
from caffe2.runtime.errors import NetError
from caffe2.runtime.net import Net

Call = Callable[[], None]


class Observer:
    """Watches one net. `started` and `stopped` enclose a run; `around` stands around each operator's closure.

    Operators of nets within the net are watched as well.
    """

    def __init__(self, net: Net) -> None:
        self.net = net

    def started(self) -> None:
        """A run of the net begins."""

    def stopped(self) -> None:
        """A run of the net ended, maybe with an error."""

    def around(self, net: Net, position: int, call: Call) -> Call:
        """What to run in the place of the operator at a position of a net."""
        return call

    def average_time(self) -> float:
        """Milliseconds of a run of the net on average; 0 where time is not taken."""
        return 0.0

    def average_time_children(self) -> float:
        """Milliseconds of a run of one of its operators on average; 0 where time is not taken."""
        return 0.0

    def debug_info(self) -> str:
        """What was seen, to be read."""
        return "Not implemented."


class TimeObserver(Observer):
    """Takes the time of the net and of each of its operators, in milliseconds."""

    def __init__(self, net: Net) -> None:
        super().__init__(net)
        self.runs, self.total, self._begun = 0, 0.0, 0.0
        self.of_operator: defaultdict[int, list[float]] = defaultdict(lambda: [0, 0.0])

    def started(self) -> None:
        self._begun = time.perf_counter()

    def stopped(self) -> None:
        self.runs += 1
        self.total += (time.perf_counter() - self._begun) * 1e3

    def around(self, net: Net, position: int, call: Call) -> Call:
        if net is not self.net:
            return call
        taken = self.of_operator[position]

        def timed() -> None:
            begun = time.perf_counter()
            call()
            taken[0] += 1
            taken[1] += (time.perf_counter() - begun) * 1e3

        return timed

    def average_time(self) -> float:
        return self.total / self.runs if self.runs else float("nan")

    def average_time_children(self) -> float:
        means = self.operator_times()
        return sum(means) / len(means) if means else 0.0

    def operator_times(self) -> list[float]:
        """Milliseconds of each operator on average."""
        taken = [self.of_operator[position] for position in range(len(self.net.steps))]
        return [total / runs if runs else 0.0 for runs, total in taken]

    def debug_info(self) -> str:
        return profile(self.net, self.average_time(), self.operator_times())


class RunCountObserver(Observer):
    """Counts the operators that ran, those of nets within the net included."""

    def __init__(self, net: Net) -> None:
        super().__init__(net)
        self.count = 0

    def around(self, net: Net, position: int, call: Call) -> Call:
        def counted() -> None:
            self.count += 1
            call()

        return counted

    def debug_info(self) -> str:
        return f"This operator runs {self.count} times."


KINDS: dict[str, type[Observer]] = {
    "TimeObserver": TimeObserver,
    "ProfileObserver": TimeObserver,
    "RunCountObserver": RunCountObserver,
}


def attach(net: Net, kind: str) -> Observer:
    """Have a net watched from its next run on. Raises NetError for a kind of observer that there is none of."""
    if kind not in KINDS:
        raise NetError(f"no observer is named {kind!r}{did_you_mean(kind, KINDS)}")
    observer = KINDS[kind](net)
    watch(net, [*watching(net), observer])
    return observer


def detach(observer: Observer) -> None:
    """Have an observer watch no longer."""
    watch(observer.net, [o for o in watching(observer.net) if o is not observer])


def watching(net: Net) -> list[Observer]:
    """The observers of a net."""
    return list(getattr(net.run, "observers", ()))


def watch(net: Net, observers: Sequence[Observer]) -> None:
    """Put a run that is told to observers in the place of a net's; without any, its own again."""
    vars(net).pop("run", None)
    if not observers:
        return
    plain = net.run

    def run() -> None:
        for observer in observers:
            observer.started()
        try:
            with net.workspace.changes.watched_by([observer.around for observer in observers]):
                plain()
        finally:
            for observer in observers:
                observer.stopped()

    run.observers = observers
    net.run = run


def benchmark(net: Net, warmup: int, runs: int, individually: bool) -> list[float]:
    """Milliseconds of a run of a net on average, then those of each operator: 0 unless `individually`.

    The net runs `warmup` times before; the times are of `runs` runs, those of the operators of as many more.
    """
    if warmup < 0 or runs < 1:
        raise NetError(f"net {net.name!r}: a benchmark takes warm-up runs >= 0 and runs > 0, not {warmup} and {runs}")
    for _ in range(warmup):
        net.run()
    begun = time.perf_counter()
    for _ in range(runs):
        net.run()
    whole = (time.perf_counter() - begun) / runs * 1e3
    if not individually:
        return [whole] + [0.0] * len(net.steps)
    observer = attach(net, "TimeObserver")
    try:
        for _ in range(runs):
            net.run()
    finally:
        detach(observer)
    return [whole, *observer.operator_times()]


def profile(net: Net, whole: float, times: Sequence[float]) -> str:
    """A table of the operators of a net by type: milliseconds, share, how many, and what they compute and write."""
    spent: Counter[str] = Counter()
    rows: defaultdict[str, list[float]] = defaultdict(lambda: [0, 0.0, 0.0])
    for step, each in zip(net.steps, times):
        spent[step.op.type] += each
        row = rows[step.op.type]
        cost = operator_cost(step.op, [cell.value for cell in step.inputs])
        row[0] += 1
        row[1] += cost.flops / 1e9
        row[2] += cost.bytes_written / 2**20
    total = sum(times) or 1.0
    lines = [f"net {net.name!r}: {whole:.4g} ms a run", f"{'ms':>10} {'%':>6} {'ops':>5} {'GFLOP':>9} {'MB':>9}  type"]
    for kind, each in spent.most_common():
        count, flops, written = rows[kind]
        lines.append(f"{each:10.4f} {each / total:6.1%} {count:5d} {flops:9.4f} {written:9.3f}  {kind}")
    return "\n".join(lines)
