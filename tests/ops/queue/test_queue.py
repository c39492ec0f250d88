"""Queues: samples, and what is particular: order, closing, waiting."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet, OperatorFailed
from caffe2.ops.queue.blobs import BlobsQueue
from caffe2.ops.queue.rebatching import RebatchingQueue
from caffe2.runtime.workspace import Workspace
from tests.runtime.nets import operator
from tests.sample import Sample, floats, samples


def filled(width: int = 1, close: bool = False):
    """A function that makes a queue of two records."""

    def make() -> BlobsQueue:

        queue = BlobsQueue(4, width)
        for k in range(2):
            queue.put((torch.full((2, 3), float(k)),) * width)
        if close:
            queue.close()
        return queue

    return make


def rebatching() -> RebatchingQueue:

    queue = RebatchingQueue(8, 1)
    for k in range(3):
        queue.put((torch.full((2,), float(k)),))
    return queue


@samples("CreateBlobsQueue", "CreateRebatchingQueue")
def _(rng):
    yield [], {"capacity": 2, "num_blobs": 3}


@samples("EnqueueBlobs")
def _(rng):
    yield [lambda: BlobsQueue(2, 2), floats(rng, 2), floats(rng, 3)], {}


@samples("SafeEnqueueBlobs")
def _(rng):
    yield Sample("SafeEnqueueBlobs", (lambda: BlobsQueue(2, 1), floats(rng, 2)), outputs=2)


@samples("DequeueBlobs")
def _(rng):
    yield Sample("DequeueBlobs", (filled(),), outputs=1)


@samples("SafeDequeueBlobs")
def _(rng):
    yield Sample("SafeDequeueBlobs", (filled(),), outputs=2)
    yield Sample("SafeDequeueBlobs", (filled(),), {"num_records": 2}, outputs=2)


@samples("WeightedSampleDequeueBlobs")
def _(rng):
    yield Sample("WeightedSampleDequeueBlobs", (filled(), filled()), {"weights": (0.0, 1.0)}, outputs=2)


@samples("CloseBlobsQueue")
def _(rng):
    yield [filled()], {}


@samples("EnqueueRebatchingQueue")
def _(rng):
    yield [lambda: RebatchingQueue(8, 1), floats(rng, 3, 2)], {}
    yield [lambda: RebatchingQueue(8, 1), floats(rng, 3, 2)], {"enqueue_batch": 1}


@samples("DequeueRebatchingQueue")
def _(rng):
    yield Sample("DequeueRebatchingQueue", (rebatching,), {"num_elements": 2}, outputs=1)


@samples("CloseRebatchingQueue")
def _(rng):
    yield [rebatching], {}


def test_records_come_in_order_and_a_closed_queue_gives_what_is_left(run):
    queue = filled(close=True)()
    first, status = run("SafeDequeueBlobs", lambda: queue, outputs=2)
    assert first[0, 0] == 0 and not status
    joined, status = run("SafeDequeueBlobs", lambda: queue, outputs=2, num_records=5)
    assert joined.shape == (2, 3) and not status


def test_taking_from_a_closed_and_empty_queue_fails(run):
    queue = BlobsQueue(1, 1)
    queue.close()
    with pytest.raises(OperatorFailed):
        run("DequeueBlobs", lambda: queue, outputs=1)


def test_waiting_ends_when_time_is_up(run):
    with pytest.raises(OperatorFailed):
        run("DequeueBlobs", lambda: BlobsQueue(1, 1), outputs=1, timeout_secs=0.01)


def test_closing_wakes_whoever_waits():
    queue, got = BlobsQueue(1, 1), []
    waiter = threading.Thread(target=lambda: got.append(queue.get()))
    waiter.start()
    queue.close()
    waiter.join(5)
    assert got == [None]


def test_a_record_has_as_many_blobs_as_its_queue_says(run):
    with pytest.raises(EnforceNotMet, match="records of 2 blobs"):
        run("EnqueueBlobs", lambda: BlobsQueue(1, 2), np.zeros(1, np.float32))


def test_rebatching_gives_fewer_elements_once_closed(run):
    queue = rebatching()
    queue.close()
    assert run("DequeueRebatchingQueue", lambda: queue, num_elements=9).shape == (3, 2)
    with pytest.raises(OperatorFailed):
        run("EnqueueRebatchingQueue", lambda: queue, np.zeros(2, np.float32), outputs=0)


def test_records_do_not_change_with_the_blob():
    workspace = Workspace()
    workspace.run_operator_once(operator("CreateBlobsQueue", "", "queue", capacity=2))
    workspace.feed("x", np.zeros(2))
    workspace.run_operator_once(operator("EnqueueBlobs", "queue x", "x"))
    workspace.find("x").value.add_(1)
    workspace.run_operator_once(operator("DequeueBlobs", "queue", "y"))
    assert workspace.fetch("y").tolist() == [0, 0]
