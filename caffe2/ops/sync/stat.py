"""Statistics: named numbers that operators add to and that are exported together; timers."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import UNKNOWN, EnforceNotMet, Op, Site, op

LARGEST = 2**63 - 1


class StatRegistry:
    """Numbers by name, int64, that are added to."""

    def __init__(self) -> None:
        self._values: dict[str, int] = {}
        self._lock = threading.Lock()

    def add(self, name: str, value: int) -> None:
        with self._lock:
            self._values[name] = self._values.get(name, 0) + value

    def publish(self, reset: bool) -> dict[str, int]:
        """All numbers, the newest first; with `reset` they start from zero again."""
        with self._lock:
            found = dict(reversed(self._values.items()))
            if reset:
                self._values = dict.fromkeys(self._values, 0)
        return found


PROCESS = StatRegistry()
"""The statistics of the process, used where no other registry is given."""


@op("StatRegistryCreate: -> handle")
def create() -> StatRegistry:
    """A registry of statistics of its own."""
    return StatRegistry()


@op("StatRegistryExport: handle? -> keys values timestamps", shape=UNKNOWN)
def export(registry: StatRegistry | None = None, *, reset: bool = True) -> tuple[np.ndarray, Tensor, Tensor]:
    """All statistics of a registry, or of the process: names, values, times of reading.

    reset: every number starts from zero again.
    """
    found = (registry or PROCESS).publish(reset)
    keys = np.array([k.encode() for k in found], dtype=object)
    return keys, torch.tensor(list(found.values()), dtype=torch.int64), torch.full((len(found),), time.time_ns())


@op("StatRegistryUpdate: keys values handle? ->", types="keys: string, values: int64")
def update(keys: np.ndarray, values: Tensor, registry: StatRegistry | None = None) -> None:
    """Adds values to the statistics of those names, of a registry or of the process."""
    if keys.size != values.numel():
        raise EnforceNotMet(f"every key has one value: {keys.size} keys, {values.numel()} values")
    for key, value in zip(keys.reshape(-1), values.reshape(-1).tolist()):
        (registry or PROCESS).add(key.decode(), value)


class Average:
    """sum and count of what is put."""

    names = ("sum", "count")

    def parts(self, value: int) -> dict[str, int]:
        return {"sum": value, "count": 1}


class Increment:
    """The sum of what is put, under the bare name."""

    names = ("",)

    def parts(self, value: int) -> dict[str, int]:
        return {"": value}


class Deviation:
    """sum and count, and the sums of offsets from the first value put, and of their squares."""

    names = ("sum", "count", "sumsqoffset", "sumoffset")

    def __init__(self) -> None:
        self.first: int | None = None

    def parts(self, value: int) -> dict[str, int]:
        self.first = value if self.first is None else self.first
        offset = value - self.first
        return {"sum": value, "count": 1, "sumsqoffset": offset * offset, "sumoffset": offset}


class Put(Op):
    """The arguments of the operators that put a number into the statistics of the process."""

    stat_name: str = ""
    magnitude_expand: int = 1
    bound: bool = False
    default_value: float | None = None
    _kind: Callable = Increment

    def bind(self, site: Site) -> None:
        self.name, self.kind = self.stat_name or site.inputs[0], self._kind()
        for part in self.kind.names:
            PROCESS.add(self._key(part), 0)

    def _key(self, part: str) -> str:
        return f"{self.name}/stat_value" + (f"/{part}" if part else "")

    def __call__(self, value: Tensor) -> None:
        if not value.numel() and self.default_value is None:
            raise EnforceNotMet(f"{self.name}: an empty tensor needs the argument default_value")
        number = value.reshape(-1)[0].item() if value.numel() else self.default_value
        for part, amount in self.kind.parts(self._whole(number)).items():
            PROCESS.add(self._key(part), amount)

    def _whole(self, number: float) -> int:
        """The number times magnitude_expand, cut to a whole one within int64."""
        limit = LARGEST // self.magnitude_expand
        if self.bound:
            if math.isnan(number):
                return 0
            return int(max(-LARGEST - 1, min(LARGEST, number * self.magnitude_expand)))
        if math.isnan(number) or abs(number) >= limit:
            raise EnforceNotMet(f"{self.name}: {number} cannot be counted times {self.magnitude_expand}; set bound=1")
        return int(number * self.magnitude_expand)


for _name, _kind in (("AveragePut", Average), ("IncrementPut", Increment), ("StdDevPut", Deviation)):
    op(
        f"{_name}: value ->",
        types="value: number",
        doc=f"""Puts a number times magnitude_expand into the statistics of the process.

        What is kept: {_kind.__doc__[0].lower()}{_kind.__doc__[1:]}

        value: one number, or an empty tensor.
        stat_name: the name in the statistics; that of the blob unless given. The entries are NAME/stat_value...
        magnitude_expand: the factor; statistics are whole numbers.
        default_value: what an empty tensor counts as.
        """,
    )(type(_name, (Put,), {"_kind": _kind, "__call__": Put.__call__, "__doc__": _kind.__doc__, "__module__": __name__}))


class Timer:
    """A stop-watch whose time goes into the statistics of the process, in nanoseconds."""

    def __init__(self, name: str) -> None:
        self.name, self.start = name, time.perf_counter_ns()
        self.running = True

    def elapsed(self, what: str) -> int:
        """Nanoseconds since the start. Raises EnforceNotMet where the timer was stopped."""
        if not self.running:
            raise EnforceNotMet(f"{what}: the timer {self.name!r} has been stopped")
        return time.perf_counter_ns() - self.start

    def end(self, what: str) -> int:
        """Stop; the nanoseconds counted."""
        nanos = self.elapsed(what)
        self.running = False
        PROCESS.add(f"{self.name}/time_ns/sum", nanos)
        PROCESS.add(f"{self.name}/time_ns/count", 1)
        return nanos


@op("TimerBegin: -> timer")
class TimerBegin(Op):
    """A timer that runs from now on.

    counter_name: its name in the statistics; that of the blob unless given.
    """

    counter_name: str = ""

    def bind(self, site: Site) -> None:
        self.name, self.timer = self.counter_name or site.outputs[0], None

    def __call__(self) -> Timer:
        if self.timer is not None and self.timer.running:
            raise EnforceNotMet(f"TimerBegin: the timer {self.name!r} runs already")
        self.timer = Timer(self.name)
        return self.timer


@op("TimerEnd: timer ->")
def timer_end(timer: Timer) -> None:
    """Stops a timer, and adds its time to the statistics."""
    timer.end("TimerEnd")


@op("TimerGet: timer -> nanos", shape=lambda timer: torch.empty((), dtype=torch.int64, device="meta"))
def timer_get(timer: Timer) -> Tensor:
    """How long a timer has been running.

    nanos: int64, of no dimensions: nanoseconds.
    """
    return torch.tensor(timer.elapsed("TimerGet"))


@op("TimerGetAndEnd: timer -> nanos", shape=lambda timer: torch.empty(1, dtype=torch.int64, device="meta"))
def timer_get_and_end(timer: Timer) -> Tensor:
    """How long a timer has been running; the timer is stopped.

    nanos: (1), int64: nanoseconds.
    """
    return torch.tensor([timer.end("TimerGetAndEnd")])
