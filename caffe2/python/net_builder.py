"""Building nets by blocks of code: `ops` creates operators on the builder around, loops, conditions and set-up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from caffe2.python._core.blob_reference import BlobReference
from caffe2.python._core.net import Net
from caffe2.python._misuse import demand
from caffe2.python._net_builder.builder import NetBuilder
from caffe2.python._net_builder.control import RunElseNet, RunIfNet, RunWhileCondition, RunWhileNet
from caffe2.python._net_builder.setup import ReporterBuilder, SetupBuilder
from caffe2.python._net_builder.steps import Loop, RunIf, StopGuard
from caffe2.python._task.cluster import Cluster, Node
from caffe2.python._task.group import TaskGroup
from caffe2.python._task.task import Task

__all__ = ["NetBuilder", "Operations", "ops"]


class Operations:
    """What can be done within a NetBuilder: `ops.Relu(...)` creates an operator on its current net.

    with NetBuilder() as builder:
        left = ops.Const(5)
        with ops.loop():
            ops.stop_if(ops.LE([left, ops.Const(0)]))
            ops.Add([left, ops.Const(-1)], [left])
    step = core.to_execution_step(builder)
    """

    def __getattr__(self, op_type: str) -> Callable[..., Any]:
        if op_type.startswith("__"):
            raise AttributeError(op_type)
        if NetBuilder.current(required=False) is None:
            raise AttributeError(f"{op_type}: no NetBuilder is active; use `with NetBuilder():`")
        return getattr(self.net(), op_type)

    def net(self, net: Net | None = None, name: str | None = None) -> Net:
        """The current net; or `net`, appended to the builder; or a new net of that name."""
        demand(name is None or net is None, "Cannot provide both `net` and `name`.")
        if net is not None:
            return NetBuilder.current().add(net)
        return NetBuilder.current().current_net(name=name)

    def task_group(self) -> TaskGroup:
        """A group of tasks on this node, to run as the next step."""
        builder = NetBuilder.current()
        with Cluster(), Node("local"):
            return builder.add(TaskGroup())

    # Steps

    def stop(self) -> None:
        """Run nothing further of the current builder."""
        self.stop_if(self.Const(True))

    def stop_if(self, blob: BlobReference) -> None:
        """Run nothing further of the current builder where a boolean blob is true by now."""
        NetBuilder.current().stop_if(blob)

    def loop(self, iters: int | BlobReference | None = None, name: str | None = None) -> Loop:
        """A block to run `iters` times, a number or a blob, or until stopped; `iter()` is the number of the run."""
        return NetBuilder.current().add(Loop(iters, name=name))

    def stop_guard(self, has_stopped_blob: BlobReference | None = None, name: str | None = None) -> StopGuard:
        """A block that may be stopped without stopping those around it; `has_stopped()` tells whether it was."""
        return NetBuilder.current().add(StopGuard(has_stopped_blob=has_stopped_blob, name=name))

    def If(self, cond: BlobReference, name: str | None = None) -> RunIf:
        """A block to run where a boolean blob is true; its `Elif` and `Else` are further blocks."""
        return NetBuilder.current().add(RunIf(cond, name=name))

    # Control operators

    def IfNet(self, cond: BlobReference, name: str | None = None) -> RunIfNet:
        """A block that becomes an If operator within a net."""
        return NetBuilder.current().add(RunIfNet(cond, name=name))

    def Else(self, name: str | None = None) -> RunElseNet:
        """The other branch of the IfNet just before."""
        return RunElseNet(name=name)

    def WhileNet(self, name: str | None = None) -> RunWhileNet:
        """A block that becomes a While operator within a net; it begins with a Condition."""
        return NetBuilder.current().add(RunWhileNet(name=name))

    def Condition(self, name: str | None = None) -> RunWhileCondition:
        """The condition of the WhileNet around it: the output of the last operator within."""
        demand(isinstance(NetBuilder.current(), RunWhileNet), "Use of Condition outside of WhileNet")
        return RunWhileCondition(name=name)

    # Around tasks

    def _setup(self, key: str, type_: str, name: str | None = None) -> SetupBuilder:
        setup = SetupBuilder(type_, name)
        self.net().add_attribute(key, setup)
        return setup

    def task_init(self) -> SetupBuilder:
        """A block to run once before the task, however many instances it has."""
        return self._setup(Task.TASK_SETUP, SetupBuilder.INIT)

    def task_exit(self) -> SetupBuilder:
        """A block to run once after all instances of the task."""
        return self._setup(Task.TASK_SETUP, SetupBuilder.EXIT)

    def task_instance_init(self) -> SetupBuilder:
        """A block to run before each instance of the task, in its workspace, after all of task_init."""
        return self._setup(Task.TASK_INSTANCE_SETUP, SetupBuilder.INIT)

    def task_instance_exit(self) -> SetupBuilder:
        """A block to run after each instance of the task, in its workspace, before all of task_exit."""
        return self._setup(Task.TASK_INSTANCE_SETUP, SetupBuilder.EXIT)

    def local_init(self) -> SetupBuilder:
        """A block to run once on each node, before any task of the group."""
        return self._setup(TaskGroup.LOCAL_SETUP, SetupBuilder.INIT)

    def local_exit(self, name: str | None = None) -> SetupBuilder:
        """A block to run once on each node, after all tasks of the group."""
        return self._setup(TaskGroup.LOCAL_SETUP, SetupBuilder.EXIT, name)

    def task_reporter(self, interval_ms: int = 1000, name: str | None = None) -> ReporterBuilder:
        """A block to run every `interval_ms` milliseconds beside the task, and once more when it is through."""
        return ReporterBuilder(interval_ms, net=self.net(), name=name)

    def local_reporter(self, interval_ms: int = 1000, name: str | None = None) -> ReporterBuilder:
        """A block to run every `interval_ms` milliseconds beside all tasks of the group, and once more afterwards."""
        return ReporterBuilder(interval_ms, name=name)


ops = Operations()
