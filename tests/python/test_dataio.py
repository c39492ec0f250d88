import time

import numpy as np
import pytest

from caffe2.python import core, schema, workspace
from caffe2.python.dataio import (
    CompositeReader,
    CompositeReaderBuilder,
    CountUntil,
    PipedReaderBuilder,
    Reader,
    ReaderBuilder,
    ReaderWithLimit,
    ReaderWithTimeLimit,
    Writer,
)
from caffe2.python.dataset import Const, Dataset
from caffe2.python.net_builder import NetBuilder, ops
from caffe2.python.pipeline import NetProcessor, Output, pipe, pipe_and_output
from caffe2.python.queue_util import Queue, QueueWrapper, close_queue
from caffe2.python.record_queue import RecordQueue
from caffe2.python.session import LocalSession
from caffe2.python.task import TaskGroup, WorkspaceType


def source(ws, values, name="source"):
    net = core.Net(f"{name}_init")
    with core.NameScope(name):
        record = schema.NewRecord(net, schema.Struct(("x", np.array(values))))
    schema.FeedRecord(record, [np.array(values)], ws)
    return Dataset(record, name=name)


def target(ws, like, name="target"):
    net = core.Net(f"{name}_init")
    made = Dataset(like.clone_schema(), name=name)
    with core.NameScope(name):
        made.init_empty(net)
    ws.run(net)
    return made


def moved(values, processor=None, reader=None, **options):
    """What a pipeline writes, in order of size."""
    ws = workspace.C.Workspace()
    data = source(ws, values)
    sink = target(ws, schema.Struct(("x", np.int64)))
    with TaskGroup(WorkspaceType.GLOBAL) as group:
        pipe((reader or (lambda r: r))(data.reader()), sink.writer(), processor=processor, **options)
    LocalSession(ws).run(group)
    return sorted(ws.fetch_blob(str(sink.content().x())).tolist())


def doubled(record):
    return schema.Struct(("x", ops.Add([record.x(), record.x()])))


@pytest.mark.parametrize("options", [{}, {"num_runtime_threads": 3}, {"num_threads": 3}])
def test_records_go_through_a_processor(options):
    assert moved(range(7), doubled, **options) == [0, 2, 4, 6, 8, 10, 12]


def test_a_net_is_a_processor():
    net = core.Net("twice")
    record = net.set_input_record(schema.Struct(("x", np.int64)))
    net.Add([record.x(), record.x()], "y")
    net.set_output_record(schema.Struct(("x", core.BlobReference("y"))))
    processor = NetProcessor(net)
    assert moved(range(4), processor) == [0, 2, 4, 6] and len(processor.blob_maps()) == 1


def test_a_processor_says_to_stop():
    def until_three(record):
        return record, ops.GE([record.x(), ops.Const(np.int64([3]))])

    assert moved(range(9), until_three)[:3] == [0, 1, 2]
    assert len(moved(range(9), until_three)) < 9


@pytest.mark.parametrize("limit, expected", [(None, 6), (0, 0), (4, 4), (9, 6)])
def test_readers_with_a_limit(limit, expected):
    assert len(moved(range(6), reader=lambda r: ReaderWithLimit(r, limit))) == expected


def test_readers_with_a_time_limit():
    begun = time.monotonic()
    assert moved(range(3), reader=lambda r: ReaderWithTimeLimit(r, 60)) == [0, 1, 2]
    assert moved(range(3), reader=lambda r: ReaderWithTimeLimit(r, None)) == [0, 1, 2]
    assert time.monotonic() - begun < 30


def test_queues_between_tasks_and_outputs():
    ws = workspace.C.Workspace()
    data = source(ws, range(5))
    sink = target(ws, schema.Struct(("x", np.int64)))
    with TaskGroup(WorkspaceType.GLOBAL) as group:
        queue = pipe(data.reader(), capacity=2, processor=doubled)
        _, last = pipe_and_output(queue, sink.writer(), final_outputs=sink.content().x())
    LocalSession(ws).run(group)
    assert sorted(last.fetch().tolist()) == [0, 2, 4, 6, 8] and queue.num_readers() == 1


def test_a_reader_in_place_of_a_task():
    reader = pipe(CountUntil(3), num_threads=0, processor=lambda record: record)
    assert isinstance(reader, Reader)


