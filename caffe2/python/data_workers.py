"""Batches that Python threads fetch and a net dequeues.

    coordinator = data_workers.init_data_input_workers(model, ["data", "label"], my_fetch_fun, batch_size=32)
    coordinator.start()
    ...
    coordinator.stop()

calls `my_fetch_fun(worker_id, batch_size)` on two threads. It answers an array for each blob, of as many samples as it
likes; they are cut and joined to batches of the size asked for. The net begins with operators that dequeue them.
Sources of other names, such as one for training and one for testing, do not mix; nets for several devices share one.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from caffe2.proto import caffe2_pb2
from caffe2.python import core, scope, utils, workspace
from caffe2.python.parallel_workers import (
    GlobalWorkerCoordinator,
    Metrics,
    State,
    Worker,
    WorkerCoordinator,
    run_worker,
)

log = logging.getLogger("data_workers")

LOG_INT_SECS = 60
"""How often, in seconds, the rate of inputs is logged."""
POLL_SECS = 0.5
"""How long a thread waits before it looks whether it is to go on."""
WARN_SECS = 10
"""How long a feeder waits for data before it says so."""
QUEUE_CAPACITY = 4
"""Batches that wait for the net, on its side of the threads."""

Chunk = Sequence[np.ndarray]


class GlobalCoordinator(GlobalWorkerCoordinator):
    """All groups of fetching threads of a process, and the queues between them and their feeders."""

    def __init__(self) -> None:
        super().__init__()
        self._queues: dict[str, queue.Queue] = {}

    @property
    def _fetcher_id_seq(self) -> int:
        return len(self.get_worker_ids())

    def get_queue(self, queue_name: str, max_buffered_batches: int) -> queue.Queue:
        """The queue of a source of data, made where there is none."""
        if queue_name not in self._queues:
            self._queues[queue_name] = queue.Queue(maxsize=max_buffered_batches)
        return self._queues[queue_name]

    def reset_data_input(self, namescope: str, name: str, net: Any, batch_size: int) -> None:
        """Have the source `name` of a name scope feed another net, with batches of another size."""
        for group in self._coordinators:
            if group._worker_name == name and group._state._namescope == namescope:
                group._state._batch_size = batch_size
                group._state._create_caffe2_ops(net)


global_coordinator = GlobalCoordinator()


class BatchFeeder(State):
    """Makes batches of what workers fetched, and puts them in the queues that a net dequeues."""

    def __init__(
        self,
        net: Any,
        input_blob_names: Sequence[str],
        batch_size: int,
        device_option: caffe2_pb2.DeviceOption,
        namescope: str,
        input_source_name: str,
        queue: queue.Queue,
        metrics: Metrics,
        dont_rebatch: bool,
        batch_columns: Sequence[int] | None,
        timeout: float = 600,
    ) -> None:
        self._input_blob_names, self._batch_size = list(input_blob_names), batch_size
        self._device_option, self._namescope = device_option, namescope
        self._input_source_name, self._internal_queue = input_source_name, queue
        self._metrics, self._dont_rebatch, self._timeout = metrics, dont_rebatch, timeout
        self._batch_columns = list(batch_columns or [0] * len(self._input_blob_names))
        self._inputs, self._prev_seconds = 0, time.time()
        self._left: list[Chunk] = []
        self._queues = [self._create_queue(name) for name in self._input_blob_names]
        self._create_caffe2_ops(net)
        self._scratch = [
            core.BlobReference(f"{namescope}{name}_scratch_{input_source_name}") for name in self._input_blob_names
        ]
        for blob in self._blobs():  # made here, so that threads only write them
            workspace.FeedBlob(blob, np.zeros(0, np.float32), device_option=device_option)

    def _create_queue(self, blob: str) -> core.BlobReference:
        name = f"{blob}_c2queue_{self._input_source_name}"
        workspace.RunOperatorOnce(
            core.CreateOperator("CreateBlobsQueue", [], [name], num_blobs=1, capacity=QUEUE_CAPACITY)
        )
        return core.ScopedBlobReference(name)

    def _create_caffe2_ops(self, net: Any) -> None:
        for source, blob in zip(self._queues, self._input_blob_names):
            net.DequeueBlobs(source, blob, timeout_secs=float(self._timeout))

    def _blobs(self) -> list[core.BlobReference]:
        return [*self._scratch, *(blob + "_status" for blob in self._scratch)]

    def start(self) -> None:
        self._inputs, self._prev_seconds = 0, time.time()

    def stop(self) -> None:
        for source in self._queues:
            workspace.RunOperatorOnce(core.CreateOperator("CloseBlobsQueue", [source], []))
        self._log_inputs_per_interval(0, force=True)

    def cleanup(self) -> None:
        utils.ResetBlobs(self._blobs())

    def put(self, chunk: Chunk | None, data_input_coordinator: WorkerCoordinator) -> None:
        """Hand a worker's arrays on, waiting while the queue is full. Raises ValueError where they do not fit."""
        if chunk is None:
            log.warning("the fetching function of %s returned None", self._input_source_name)
            return
        self._demand_fit(chunk)
        while data_input_coordinator.is_active():
            try:
                self._internal_queue.put(chunk, timeout=POLL_SECS)
            except queue.Full:
                continue
            self._log_inputs_per_interval(self._samples(chunk))
            return

    def _samples(self, chunk: Chunk) -> int:
        return chunk[0].shape[self._batch_columns[0]]

    def _demand_fit(self, chunk: Chunk) -> None:
        names = ", ".join(self._input_blob_names)
        if len(chunk) != len(self._input_blob_names) or not all(isinstance(x, np.ndarray) for x in chunk):
            kinds = ", ".join(type(x).__name__ for x in chunk)
            raise ValueError(f"the fetching function returns one array for each of {names}; it returned {kinds}")
        counts = [x.shape[column] for x, column in zip(chunk, self._batch_columns)]
        if not self._dont_rebatch and len(set(counts)) > 1:
            raise ValueError(f"the arrays for {names} hold the same number of samples, not {counts}")

    def _enqueue_batch(self, data_input_coordinator: WorkerCoordinator) -> None:
        """Wait for one batch, and put it in the net's queues."""
        batch = self._next(data_input_coordinator)
        if batch is None or not data_input_coordinator.is_active():
            return
        started = time.time()
        for scratch, source, array in zip(self._scratch, self._queues, batch):
            workspace.FeedBlob(scratch, array, device_option=self._device_option)
            enqueue = core.CreateOperator(
                "SafeEnqueueBlobs",
                [source, scratch],
                [scratch, scratch + "_status"],
                device_option=self._device_option,
            )
            workspace.RunOperatorOnce(enqueue)
        self._metrics.put_metric("enqueue_time", time.time() - started)

    def _next(self, coordinator: WorkerCoordinator) -> Chunk | None:
        """The next batch; None where the threads are to end."""
        if self._dont_rebatch:
            return self._get(coordinator)
        chunks, self._left = self._left, []
        while sum(map(self._samples, chunks)) < self._batch_size:
            chunk = self._get(coordinator)
            if chunk is None:
                return None
            chunks.append(chunk)
        whole = [np.concatenate(parts, axis) for parts, axis in zip(zip(*chunks), self._batch_columns)]
        cut = [np.split(array, [self._batch_size], axis) for array, axis in zip(whole, self._batch_columns)]
        left = [rest for _, rest in cut]
        self._left = [left] if self._samples(left) else []
        return [batch for batch, _ in cut]

    def _get(self, coordinator: WorkerCoordinator) -> Chunk | None:
        started, warned = time.time(), time.time()
        while coordinator.is_active():
            try:
                return self._internal_queue.get(timeout=POLL_SECS)
            except queue.Empty:
                if time.time() > warned + WARN_SECS:
                    warned = time.time()
                    log.warning("no data of %s for %d s", self._input_source_name, warned - started)
        return None

    def _log_inputs_per_interval(self, inputs: int, force: bool = False) -> None:
        self._inputs += inputs
        spent = time.time() - self._prev_seconds
        if spent < LOG_INT_SECS and not force:
            return
        rate, waiting = int(self._inputs / max(spent, 1e-9)), self._internal_queue.qsize()
        log.info("%s/%s: %d inputs/s, %d chunks wait", self._input_source_name, self._namescope, rate, waiting)
        for key, value in (("inputs_per_sec", rate), ("queue_size", waiting), ("time_elapsed", spent)):
            self._metrics.put_metric(key, value, False)
        self._metrics.log_metrics()
        self._metrics.reset_metrics()
        self._inputs, self._prev_seconds = 0, time.time()


