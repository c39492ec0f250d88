"""Readers over other readers: limited in number or time, delayed, several at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe2.python._core.blob_reference import BlobReference
from caffe2.python._core.net import Net
from caffe2.python._core.operators import DataType
from caffe2.python._dataio.base import Reader, ReaderBuilder
from caffe2.python._misuse import demand
from caffe2.python.schema import Struct

Read = tuple[list[Any], BlobReference, Any]


def _false(net: Net, outputs: Any) -> BlobReference:
    return net.ConstantFill([], outputs, shape=[], value=False, dtype=DataType.BOOL)


class CounterReader(Reader):
    """Reads the integers from 0 on, in a field `iter`."""

    def __init__(self) -> None:
        super().__init__(schema=Struct(("iter", np.int64)))
        self.counter: BlobReference | None = None
        self.should_stop: BlobReference | None = None

    def setup_ex(self, global_init_net: Net, global_finish_net: Net) -> None:
        """Append the making of the counter."""
        if self.counter is None:
            self.counter = global_init_net.CreateCounter([], init_count=0)
            self.should_stop = _false(global_init_net, 1)

    def read_ex(self, local_init_net: Net, local_finish_net: Net) -> Read:
        """A net that counts up."""
        net = Net("limited_reader_counter")
        return [net], self.should_stop, [net.CountUp([self.counter], 1)]


class ReaderWithLimitBase(Reader):
    """Reads from another reader until that ends or a limit is reached, which subclasses say.

    A subclass implements `setup_limiter` and `check_limiter_condition`.
    """

    def __init__(self, reader: Reader) -> None:
        super().__init__(schema=reader._schema)
        self.reader = reader
        self.net = Net("reader_with_limit")
        self._data_finished = self.net.AddExternalInput(self.net.NextName("data_finished"))
        self.should_stop: BlobReference | None = None

    def setup_limiter(self, global_init_net: Net, global_finish_net: Net) -> None:
        """Append what the limit needs to run once before the task and once after it."""
        raise NotImplementedError("Subclass must implement `setup_limiter`")

    def check_limiter_condition(self, stop_condition_net: Net) -> BlobReference:
        """Append the making of a boolean blob, of its own, that says whether the limit is reached."""
        raise NotImplementedError("Subclass must implement `check_limiter_condition`")

    def setup_ex(self, global_init_net: Net, global_finish_net: Net) -> None:
        """Append the set-up of the reader and of the limit."""
        _false(global_init_net, [self._data_finished])
        self.reader.setup_ex(global_init_net, global_finish_net)
        self.setup_limiter(global_init_net, global_finish_net)

    def read_ex(self, local_init_net: Net, local_finish_net: Net) -> Read:
        """Nets that look at the limit, read, and note whether the reader has ended."""
        before = Net("limited_reader_condition")
        should_stop = self.check_limiter_condition(before)
        nets, finished, fields = self.reader.read_ex(local_init_net, local_finish_net)
        self._set_schema(self.reader._schema)
        after = Net("limited_reader_post")
        # The blob that says to stop is looked at after every net, so by now it has been seen for the limit.
        after.Copy(finished, should_stop)
        after.Or([self._data_finished, finished], [self._data_finished])
        return [before, *nets, after], should_stop, fields

    def data_finished(self) -> BlobReference:
        """The boolean blob that, after the task, says whether the reader has ended rather than reached the limit."""
        return self._data_finished


class ReaderWithLimit(ReaderWithLimitBase):
    """Reads at most `num_iter` batches; without limit where that is None."""

    def __init__(self, reader: Reader, num_iter: int | None = 1) -> None:
        super().__init__(reader)
        self.num_iter = num_iter
        self.counter = None if num_iter is None else self.net.AddExternalInput(self.net.NextName("counter"))

    def setup_limiter(self, global_init_net: Net, global_finish_net: Net) -> None:
        """Append the making of the counter."""
        if self.counter:
            global_init_net.CreateCounter([], [self.counter], init_count=int(self.num_iter))

    def check_limiter_condition(self, stop_condition_net: Net) -> BlobReference:
        """Append counting down."""
        return stop_condition_net.CountDown([self.counter], 1) if self.counter else _false(stop_condition_net, 1)


def CountUntil(num_iter: int) -> ReaderWithLimit:
    """A reader of the integers below `num_iter`."""
    return ReaderWithLimit(CounterReader(), num_iter)


class ReaderWithTimeLimit(ReaderWithLimitBase):
    """Begins no batch after `duration` seconds; without limit where that is None or not positive."""

    def __init__(self, reader: Reader, duration: float | None = 0) -> None:
        super().__init__(reader)
        self.duration = duration
        self.timer: BlobReference | None = None
        self.duration_ns_blob: BlobReference | None = None

    def setup_limiter(self, global_init_net: Net, global_finish_net: Net) -> None:
        """Append the start and the end of a timer."""
        if (self.duration or 0) > 0:
            self.timer = global_init_net.TimerBegin([], counter_name="epoch_timer")
            start = global_init_net.TimerGet(self.timer)
            self.duration_ns_blob = global_init_net.ConstantFill([start], value=int(self.duration * 10**9))
            global_finish_net.TimerEnd([self.timer], [])

    def check_limiter_condition(self, stop_condition_net: Net) -> BlobReference:
        """Append a look at the timer."""
        if self.timer is None:
            return _false(stop_condition_net, 1)
        return stop_condition_net.GE([stop_condition_net.TimerGet(self.timer), self.duration_ns_blob], 1)


class ReaderWithDelay(Reader):
    """Reads from another reader, waiting `delay` seconds before each batch."""

    def __init__(self, reader: Reader, delay: float) -> None:
        super().__init__(schema=reader._schema)
        self.reader, self.delay = reader, delay

    def setup_ex(self, global_init_net: Net, global_finish_net: Net) -> None:
        """Append the set-up of the reader."""
        self.reader.setup_ex(global_init_net, global_finish_net)

    def read_ex(self, local_init_net: Net, local_finish_net: Net) -> Read:
        """A net that waits and reads."""
        net = Net("reader_body")
        net.Python(lambda *_: time.sleep(self.delay))([], [])
        return ([net], *self.reader.read(net))


class CompositeReader(Reader):
    """Reads a batch from each of several readers, in fields named `names`, until one of them ends."""

    def __init__(self, names: Sequence[str], readers: Sequence[Reader]) -> None:
        demand(len(names) == len(readers), f"{len(names)} names are given for {len(readers)} readers")
        super().__init__(schema=Struct(*((name, reader.schema()) for name, reader in zip(names, readers))))
        self._names, self._readers = names, readers

    def setup_ex(self, init_net: Net, finish_net: Net) -> None:
        """Append the set-up of each reader."""
        for reader in self._readers:
            reader.setup_ex(init_net, finish_net)

    def read_ex(self, local_init_net: Net, local_finish_net: Net) -> Read:
        """The nets of each reader; the blob that the last one says to stop with is set for all of them."""
        parts = [reader.read_record_ex(local_init_net, local_finish_net) for reader in self._readers]
        should_stop = parts[-1][1]
        nets: list[Any] = []
        for name, (read_nets, stop, _) in zip(self._names, parts):
            nets += read_nets
            if stop != should_stop:
                stop_net = Net(f"{name}_stop")
                stop_net.Or([should_stop, stop], should_stop)
                nets.append(stop_net)
        return nets, should_stop, [blob for _, _, record in parts for blob in record.field_blobs()]

    def reset(self, net: Net) -> None:
        """Append what has each reader begin anew."""
        for reader in self._readers:
            reader.reset(net)


class CompositeReaderBuilder(ReaderBuilder):
    """Makes a CompositeReader of the readers that several builders make."""

    def __init__(self, names: Sequence[str], reader_builders: Sequence[ReaderBuilder]) -> None:
        self._names, self._reader_builders = names, reader_builders
        self._schema = Struct(*((name, builder.schema()) for name, builder in zip(names, reader_builders)))

    def schema(self) -> Struct:
        """The schema of all readers under their names."""
        return self._schema

    def setup(self, **kwargs: Any) -> dict[Any, Any]:
        """The set-up of each builder; what they return, as one dict. Raises Misuse where two return the same.

        limiter: goes to the last builder alone: it counts batches of which every reader has a part.
        """
        limiter = kwargs.pop("limiter", None)
        finished: dict[Any, Any] = {}
        for builder in self._reader_builders:
            last = builder is self._reader_builders[-1]
            own = builder.setup(**kwargs, **({"limiter": limiter} if last and limiter is not None else {}))
            for twice in (finished.keys() & own.keys(), set(finished.values()) & set(own.values())):
                demand(not twice, f"two builders of readers return {twice}")
            finished.update(own)
        return finished

    def new_reader(self, **kwargs: Any) -> CompositeReader:
        """A further reader over one of each builder."""
        made = CompositeReader(self._names, [_reader(b.new_reader(**kwargs)) for b in self._reader_builders])
        demand(made.schema() == self._schema, f"the readers have the schema {made.schema()}, not {self._schema}")
        return made


def _reader(made: Any) -> Reader:
    if isinstance(made, Reader):
        return made
    if not hasattr(made, "reader"):
        raise ValueError(f"reader must be an instance of Reader or Pipe, not a {type(made).__name__}")
    return made.reader()
