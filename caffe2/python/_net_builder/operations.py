"""Operations on the innermost builder: operators by their names, branches, loops, and what surrounds a task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from caffe2.python import core, task
from caffe2.python._misuse import demand
from caffe2.python._net_builder.builder import NetBuilder
from caffe2.python._net_builder.control import RunElseNet, RunIfNet, RunWhileCondition, RunWhileNet
from caffe2.python._net_builder.steps import Loop, ReporterBuilder, RunIf, SetupBuilder, StopGuard


class Operations:
    """What to do within a NetBuilder; every operator is a method too, as on a net.

    with ops.If(cond) as c: ...            with ops.loop(10) as loop:
    with c.Elif(other): ...                    ops.stop_if(ops.GE([loop.iter(), limit]))
    with c.Else(): ...                         ops.Print(loop.iter(), [])
    """

    def net(self, net: core.Net | None = None, name: str | None = None) -> core.Net:
        """The current net, after `net` was added, or a new one was named `name`."""
        demand(name is None or net is None, "Cannot provide both `net` and `name`.")
        builder = NetBuilder.current()
        return builder.current_net(name=name) if net is None else builder.add(net)

    def __getattr__(self, op_type: str) -> Callable[..., Any]:
        if op_type.startswith("__"):
            raise AttributeError(op_type)
        if NetBuilder.current(required=False) is None:
            raise AttributeError(f"{op_type}: No active NetBuilder.")
        return getattr(self.net(), op_type)

    def task_group(self) -> task.TaskGroup:
        """A task group that runs next, on this node."""
        builder = NetBuilder.current()
        with task.Cluster(), task.Node("local"):
            return builder.add(task.TaskGroup())

    def stop(self) -> None:
        """End the current step."""
        self.stop_if(self.Const(True))

    def stop_if(self, blob: core.BlobReference) -> None:
        """End the current step if `blob` is true."""
        NetBuilder.current().stop_if(blob)

    def loop(self, iters: Any = None, name: str | None = None) -> Loop:
        """Run what is within until it is stopped or, with `iters`, a number or a blob, at most so many times."""
        return NetBuilder.current().add(Loop(iters, name=name))

    def stop_guard(self, has_stopped_blob: Any = None, name: str | None = None) -> StopGuard:
        """Run what is within once; has_stopped() of the builder tells afterwards whether it was stopped early."""
        return NetBuilder.current().add(StopGuard(has_stopped_blob=has_stopped_blob, name=name))

    def If(self, cond: Any, name: str | None = None) -> RunIf:
        """Run what is within once, if `cond` is true; Elif and Else of the builder give further branches."""
        return NetBuilder.current().add(RunIf(cond, name=name))

    def IfNet(self, cond: Any, name: str | None = None) -> RunIfNet:
        """The same with the operator If, rather than with steps."""
        return NetBuilder.current().add(RunIfNet(cond, name=name))

    def Else(self, name: str | None = None) -> RunElseNet:
        """The other branch of the IfNet right before."""
        return RunElseNet(name=name)

    def WhileNet(self, name: str | None = None) -> RunWhileNet:
        """Run what is within, which begins with a Condition, with the operator While."""
        return NetBuilder.current().add(RunWhileNet(name=name))

    def Condition(self, name: str | None = None) -> RunWhileCondition:
        """The condition of the WhileNet around: the only output of the last operator within."""
        demand(isinstance(NetBuilder.current(), RunWhileNet), "Use of Condition outside of WhileNet")
        return RunWhileCondition(name=name)

    def task_init(self) -> SetupBuilder:
        """Run what is within once, before all instances of the task."""
        return self._setup(task.Task.TASK_SETUP, SetupBuilder.INIT)

    def task_exit(self) -> SetupBuilder:
        """Run what is within once, after all instances of the task."""
        return self._setup(task.Task.TASK_SETUP, SetupBuilder.EXIT)

    def task_instance_init(self) -> SetupBuilder:
        """Run what is within before each instance of the task, after task_init."""
        return self._setup(task.Task.TASK_INSTANCE_SETUP, SetupBuilder.INIT)

    def task_instance_exit(self) -> SetupBuilder:
        """Run what is within after each instance of the task."""
        return self._setup(task.Task.TASK_INSTANCE_SETUP, SetupBuilder.EXIT)

    def local_init(self) -> SetupBuilder:
        """Run what is within once on the node, before all tasks of the group."""
        return self._setup(task.TaskGroup.LOCAL_SETUP, SetupBuilder.INIT)

    def local_exit(self, name: str | None = None) -> SetupBuilder:
        """Run what is within once on the node, after all tasks of the group."""
        return self._setup(task.TaskGroup.LOCAL_SETUP, SetupBuilder.EXIT, name)

    def _setup(self, key: str, type: str, name: str | None = None) -> SetupBuilder:
        builder = SetupBuilder(type, name)
        self.net().add_attribute(key, builder)
        return builder

    def task_reporter(self, interval_ms: int = 1000, name: str | None = None) -> ReporterBuilder:
        """Run what is within every `interval_ms` while the task runs, and at least once after it."""
        return ReporterBuilder(interval_ms, net=self.net(), name=name)

    def local_reporter(self, interval_ms: int = 1000, name: str | None = None) -> ReporterBuilder:
        """Run what is within every `interval_ms` while any task of the group runs, and at least once after them."""
        return ReporterBuilder(interval_ms, name=name)


ops = Operations()
