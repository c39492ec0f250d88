"""Nets, steps, tasks and jobs as text to read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from caffe2.proto.caffe2_pb2 import NetDef, OperatorDef
from caffe2.python._net_printer.expression import call, format_argument, format_device_option
from caffe2.python._net_printer.visitor import Visitor, parts
from caffe2.python.checkpoint import Job
from caffe2.python.core import ExecutionStep, Net
from caffe2.python.task import Task, TaskGroup, TaskOutput


class Text:
    """Lines of text, indented by the contexts that they stand in."""

    def __init__(self) -> None:
        self._indent = 0
        self.lines: list[str] = []

    @contextmanager
    def context(self, text: str | None) -> Iterator[None]:
        """Put what is added within under `with text:`, or under nothing for None."""
        if text is None:
            yield
            return
        self.add(f"with {text}:")
        self._indent += 4
        before = len(self.lines)
        yield
        if len(self.lines) == before:
            self.add("pass")
        self._indent -= 4

    def add(self, text: str) -> None:
        """Add a line."""
        self.lines.append(" " * self._indent + text)

    def __str__(self) -> str:
        return "\n".join(self.lines)


class Printer(Visitor, Text):
    """Writes what it visits: operators as calls on their net if `c2_syntax`, else as calls with their outputs before.

    With `factor_prefixes`, what names begin with alike is written once.
    """

    def __init__(self, factor_prefixes: bool = False, c2_syntax: bool = True) -> None:
        super().__init__()
        self.factor_prefixes = factor_prefixes
        self.c2_syntax = c2_syntax
        self.c2_net_name: str | None = None


@Printer.register(OperatorDef)
def print_op(text: Printer, op: OperatorDef) -> None:
    args: list[Any] = [(arg.name, format_argument(arg)) for arg in op.arg]
    device = format_device_option(op.device_option)
    if device:
        args.append(("device_option", device))
    if text.c2_net_name:
        text.add(call(f"{text.c2_net_name}.{op.type}", [list(op.input), list(op.output), *args]))
    else:
        text.add(call(op.type, [*op.input, *args], op.output, factor_prefixes=text.factor_prefixes))
    for arg in op.arg:
        if arg.HasField("n"):
            with text.context(f"arg: {arg.name}"):
                text(arg.n)


@Printer.register(NetDef)
def print_net_def(text: Printer, net_def: NetDef) -> None:
    if text.c2_syntax:
        text.add(call("core.Net", [f"'{net_def.name}'"], [net_def.name]))
        text.c2_net_name = net_def.name
    else:
        text.add(f"# net: {net_def.name}")
    for op in net_def.op:
        text(op)
    if text.c2_syntax:
        text.c2_net_name = None


@Printer.register(Net)
def print_net(text: Printer, net: Net) -> None:
    text(net.Proto())


@Printer.register(ExecutionStep)
def print_step(text: Printer, step: ExecutionStep) -> None:
    proto = step.Proto()
    context, named = _step_context(step)
    with text.context(context):
        if proto.report_net:
            with text.context(call("report_net", [proto.report_interval])):
                text(step.get_net(proto.report_net))
        for part in parts(step):
            with text.context(_part_context(part, named)):
                text(part)
                if proto.should_stop_blob:
                    text.add(call("yield stop_if", [proto.should_stop_blob]))


def _step_context(step: ExecutionStep) -> tuple[str | None, bool]:
    """What a step stands under, and whether its substeps are named."""
    proto = step.Proto()
    several = len(step.Substeps()) > 1
    if proto.should_stop_blob:
        return call("loop"), False
    if proto.num_iter and proto.num_iter != 1:
        return call("loop", [proto.num_iter]), False
    if proto.num_concurrent_instances > 1:
        return call("parallel", [("num_instances", proto.num_concurrent_instances)]), several
    if proto.concurrent_substeps and several:
        return call("parallel"), True
    return (call("run_once") if proto.report_net else None), False


def _part_context(part: ExecutionStep | Net, named: bool) -> str | None:
    proto = part.Proto() if isinstance(part, ExecutionStep) else None
    if proto is not None and proto.run_every_ms:
        return call("reporter", [str(part), ("interval_ms", proto.run_every_ms)])
    if not named:
        return None
    return call("workspace" if proto is not None and proto.create_workspace else "step", [str(part)])


def _output(output: TaskOutput) -> str:
    return f"Output[{', '.join(map(str, output.names))}]"


@Printer.register(Task)
def print_task(text: Printer, task: Task) -> None:
    outputs = ", ".join(map(_output, task.outputs()))
    with text.context(call("Task", [("node", task.node), ("name", task.name), ("outputs", outputs)])):
        text(task.get_step())


@Printer.register(TaskGroup)
def print_task_group(text: Printer, tg: TaskGroup, header: str | None = None) -> None:
    with text.context(header or call("TaskGroup")):
        for task in tg.tasks_by_node().tasks():
            text(task)


@Printer.register(Job)
def print_job(text: Printer, job: Job) -> None:
    text(job.init_group, "Job.current().init_group")
    text(job.epoch_group, "Job.current().epoch_group")
    with text.context("Job.current().stop_conditions"):
        for output in job.stop_conditions:
            text.add(_output(output))
    text(job.download_group, "Job.current().download_group")
    text(job.exit_group, "Job.current().exit_group")
