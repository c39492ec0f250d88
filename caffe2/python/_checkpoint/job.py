"""Jobs: what a training runs once, in every epoch, and at its end."""

from __future__ import annotations

from typing import Any

from caffe2.python import context, core
from caffe2.python._misuse import demand
from caffe2.python.task import Task, TaskGroup, TaskOutput, WorkspaceType


class Job(context.Managed):
    """Task groups that a JobRunner runs.

    init_group first, and once; epoch_group again and again, until one of the stop conditions is true at the end of an
    epoch; then download_group and exit_group. Tasks that are made within a job belong to its epoch_group.
    """

    def __init__(
        self,
        init_group: TaskGroup | None = None,
        epoch_group: TaskGroup | None = None,
        download_group: TaskGroup | None = None,
        exit_group: TaskGroup | None = None,
        stop_conditions: list[TaskOutput] | None = None,
        nodes_to_checkpoint: list[Any] | None = None,
    ) -> None:
        self.init_group = init_group or TaskGroup(workspace_type=WorkspaceType.GLOBAL)
        self.epoch_group = epoch_group or TaskGroup()
        self.download_group = download_group or TaskGroup()
        self.exit_group = exit_group or TaskGroup()
        self.stop_conditions = stop_conditions or []
        self._nodes_to_checkpoint = nodes_to_checkpoint

    def nodes_to_checkpoint(self) -> list[Any]:
        """The nodes whose blobs are saved: those of init_group, unless given."""
        return self._nodes_to_checkpoint or self.init_group.used_nodes()

    def compile(self, session_class: Any) -> None:
        """Make all groups ready for one class of sessions."""
        self._nodes_to_checkpoint = self.nodes_to_checkpoint()
        for group in ("init_group", "epoch_group", "download_group", "exit_group"):
            setattr(self, group, session_class.compile(getattr(self, group)))

    def __enter__(self) -> Job:
        super().__enter__()
        self.epoch_group.__enter__()
        return self

    def __exit__(self, *args: object) -> None:
        self.epoch_group.__exit__(*args)
        super().__exit__(*args)

    def add_stop_condition(self, output: Any) -> None:
        """Stop after an epoch at whose end this blob, or output of a task, is true."""
        if isinstance(output, core.BlobReference):
            output = Task(outputs=[output], group=self.epoch_group).outputs()[0]
        demand(isinstance(output, TaskOutput), f"a stop condition is a blob or an output, not {output!r}")
        self.stop_conditions.append(output)


def epoch_limiter(job: Job, num_epochs: int) -> None:
    """Stop a job after `num_epochs` epochs."""
    with job.init_group:
        init_net = core.Net("epoch_counter_init")
        counter = init_net.CreateCounter([], init_count=num_epochs - 1)
        Task(step=init_net)
    with job.epoch_group:
        epoch_net = core.Net("epoch_countdown")
        finished = epoch_net.CountDown(counter)
        output = Task(step=epoch_net, outputs=finished).outputs()[0]
    job.add_stop_condition(output)