@pytest.mark.parametrize(
    "make, error",
    [
        (lambda r: pipe(3), ValueError),
        (lambda r: pipe(r, 3), ValueError),
        (lambda r: pipe(r, Queue(1), capacity=3), AssertionError),
        (lambda r: pipe(r, num_threads=2, num_runtime_threads=2), AssertionError),
        (lambda r: pipe(r, Queue(1), num_threads=0), AssertionError),
        (lambda r: QueueWrapper(core.BlobReference("q")).reader(), AssertionError),
        (lambda r: Reader(schema=3), AssertionError),
        (lambda r: Reader().schema(), AssertionError),
        (lambda r: Reader().read(core.Net("n")), NotImplementedError),
        (lambda r: Writer().write(core.Net("n"), []), NotImplementedError),
        (lambda r: Reader().reset(core.Net("n")), NotImplementedError),
        (lambda r: Dataset(["a"]).reader(), AssertionError),
        (lambda r: Dataset("a"), AssertionError),
    ],
)
def test_what_does_not_fit_is_refused(make, error):
    with TaskGroup(), pytest.raises(error):
        make(source(workspace.C.Workspace(), range(2)).reader())


def test_several_readers_at_once():
    ws = workspace.C.Workspace()
    sets = [source(ws, values, name) for values, name in ((range(4), "a"), (range(10, 13), "b"))]
    reader = CompositeReader(["a", "b"], [d.reader() for d in sets])
    sink = target(ws, reader.schema())
    with TaskGroup(WorkspaceType.GLOBAL) as group:
        pipe(reader, sink.writer())
    LocalSession(ws).run(group)
    assert [len(ws.fetch_blob(str(b))) for b in sink.content().field_blobs()] == [3, 3]


class Made(ReaderBuilder):
    def __init__(self, finished):
        self.finished, self.told = finished, {}

    def schema(self):
        return schema.Struct(("iter", np.int64))

    def setup(self, **kwargs):
        self.told = kwargs
        return self.finished

    def new_reader(self, **kwargs):
        return CountUntil(3)


def test_the_last_builder_gets_the_limiter():
    builders = [Made({"a": 1}), Made({"b": 2})]
    composite = CompositeReaderBuilder(["x", "y"], builders)
    assert composite.setup(limiter="l", other=1) == {"a": 1, "b": 2}
    assert [b.told for b in builders] == [{"other": 1}, {"other": 1, "limiter": "l"}]
    assert composite.new_reader().schema().field_names() == ["x:iter", "y:iter"]
    with pytest.raises(AssertionError, match="two builders"):
        CompositeReaderBuilder(["x", "y"], [Made({"a": 1}), Made({"a": 2})]).setup()


def test_readers_are_piped():
    made = PipedReaderBuilder(Made({}), lambda reader, **kwargs: ReaderWithLimit(reader, 2))
    assert made.new_reader().num_iter == 2 and made.schema().field_names() == ["iter"]


def test_a_reader_as_a_step():
    step, fields = source(workspace.C.Workspace(), [1]).reader(core.Net("i")).execution_step("mine")
    assert step.Name() == "mine_step" and fields.field_names() == ["x"] and step.Proto().should_stop_blob


def test_a_data_set_is_trimmed_shuffled_and_reset():
    init, net = core.Net("init"), core.Net("read")
    data = Dataset(["x"])
    data.field_blobs = [Const(init, np.arange(5), name="x")]
    data.trim(init, multiple_of=2)
    reader = data.random_reader(init, batch_size=2)
    reader.sort_and_shuffle(init, "x", shuffle_size=2, batch_size=2)
    reader.computeoffset(init)
    stop, fields = reader.read(net)
    workspace.RunNetOnce(init)
    seen = []
    for _ in range(2):
        workspace.RunNetOnce(net)
        seen += workspace.FetchBlob(fields[0]).tolist()
    assert sorted(seen) == [0, 1, 2, 3] and not workspace.FetchBlob(stop)
    with pytest.raises(AssertionError, match="none of the fields"):
        reader.sort_and_shuffle(init, "nothing")


def test_a_record_queue():
    init = core.Net("init")
    data = Dataset(schema.Struct(("x", np.int64)))
    data.field_blobs = [Const(init, np.arange(6), name="x")]
    queue = RecordQueue(schema.Struct(("x", np.int64)), capacity=2, num_threads=2)
    reader, producer, close, _ = queue.build(data.reader(init))
    sink = Dataset(schema.Struct(("x", np.int64)), name="sink")
    sink.init_empty(init)
    writer = sink.writer(init)
    step, fields = reader.execution_step("consume")
    net = core.Net("write")
    writer.write(net, fields.field_blobs())
    workspace.RunNetOnce(init)
    both = [core.execution_step("fill", [producer, close]), step.AddNet(net)]
    workspace.RunPlan(core.execution_step("both", both, concurrent_substeps=True))
    assert sorted(workspace.FetchBlob(sink.content().x()).tolist()) == list(range(6))


def test_a_queue_is_closed_after_a_step():
    step = close_queue(core.execution_step("s", core.Net("n")), core.BlobReference("q"))
    assert step.Nets()[-1].Proto().op[0].type == "CloseBlobsQueue"


def test_outputs_come_from_nets_or_from_ops():
    with NetBuilder():
        ops.Const(1)
        with pytest.raises(AssertionError, match="Cannot both"):
            Output([core.Net("n")])
