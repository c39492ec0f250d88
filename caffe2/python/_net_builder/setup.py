"""Builders of what runs before, after and beside tasks."""

from __future__ import annotations

from typing import Any

from caffe2.python._core.net import Net
from caffe2.python._core.step import ExecutionStep, to_execution_step
from caffe2.python._net_builder.builder import NetBuilder
from caffe2.python._task.group import TaskGroup
from caffe2.python._task.task import Task


class ReporterBuilder(NetBuilder):
    """Runs every `interval_ms` milliseconds beside the task of `net`, or without one beside the task group."""

    def __init__(self, interval_ms: int, net: Net | None = None, name: str | None = None) -> None:
        super().__init__(name)
        self._net, self.interval_ms = net, interval_ms

    def __exit__(self, etype: Any, *args: Any) -> None:
        if etype is None:
            step = to_execution_step(self)
            step.RunEveryMillis(self.interval_ms)
            if self._net:
                self._net.add_attribute(Task.REPORT_STEP, step)
            else:
                TaskGroup.current().report_step(step, interval_ms=self.interval_ms)
        super().__exit__(etype, *args)


class SetupBuilder(NetBuilder):
    """Runs once: before, as INIT, or after, as EXIT, what it is an attribute of."""

    INIT = "init"
    EXIT = "exit"

    def __init__(self, type: str, name: str | None = None) -> None:
        super().__init__(name)
        self.type = type

    def setup(self, net: Net) -> ExecutionStep | None:
        """The step to run before."""
        return to_execution_step(self) if self.type == SetupBuilder.INIT else None

    def exit(self, net: Net) -> ExecutionStep | None:
        """The step to run after."""
        return to_execution_step(self) if self.type == SetupBuilder.EXIT else None
