"""Sessions, which run nets, steps, plans, tasks and task groups."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from caffe2.python import core, workspace
from caffe2.python._misuse import Misuse, demand
from caffe2.python.task import Cluster, Task, TaskGroup, TaskOutputList, WorkspaceType


class CompiledRunnable:
    """What Session.compile gives: something that sessions of one class run."""

    def __init__(self, obj: Any, session_class: type[Session]) -> None:
        self.obj = obj
        self.session_class = session_class


class Session:
    """Runs nets, steps, plans, tasks and task groups; to be derived from. It is closed at the end of a `with` block."""

    _compiled_cache: ClassVar[dict[Any, CompiledRunnable]] = {}

    def __init__(self) -> None:
        self._open = True

    def is_open(self) -> bool:
        """Whether it still runs anything."""
        return self._open

    @classmethod
    def compile(cls, runnable: Any, workspace_type: str | None = None, setup_net_list: Any = None) -> CompiledRunnable:
        """Make a net, step, plan, task or task group ready to be run, once for each class of sessions.

        `workspace_type`, a WorkspaceType, says where it runs. A step, plan or net runs in the workspace that outlives
        it unless this says otherwise. `setup_net_list` is for sessions that run elsewhere.
        """
        if isinstance(runnable, CompiledRunnable):
            made_for = runnable.session_class.__name__
            demand(runnable.session_class is cls, f"compiled for a {made_for}, this is a {cls.__name__}")
            return runnable
        if (cls, runnable) not in Session._compiled_cache:
            group = _as_group(runnable, workspace_type)
            compiled = CompiledRunnable(cls._compile_task_group(group, setup_net_list), cls)
            Session._compiled_cache[cls, runnable] = compiled
        return Session._compiled_cache[cls, runnable]

    def run(self, runnable: Any, workspace_type: str | None = None, setup_net_list: Any = None) -> None:
        """Run what `compile` takes, or has compiled."""
        demand(self.is_open(), "Session is closed.")
        demand(runnable is not None, "Got a none runnable.")
        self._run_compiled(self.compile(runnable, workspace_type, setup_net_list).obj)

    def close(self) -> None:
        """Run nothing any more."""
        if self.is_open():
            self._do_close()
            self._open = False

    def fetch_output(self, output: Any) -> Any:
        """The value of an output."""
        raise NotImplementedError(f"{type(self).__name__} does not define fetch_output")

    def _run_compiled(self, compiled: Any) -> None:
        raise NotImplementedError(f"{type(self).__name__} does not define _run_compiled")

    @classmethod
    def _compile_task_group(cls, task_group: TaskGroup, setup_net_list: Any = None) -> Any:
        return task_group

    def _do_close(self) -> None:
        pass

    def __enter__(self) -> Session:
        demand(self._open, "Session already closed.")
        return self

    def __exit__(self, ex_type: Any, value: Any, traceback: Any) -> None:
        if ex_type is None:
            self.close()


def _as_group(runnable: Any, workspace_type: str | None) -> TaskGroup:
    if isinstance(runnable, TaskGroup):
        kinds = {runnable.workspace_type(), workspace_type} - {None}
        if len(kinds) > 1:
            raise Misuse(f"Require {workspace_type} but already have {runnable.workspace_type()}")
        runnable._workspace_type = next(iter(kinds), None)
        return runnable
    group = TaskGroup(workspace_type=workspace_type or WorkspaceType.GLOBAL)
    group.add(runnable if isinstance(runnable, Task) else Task(step=_as_step(runnable)))
    return group


def _as_step(runnable: Any) -> Any:
    if isinstance(runnable, core.ExecutionStep):
        return runnable
    if not isinstance(runnable, core.Plan):
        return core.execution_step("runnable", runnable)
    steps = runnable.Steps()
    demand(steps, f"plan {runnable} has no steps")
    return steps[0] if len(steps) == 1 else steps


class _LocalPlan(NamedTuple):
    plan: core.Plan
    outputs: TaskOutputList
    workspace_type: str | None


class LocalSession(Session):
    """Runs everything in this process, as one node, in workspace `ws` or the current one."""

    def __init__(self, ws: Any = None) -> None:
        super().__init__()
        self._ws = ws or workspace.C.Workspace.current

    @classmethod
    def _compile_task_group(cls, task_group: TaskGroup, setup_net_list: Any = None) -> _LocalPlan:
        with Cluster():
            task = task_group.to_task()
        plan = core.Plan("task_group_plan")
        plan.AddStep(task.get_step())
        return _LocalPlan(plan, task.output_list(), task.workspace_type())

    def _run_compiled(self, compiled: _LocalPlan) -> None:
        names = [str(name) for name in compiled.outputs.names()]
        for name in names:
            # Outputs outlive a private workspace when they are blobs of the one around it.
            self._ws.create_blob(name)
        compiled.outputs.set_values(list(map(core.BlobReference, names)), _fetch_func=self._fetch_output)
        private = compiled.workspace_type == WorkspaceType.PRIVATE
        task_ws = workspace.C.Workspace(self._ws) if private else self._ws
        with workspace.WorkspaceGuard(task_ws):
            task_ws.run(compiled.plan)

    def _fetch_output(self, output: Any) -> Any:
        return self._ws.blobs[str(output)].fetch()
