"""The contents of a task that reads records and writes them."""

from __future__ import annotations

from typing import Any

from caffe2.python import queue_util
from caffe2.python._core.net import Net
from caffe2.python._core.operators import DataType
from caffe2.python._core.step import ExecutionStep, execution_step, to_execution_step
from caffe2.python._misuse import demand
from caffe2.python.dataio import Reader, Writer
from caffe2.python.net_builder import NetBuilder, ops
from caffe2.python.task import Task

DEFAULT_QUEUE_CAPACITY = 100


class Pump:
    """The contents of a task that reads and writes."""

    def __init__(self, reader: Reader, output: Any, capacity: int | None, timer: str) -> None:
        self.reader, self.output, self.capacity, self.timer = reader, output, capacity, timer
        self.out_queue: Any = None
        self.writer: Writer | None = None

    def fill_instances(self) -> None:
        """One body, of which the task runs several instances."""
        global_init, global_exit = Net("pipe:init"), Net("pipe:exit")
        self.reader.setup_ex(global_init, global_exit)
        init, exit_net = Net("pipe:instance:init"), Net("pipe:instance:exit")
        body, timer_end = self._body(init, exit_net, global_init, global_exit, None)
        with ops.task_init():
            ops.net(global_init)
        with ops.task_instance_init():
            ops.net(init)
        ops.net(body)
        ops.net(timer_end)
        with ops.task_instance_exit():
            ops.net(exit_net)
        with ops.task_exit():
            ops.net(global_exit)

    def fill_static(self, task: Task, num_threads: int) -> None:
        """A body for each thread."""
        global_init, global_exit = Net("init"), Net("exit")
        self.reader.setup_ex(global_init, global_exit)
        steps = []
        for number in range(num_threads):
            with NetBuilder(name=f"t:{number}") as builder:
                init, exit_net = Net("init"), Net("exit")
                body, timer_end = self._body(init, exit_net, global_init, global_exit, task.name)
                for part in (init, body, timer_end, exit_net):
                    ops.net(part)
            steps.append(to_execution_step(builder))
        ops.net(global_init)
        ops.net(execution_step("body", steps, concurrent_substeps=True))
        ops.net(global_exit)

    def _body(
        self, init: Net, exit_net: Net, global_init: Net, global_exit: Net, fullname: str | None
    ) -> tuple[ExecutionStep, Net]:
        """The step that reads and writes until it is to stop, and the net that ends its timer once more."""
        nets, status, record = self.reader.read_record_ex(init, exit_net)
        init.ConstantFill([], [status], shape=[], value=False, dtype=DataType.BOOL)
        nets = list(nets)
        if record is not None:
            if self.writer is None:
                self._open(global_init, global_exit, fullname)
            nets += self.writer.write_record_ex(record, init, exit_net, status)[0]
        timer_start, timer_end = Net("timer_start"), Net("timer_end")
        timer = timer_start.TimerBegin([], counter_name=self.timer)
        timer_end.TimerEnd(timer, [])
        return execution_step("body", [timer_start, *nets, timer_end], should_stop_blob=status), timer_end

    def _open(self, global_init: Net, global_exit: Net, fullname: str | None) -> None:
        if fullname is None:
            self.out_queue, self.writer = _init_output(self.output, self.capacity, global_init, global_exit)
            return
        with NetBuilder(_fullname=fullname):  # so that the queue is not named after the thread
            self.out_queue, self.writer = _init_output(self.output, self.capacity, global_init, global_exit)


def _init_output(output: Any, capacity: int | None, global_init_net: Net, global_exit_net: Net) -> tuple[Any, Writer]:
    demand(output is None or capacity is None, "capacity would not be used.")
    if output is None:
        output = queue_util.Queue(capacity=DEFAULT_QUEUE_CAPACITY if capacity is None else capacity)
    if isinstance(output, Writer):
        queue, writer = None, output
    elif hasattr(output, "writer"):
        queue, writer = output, output.writer()
    else:
        raise ValueError(f"output must be a writer, queue or stream, not a {type(output).__name__}")
    writer.setup_ex(global_init_net, global_exit_net)
    return queue, writer
