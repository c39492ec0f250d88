"""Python functions that threads call again and again until they are stopped.

    coordinator = parallel_workers.init_workers(my_function, worker_name="train")
    coordinator.start()
    ...
    coordinator.stop()

calls `my_function(worker_id)` on two threads. All workers of a process share one coordinator, which starts and stops
them together; a name tells the groups of workers apart.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

log = logging.getLogger("parallel_workers")

JOIN_SECS = 5.0
"""How long to wait for one thread to end: it may be blocked in reading."""


class Metrics:
    """Sums of named values, which loggers are given."""

    def __init__(self, external_loggers: Sequence[Any] | None) -> None:
        self._external_loggers = external_loggers or ()
        self.reset_metrics()

    def reset_metrics(self) -> None:
        """Forget every sum."""
        self._metrics: defaultdict[str, float] = defaultdict(int)

    def log_metrics(self) -> None:
        """Give the sums to every logger."""
        for logger in self._external_loggers:
            try:
                logger.log(self._metrics)
            except Exception:
                log.warning("%s failed to log metrics", type(logger).__name__, exc_info=True)

    def put_metric(self, key: str, value: float, count: bool = True) -> None:
        """Add `value` to the sum `key` and, with `count`, 1 to the sum `<key>_count`."""
        self._metrics[key] += value
        if count:
            self._metrics[f"{key}_count"] += 1


class State:
    """What a group of workers keeps; to be derived from."""

    def start(self) -> None:
        """Called before the threads start."""

    def stop(self) -> None:
        """Called when the threads are told to stop."""

    def cleanup(self) -> None:
        """Called when all threads have ended."""


class Worker:
    """What one thread does: `run` until its coordinator is stopped."""

    def __init__(
        self,
        coordinator: WorkerCoordinator,
        worker_id: int,
        worker_fun: Callable[[int], object] | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._coordinator = coordinator
        self._worker_id = worker_id
        self._worker_fun = worker_fun
        self._metrics = metrics

    def start(self) -> None:
        """Called before each run."""
        self._start_time = time.time()

    def run(self) -> None:
        """One call of the function."""
        self._worker_fun(self._worker_id)

    def handle_exception(self, e: Exception) -> None:
        """Stop the whole group on an error."""
        log.exception("worker %s failed", self._worker_id)
        self._coordinator._stop(f"Exception in worker {self._worker_id}: {e}")

    def finish(self) -> None:
        """Called after each run, failed or not."""
        self._metrics.put_metric("worker_time", time.time() - self._start_time)
        self._metrics.log_metrics()


class WorkerCoordinator:
    """A group of workers that start and stop together."""

    def __init__(
        self,
        worker_name: str,
        worker_ids: Sequence[int],
        init_fun: Callable[[WorkerCoordinator, Any], object] | None,
        state: State | None = None,
        shutdown_fun: Callable[[], object] | None = None,
    ) -> None:
        self._active = True
        self._started = False
        self._workers: list[threading.Thread] = []
        self._worker_name = worker_name
        self._worker_ids = worker_ids
        self._init_fun = init_fun
        self._state = state or State()
        self._shutdown_fun = shutdown_fun

    def is_active(self) -> bool:
        """Whether workers are to go on."""
        return self._active

    def init(self, global_coordinator: Any) -> None:
        """Call the init function, unless the workers run already."""
        if self._init_fun and not self._started:
            self._init_fun(self, global_coordinator)

    def _start(self) -> None:
        if self._started:
            return
        self._active = self._started = True
        self._state.start()
        for thread in self._workers:
            thread.daemon = True
            thread.start()

    def _stop(self, reason: str | None = None) -> None:
        self._active = False
        if reason is not None:
            log.error("%s workers are stopped: %s", self._worker_name, reason)
        if self._shutdown_fun and self._started:
            self._shutdown_fun()
        self._state.stop()
        self._started = False

    def _wait_finish(self, cleanup: object = None) -> bool:
        """Whether all threads ended; blobs that they kept are then freed."""
        for thread in self._workers:
            if thread is not threading.current_thread() and thread.ident is not None:
                thread.join(JOIN_SECS)
        alive = [thread.name for thread in self._workers if thread.is_alive()]
        if alive:
            log.warning("%s workers did not end within %s s: %s", self._worker_name, JOIN_SECS, ", ".join(alive))
        else:
            self._state.cleanup()
        return not alive

    def get_worker_ids(self) -> Sequence[int]:
        """Ids of the group's workers."""
        return self._worker_ids


class GlobalWorkerCoordinator:
    """All groups of workers of a process; they are stopped when the process ends."""

    def __init__(self) -> None:
        self._coordinators: list[WorkerCoordinator] = []
        self._worker_ids: list[int] = []
        self.register_shutdown_handler()

    def add(self, coordinator: WorkerCoordinator) -> None:
        """Take a group in."""
        self._coordinators.append(coordinator)

    def get_new_worker_id(self) -> int:
        """An id that no worker has."""
        self._worker_ids.append(len(self._worker_ids))
        return self._worker_ids[-1]

    def get_worker_ids(self) -> list[int]:
        """All ids given out."""
        return self._worker_ids

    def start(self) -> None:
        """Start all groups, after the init functions were called one after another."""
        for coordinator in self._coordinators:
            coordinator.init(self)
        for coordinator in self._coordinators:
            coordinator._start()

    def stop(self) -> bool:
        """Stop and drop all groups; whether every thread ended."""
        for coordinator in self._coordinators:
            coordinator._stop()
        ended = [coordinator._wait_finish() for coordinator in self._coordinators]
        self._coordinators = []
        return all(ended)

    def stop_coordinator(self, worker_name: str) -> None:
        """Stop and drop the groups of that name."""
        for coordinator in self._coordinators:
            if coordinator._worker_name == worker_name:
                coordinator._stop()
                coordinator._wait_finish()
        self._coordinators = [c for c in self._coordinators if c._worker_name != worker_name]

    def register_shutdown_handler(self) -> None:
        """Have `stop` called when the process ends."""
        atexit.register(self.stop)


global_coordinator = GlobalWorkerCoordinator()


def init_workers(
    worker_fun: Callable[[int], object],
    num_worker_threads: int = 2,
    worker_name: str = "train",
    init_fun: Callable[[WorkerCoordinator, GlobalWorkerCoordinator], object] | None = None,
    external_loggers: Sequence[Any] | None = None,
    shutdown_fun: Callable[[], object] | None = None,
) -> GlobalWorkerCoordinator:
    """A group of threads that call `worker_fun(worker_id)`; gives the coordinator of the process, to start them with.

    `init_fun(group, coordinator)` is called before the threads start, `shutdown_fun()` when they are told to stop.
    Each logger's `log` is given the time spent in calls, in seconds, and their number. An error in a call stops the
    group.
    """
    metrics = Metrics(external_loggers)
    ids = [global_coordinator.get_new_worker_id() for _ in range(num_worker_threads)]
    coordinator = WorkerCoordinator(worker_name, ids, init_fun, shutdown_fun=shutdown_fun)
    coordinator._workers = [
        threading.Thread(
            target=run_worker,
            name=f"parallel_workers worker id {i}",
            args=[coordinator, Worker(coordinator, i, worker_fun, metrics)],
        )
        for i in ids
    ]
    global_coordinator.add(coordinator)
    return global_coordinator


def run_worker(coordinator: WorkerCoordinator, worker: Worker) -> None:
    """Call the worker until the coordinator is stopped."""
    while coordinator.is_active():
        worker.start()
        try:
            worker.run()
        except Exception as error:
            worker.handle_exception(error)
        finally:
            worker.finish()
