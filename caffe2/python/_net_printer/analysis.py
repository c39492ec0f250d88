"""A check that no blob is read before it is written, and that no two steps write one blob at the same time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from caffe2.proto.caffe2_pb2 import OperatorDef
from caffe2.python._misuse import demand
from caffe2.python._net_printer.visitor import Visitor, parts
from caffe2.python.checkpoint import Job
from caffe2.python.core import ExecutionStep, Net, Plan
from caffe2.python.task import Task, TaskGroup, WorkspaceType

MAX_TASK_BYTES = 2**26
"""How large a serialized task may be: what a protocol buffer of the original could be at most."""


class Analyzer(Visitor):
    """Keeps, for every node, how often each blob was written so far."""

    PREFIXES_TO_IGNORE: ClassVar[set[str]] = {"distributed_ctx_init"}

    def __init__(self) -> None:
        self.workspaces: dict[str, Counter[str]] = {}
        self.workspace_ctx: list[Counter[str]] = [Counter()]

    @property
    def workspace(self) -> Counter[str]:
        """The blobs that are in sight now."""
        return self.workspace_ctx[-1]

    @contextmanager
    def set_workspace(
        self, node: Any = None, ws: Counter[str] | None = None, do_copy: bool = False
    ) -> Iterator[Counter[str]]:
        """Look at the blobs of `ws`, of `node`, or those in sight; with `do_copy`, writes are forgotten afterwards."""
        if ws is None:
            ws = self.workspace if node is None else self.workspaces.setdefault(str(node), Counter())
        self.workspace_ctx.append(Counter(ws) if do_copy else ws)
        try:
            yield self.workspace
        finally:
            self.workspace_ctx.pop()

    def define_blob(self, blob: str) -> None:
        """Note that `blob` is written."""
        self.workspace[blob] += 1

    def need_blob(self, blob: str) -> None:
        """Raise Misuse unless `blob` was written."""
        ignored = blob.startswith(tuple(self.PREFIXES_TO_IGNORE))
        demand(ignored or blob in self.workspace, f"Blob undefined: {blob}")


@Analyzer.register(OperatorDef)
def analyze_op(analyzer: Analyzer, op: OperatorDef) -> None:
    for blob in op.input:
        analyzer.need_blob(blob)
    for blob in op.output:
        analyzer.define_blob(blob)


@Analyzer.register(Net)
def analyze_net(analyzer: Analyzer, net: Net) -> None:
    for op in net.Proto().op:
        analyzer(op)


@Analyzer.register(ExecutionStep)
def analyze_step(analyzer: Analyzer, step: ExecutionStep) -> None:
    proto = step.Proto()
    written: set[str] = set()
    with analyzer.set_workspace(do_copy=proto.create_workspace):
        if proto.report_net:
            with analyzer.set_workspace(do_copy=True):
                analyzer(step.get_net(proto.report_net))
        for inner in parts(step):
            with analyzer.set_workspace(do_copy=proto.concurrent_substeps) as seen:
                analyzer(inner)
                if proto.should_stop_blob:
                    analyzer.need_blob(proto.should_stop_blob)
            if proto.concurrent_substeps:
                new = seen.keys() - analyzer.workspace.keys()
                demand(
                    not written & new, f"Error: Blobs created by multiple parallel steps: {', '.join(written & new)}"
                )
                written |= new
    for blob in written:
        analyzer.define_blob(blob)


@Analyzer.register(Task)
def analyze_task(analyzer: Analyzer, task: Task) -> None:
    plan = Plan(task.node)
    plan.AddStep(task.get_step())
    size = plan.Proto().ByteSize()
    demand(size < MAX_TASK_BYTES, f"a serialized task has less than {MAX_TASK_BYTES} bytes, but {task.name} has {size}")
    with analyzer.set_workspace(do_copy=task.workspace_type() != WorkspaceType.GLOBAL):
        analyzer(task.get_step())


@Analyzer.register(TaskGroup)
def analyze_task_group(analyzer: Analyzer, tg: TaskGroup) -> None:
    for task in tg.tasks_by_node().tasks():
        with analyzer.set_workspace(node=task.node):
            analyzer(task)


@Analyzer.register(Job)
def analyze_job(analyzer: Analyzer, job: Job) -> None:
    analyzer(job.init_group)
    analyzer(job.epoch_group)


def analyze(obj: Any) -> None:
    """Check a job, task group, task, step or net.

    Raises Misuse where a blob is read that nothing has written, or where steps that run side by side write one blob.
    """
    Analyzer()(obj)