class DataWorker(Worker):
    """What one fetching thread does."""

    def __init__(
        self,
        coordinator: WorkerCoordinator,
        worker_id: int,
        worker_fun: Callable[[int, int], Chunk | None],
        metrics: Metrics,
        batch_size: int,
        batch_feeder: BatchFeeder,
    ) -> None:
        super().__init__(coordinator, worker_id, worker_fun=worker_fun, metrics=metrics)
        self._batch_size, self._batch_feeder = batch_size, batch_feeder

    def run(self) -> None:
        self._batch_feeder.put(self._worker_fun(self._worker_id, self._batch_size), self._coordinator)

    def finish(self) -> None:
        self._metrics.put_metric("fetcher_time", time.time() - self._start_time)


def get_worker_ids(num_workers: int) -> list[int]:
    """The ids of so many workers."""
    return list(range(num_workers))


def enqueuer(coordinator: WorkerCoordinator, batch_feeder: BatchFeeder) -> None:
    """Put batch after batch in the net's queues until the coordinator is stopped."""
    while coordinator.is_active():
        batch_feeder._enqueue_batch(coordinator)


def init_data_input_workers(
    net: Any,
    input_blob_names: Sequence[str],
    fetch_fun: Callable[[int, int], Chunk | None],
    batch_size: int,
    num_worker_threads: int = 2,
    input_source_name: str = "train",
    max_buffered_batches: int = 800,
    init_fun: Callable[[WorkerCoordinator, Any], object] | None = None,
    external_loggers: Sequence[Any] | None = None,
    dont_rebatch: bool = False,
    batch_columns: Sequence[int] | None = None,
    timeout: float = 600,
) -> GlobalCoordinator:
    """Threads that fetch the input blobs of a net; gives the coordinator of the process, to start and stop them with.

    net: a net or a model, which gets operators that dequeue the blobs. dont_rebatch: what a call of fetch_fun answers
    is one batch. batch_columns: the dimension of each array that counts samples, 0 unless given. max_buffered_batches:
    how much may wait to be made batches of. timeout: seconds after which a net that finds no batch fails.
    """
    device = scope.CurrentDeviceScope() or caffe2_pb2.DeviceOption(device_type=caffe2_pb2.CPU)
    metrics = Metrics(external_loggers)
    feeder = BatchFeeder(
        net,
        input_blob_names,
        batch_size,
        device,
        scope.CurrentNameScope(),
        input_source_name,
        global_coordinator.get_queue(input_source_name, max_buffered_batches),
        metrics,
        dont_rebatch,
        batch_columns,
        timeout=timeout,
    )
    ids = [global_coordinator.get_new_worker_id() for _ in range(num_worker_threads)]
    group = WorkerCoordinator(input_source_name, ids, init_fun, feeder)
    fetching = [
        threading.Thread(
            target=run_worker,
            name=f"data_workers fetcher id {i}",
            args=[group, DataWorker(group, i, fetch_fun, metrics, batch_size, feeder)],
        )
        for i in ids
    ]
    enqueuing = threading.Thread(target=enqueuer, name=f"Enqueuer {input_source_name}", args=[group, feeder])
    group._workers = [*fetching, enqueuing]
    global_coordinator.add(group)
    return global_coordinator
