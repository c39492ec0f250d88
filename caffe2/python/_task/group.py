"""Groups of tasks, which run at once on one node or several."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, ClassVar

from caffe2.python._core.net import Net
from caffe2.python._core.step import ExecutionStep, execution_step, to_execution_step
from caffe2.python._misuse import demand
from caffe2.python._task.cluster import Node, WorkspaceType
from caffe2.python._task.setup import add_setup_steps, get_setup_nets
from caffe2.python._task.task import Group, Task


class TaskGroup(Group):
    """Tasks that start at once; the group is through when the last one is. Those of one node share a workspace.

        with TaskGroup() as group:
            Task(step=here)
            with Node("other"):
                Task(step=there)
        session.run(group)

    workspace_type: one of WorkspaceType, for all its tasks; by default that of the first which has one.
    """

    LOCAL_SETUP: ClassVar[str] = "local_setup"

    def __init__(self, workspace_type: str | None = None) -> None:
        self._tasks: list[Task] = []
        self._tasks_to_add: list[Task] = []
        self._already_used = False
        self._report_nets: dict[str, tuple[Net, int]] = {}
        self._report_steps: list[tuple[str, ExecutionStep]] = []
        self._workspace_type = workspace_type
        self._tasks_by_node: tuple[TaskGroup, dict[str, str]] | None = None
        self._remote_nets: list[Any] = []

    def add_remote_net(self, net: Any) -> None:
        """Note a net that runs elsewhere."""
        self._remote_nets.append(net)

    def remote_nets(self) -> list[Any]:
        """The nets noted as running elsewhere."""
        return self._remote_nets

    def workspace_type(self) -> str | None:
        """One of WorkspaceType; None as long as no task has one."""
        return self._workspace_type

    def add(self, task: Task) -> None:
        """Add a task, which cannot be changed any more. Raises Misuse where it wants another type of workspace."""
        demand(not self._already_used, "Cannot add Task to an already used TaskGroup.")
        types = self._workspace_type, task._workspace_type
        demand(None in types or types[0] == types[1], f"the group's workspace is {types[0]}, the task's {types[1]}")
        task._workspace_type = types[1] or types[0] or WorkspaceType.PRIVATE
        self._workspace_type = types[0] or task._workspace_type
        task._notify_used()
        self._tasks.append(task)

    def tasks(self) -> list[Task]:
        """The tasks; no more can be added."""
        for task in self._tasks_to_add:
            self.add(task)
        self._tasks_to_add = []
        self._already_used = True
        return self._tasks

    def num_registered_tasks(self) -> int:
        """How many tasks there are so far."""
        return len(self._tasks_to_add) + len(self._tasks)

    def used_nodes(self) -> list[str]:
        """The nodes of its tasks so far."""
        return list(dict.fromkeys(task.node for task in self._tasks + self._tasks_to_add))

    def report_step(self, step: Any = None, node: Any = None, interval_ms: int = 1000) -> None:
        """Run a step every `interval_ms` milliseconds beside the tasks of a node, and once more after them."""
        step = to_execution_step(step)
        step.RunEveryMillis(interval_ms)
        self._report_steps.append((str(node or Node.current(node)), step))

    def report_net(self, net: Net | None = None, node: Any = None, report_interval: int = 5) -> Net:
        """The net, made where none is given, that runs every so many seconds beside the tasks of a node."""
        node = str(node or Node.current(node))
        demand(net is None or node not in self._report_nets, f"node {node} has a report net")
        if node not in self._report_nets:
            self._report_nets[node] = (net or Net(f"{node}/reporter"), report_interval)
        return self._report_nets[node][0]

    def tasks_by_node(self, node_remap: Callable[[str], str] | None = None) -> TaskGroup:
        """A group of one task a node, with all that runs before, after and beside the tasks there.

        node_remap: the node on which what was meant for another is to run; the same in every call.
        """
        node_map = {task.node: node_remap(task.node) if node_remap else task.node for task in self.tasks()}
        if self._tasks_by_node is None:
            self._tasks_by_node = self._grouped(node_map), node_map
        grouped, known = self._tasks_by_node
        demand(known == node_map, "Cannot call tasks_by_node multiple times.")
        return grouped

    def _grouped(self, node_map: dict[str, str]) -> TaskGroup:
        for node, (net, interval) in self._report_nets.items():
            self.report_step(net, node=node, interval_ms=interval * 1000)
        self._report_nets = {}
        tasks: dict[str, list[Task]] = defaultdict(list)
        for task in self.tasks():
            tasks[node_map[task.node]].append(task)
        reports: dict[str, list[ExecutionStep]] = defaultdict(list)
        for node, step in self._report_steps:
            reports[node_map[node]].append(step)
        grouped = TaskGroup()
        for node in tasks:
            self._add_node(grouped, node, tasks[node], reports[node])
        return grouped

    def _add_node(self, grouped: TaskGroup, node: str, tasks: list[Task], reports: list[ExecutionStep]) -> None:
        steps = [task.get_step() for task in tasks]
        before, after = get_setup_nets(TaskGroup.LOCAL_SETUP, steps + reports, self)
        for task, step in zip(tasks, steps):
            step.SetCreateWorkspace(task.workspace_type() == WorkspaceType.PRIVATE)
        steps = reports + steps
        step = steps[0] if len(steps) == 1 else execution_step(f"{node}:body", steps, concurrent_substeps=True)
        anywhere_global = any(task.workspace_type() == WorkspaceType.GLOBAL for task in tasks)
        Task(
            node=node,
            step=add_setup_steps(step, before, after, node),
            outputs=[output for task in tasks for output in task.outputs()],
            name="grouped_by_node",
            group=grouped,
            workspace_type=WorkspaceType.GLOBAL if anywhere_global else WorkspaceType.PRIVATE,
        )

    def to_task(self, node: Any = None) -> Task:
        """One task with everything, on a node."""
        name = str(Node.current(node))
        tasks = self.tasks_by_node(lambda _: name).tasks()
        return tasks[0] if tasks else Task()

    def __repr__(self) -> str:
        tasks = self._tasks + self._tasks_to_add
        return f"TaskGroup(tasks={tasks}, workspace_type={self.workspace_type()}, remote_nets={self.remote_nets()})"
