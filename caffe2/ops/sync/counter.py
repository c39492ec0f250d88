"""Counters that several nets may count on at once."""

from __future__ import annotations

import threading

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, op
from caffe2.proto import caffe2_pb2
from caffe2.runtime.errors import MessageError
from caffe2.runtime.serialize import stored_as


class Counter:
    """A number that counts down, or up, one step at a time."""

    def __init__(self, count: int) -> None:
        self._count, self._lock = 0, threading.Lock()
        self.reset(count)

    @property
    def count(self) -> int:
        return self._count

    def reset(self, count: int) -> int:
        """Set the count; the one before. Raises EnforceNotMet for a negative one."""
        if count < 0:
            raise EnforceNotMet(f"a counter starts from no less than 0, not from {count}")
        with self._lock:
            before, self._count = self._count, count
        return before

    def step(self, by: int) -> int:
        """Count by one, up or down; the count before."""
        with self._lock:
            self._count += by
            return self._count - by


def _write(value: Counter, blob: caffe2_pb2.BlobProto) -> None:
    tensor = blob.tensor
    tensor.name, tensor.data_type = blob.name, caffe2_pb2.TensorProto.INT64
    tensor.dims.append(1)
    tensor.int64_data.append(value.count)


def _read(blob: caffe2_pb2.BlobProto) -> Counter:
    if len(blob.tensor.int64_data) != 1:
        raise MessageError(f"the counter {blob.name!r} is stored with {len(blob.tensor.int64_data)} numbers")
    counter = Counter(0)
    counter._count = blob.tensor.int64_data[0]
    return counter


stored_as(Counter, "std::unique_ptr<Counter<int64_t>>", _write, _read)


@op("CreateCounter: -> counter")
def create_counter(*, init_count: int = 0) -> Counter:
    """A counter that starts from init_count."""
    return Counter(init_count)


@op("ResetCounter: counter -> previous_value?")
def reset_counter(counter: Counter, *, init_count: int = 0) -> Tensor:
    """Sets a counter to init_count.

    previous_value: int64, of no dimensions: the count before.
    """
    return torch.tensor(counter.reset(init_count))


@op("CountDown: counter -> done")
def count_down(counter: Counter) -> Tensor:
    """Counts one down.

    done: bool, of no dimensions: whether the count was zero or below before.
    """
    return torch.tensor(counter.step(-1) <= 0)


@op("CountUp: counter -> previous_count")
def count_up(counter: Counter) -> Tensor:
    """Counts one up.

    previous_count: int64, of no dimensions: the count before.
    """
    return torch.tensor(counter.step(1))


@op("RetrieveCount: counter -> count")
def retrieve_count(counter: Counter) -> Tensor:
    """The count of a counter.

    count: int64, of no dimensions.
    """
    return torch.tensor(counter.count)


@op("CheckCounterDone: counter -> done")
def check_counter_done(counter: Counter) -> Tensor:
    """Whether a counter is at zero or below."""
    return torch.tensor(counter.count <= 0)
