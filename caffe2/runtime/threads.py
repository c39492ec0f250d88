"""Threads: calls made ahead of time, pools, and threads that work side by side and fail together."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

logger = logging.getLogger(__name__)

PATIENCE = 60.0
"""Seconds that a failed crew is given to end, before it is left behind."""


class Ahead:
    """A call made on a thread before its result is needed. The thread does not keep the process alive."""

    def __init__(self, call: Callable[..., Any], *args: Any) -> None:
        self._value: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(call, *args), daemon=True, name="ahead")
        self._thread.start()

    def _run(self, call: Callable[..., Any], *args: Any) -> None:
        try:
            self._value = call(*args)
        except BaseException as error:
            self._error = error

    def wait(self, seconds: float = PATIENCE) -> None:
        """Wait until the call has returned, or time is up."""
        self._thread.join(seconds)

    def result(self) -> Any:
        """What the call returned, once it has; raises what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._value


class Pool:
    """Threads that take calls from a queue. They start with the first call, and end when the pool goes.

    Half the cost of concurrent.futures a call: nobody asks for a result here.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size, self._name, self._calls = size, name, SimpleQueue()
        self._lock, self._started = threading.Lock(), False

    def submit(self, work: Callable[..., Any], *args: Any) -> None:
        """Have a thread call work(*args), which raises nothing."""
        if not self._started:
            self._start()
        self._calls.put((work, args))

    def _start(self) -> None:
        with self._lock:
            if self._started:
                return
            for _ in range(self._size):
                threading.Thread(target=_take, args=(self._calls,), daemon=True, name=self._name).start()
            self._finalizer = weakref.finalize(self, _end, self._calls, self._size)
            self._started = True

    def close(self) -> None:
        """Have the threads end when they have done what is asked of them; another call starts new ones."""
        with self._lock:
            if self._started:
                self._finalizer()
                self._started = False


def _take(calls: SimpleQueue) -> None:
    while (call := calls.get()) is not None:
        work, args = call
        work(*args)
        del call, work, args  # while it waits, a thread keeps nothing alive


def _end(calls: SimpleQueue, size: int) -> None:
    for _ in range(size):
        calls.put(None)


class Crew:
    """A block that starts threads and ends when they have ended, raising the first error of theirs or of its own.

    At the first error `on_error` is called, which has the others end. One that does not within PATIENCE seconds is left
    behind, as a thread that does not keep the process alive.
    """

    def __init__(self, on_error: Callable[[], None]) -> None:
        self._on_error = on_error
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self.error: BaseException | None = None

    def start(self, work: Callable[..., Any], *args: Any) -> None:
        """Run work(*args) on a thread."""
        thread = threading.Thread(target=self._guarded, args=(work, *args), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _guarded(self, work: Callable[..., Any], *args: Any) -> None:
        try:
            work(*args)
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            first = self.error is None
            if first:
                self.error = error
        if first:
            self._on_error()

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is not None:
            self._fail(error)
        try:
            self._join()
        except BaseException as interrupt:
            self._fail(interrupt)
            raise
        if error is None and self.error is not None:
            raise self.error

    def _join(self) -> None:
        for thread in self._threads:
            while thread.is_alive() and self.error is None:
                thread.join(0.05)
        deadline = time.monotonic() + PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                logger.error("a thread does not end after the failure of another: %s; it is left behind", self.error)
