"""Processors: functions and nets that make a record of a record, and the reader of what they make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from caffe2.python._core.blob_reference import BlobReference
from caffe2.python._core.net import Net
from caffe2.python._core.net_clone import clone_and_bind_net
from caffe2.python._misuse import demand
from caffe2.python.dataio import Reader
from caffe2.python.net_builder import NetBuilder
from caffe2.python.schema import Field, as_record
from caffe2.python.task import TaskGroup


class Output:
    """What a processor makes of a record: nets to run, another record, and a boolean blob that says to stop.

    The nets are those given, or those that it made with net_builder.ops.
    """

    def __init__(self, nets: Any = None, record: Any = None, should_stop: BlobReference | None = None) -> None:
        built = NetBuilder.current().get()
        demand(nets is None or not built, "Cannot both use `ops` syntax and return a list of nets.")
        if nets is None:
            nets = built
        self.nets = [nets] if isinstance(nets, Net) else list(nets)
        self.record = None if record is None else as_record(record)
        self.should_stop = should_stop


def normalize_processor_output(output: Any) -> Output:
    """What a processor returned, as an Output: that, a record, (record, stop blob), (nets, record, ...), or nets."""
    if isinstance(output, Output):
        return output
    if isinstance(output, Field):
        return Output(record=output)
    if isinstance(output, tuple):
        stops = len(output) == 2 and isinstance(output[0], Field) and isinstance(output[1], BlobReference)
        return Output(None, *output) if stops else Output(*output)
    return Output(output)


def make_processor(processor: Any, reader: Reader | None = None) -> Callable[[Field], Any]:
    """A function of a record: of a net, a NetProcessor; of None, the identity.

    One with `schema_func` gets a `schema` for what it makes of the records of `reader`.
    """
    if processor is None:
        return lambda record: record
    if isinstance(processor, Net):
        return NetProcessor(processor)
    if reader is not None and hasattr(processor, "schema_func"):
        processor.schema = lambda: processor.schema_func(reader)
    return processor


class ProcessingReader(Reader):
    """Reads the records that a processor makes of those of another reader."""

    def __init__(self, reader: Reader, processor: Any) -> None:
        super().__init__()
        self.reader, self.processor = reader, make_processor(processor, reader)

    def schema(self) -> Field:
        """The schema of the processor's records, where it knows."""
        return self.processor.schema()

    def setup_ex(self, init_net: Net, finish_net: Net) -> None:
        """Append the set-up of the reader."""
        self.reader.setup_ex(init_net, finish_net)

    def read_ex(self, init_net: Net, exit_net: Net) -> tuple[list[Any], BlobReference, Any]:
        """The nets of the reader and of the processor."""
        nets, status, record = self.reader.read_record_ex(init_net, exit_net)
        # The builder does not stop by `status`: a reader with a limit copies from that blob instead of handing it on.
        with NetBuilder() as builder:
            result = normalize_processor_output(self.processor(record))
        nets = [*nets, *result.nets]
        stops = [stop for stop in (result.should_stop, builder._stop_blob) if stop]
        if stops:
            stop_net = Net("stop_net")
            for stop in stops:
                stop_net.Or([status, stop], [status])
            nets.append(stop_net)
        if hasattr(self.processor, "setup"):
            init_net.add_attribute(TaskGroup.LOCAL_SETUP, self.processor)
        self._set_schema(result.record)
        return nets, status, result.record.field_blobs() if result.record else None


class NetProcessor:
    """Processes records by copies of a net, one for each thread, which has an input record and maybe an output record.

    stop_signal: a boolean blob that says to stop. thread_init_nets: nets of which a copy runs before each copy.
    """

    def __init__(
        self,
        net: Net,
        stop_signal: BlobReference | None = None,
        thread_init_nets: list[Net] | None = None,
        name: str | None = None,
    ) -> None:
        demand(isinstance(net, Net), f"expected a net, not a {type(net).__name__}")
        demand(stop_signal is None or isinstance(stop_signal, BlobReference), f"not a blob reference: {stop_signal!r}")
        self.name, self.net = name or str(net), net
        self.thread_init_nets = thread_init_nets or []
        self._stop_signal = stop_signal
        self._blob_maps: list[dict[str, str]] = []
        self._frozen = False
        self._cloned_init_nets: list[Net] = []

    def schema(self) -> Field | None:
        """The output record of the net."""
        return self.net.output_record()

    def setup(self, init_net: Net) -> list[Net]:
        """The copies of nets to run before; no more copies are made after this."""
        self._frozen = True
        nets, self._cloned_init_nets = self._cloned_init_nets, []
        return nets

    def __call__(self, rec: Field) -> Output:
        demand(not self._frozen, f"processor {self.name} is set up already")
        prefix = f"{NetBuilder.current().name}/"
        remap: dict[str, str] = {}
        for net in self.thread_init_nets:
            self._cloned_init_nets.append(clone_and_bind_net(net, f"{net}{prefix}", prefix, remap)[0])
        made, remap = clone_and_bind_net(self.net, f"{self.net}{prefix}", prefix, remap, rec)
        stop = self._stop_signal
        if stop is not None and str(stop) in remap:
            stop = BlobReference(remap[str(stop)], net=made)
        self._blob_maps.append(remap)
        return Output([made], made.output_record(), stop)

    def blob_maps(self) -> list[dict[str, str]]:
        """For each copy, the new names of the net's blobs; no more copies are made after this."""
        self._frozen = True
        return self._blob_maps
