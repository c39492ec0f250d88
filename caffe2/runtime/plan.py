"""Plans: execution steps that run nets in order, again and again, or side by side."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Iterator

import torch

from caffe2.opdef import EnforceNotMet, did_you_mean
from caffe2.proto import caffe2_pb2
from caffe2.runtime.blob import Blob, describe
from caffe2.runtime.errors import PlanError
from caffe2.runtime.net import Net
from caffe2.runtime.threads import Crew
from caffe2.runtime.workspace import Workspace

logger = logging.getLogger(__name__)

GoesOn = Callable[[], bool]


def run_plan(plan: caffe2_pb2.PlanDef, workspace: Workspace) -> None:
    """Run the steps of a plan in order; each is bound when those before it have run.

    Raises PlanError for a plan that contradicts itself, and the first error of an operator or of binding.
    """
    shared = _Shared(plan, workspace)
    for step in plan.execution_step:
        _Runner(step, workspace, lambda: True, shared).run()


class BackgroundPlan:
    """A plan that runs on a thread of its own; the thread does not keep the process alive."""

    def __init__(self, plan: caffe2_pb2.PlanDef, workspace: Workspace) -> None:
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(plan, workspace), daemon=True, name=f"plan {plan.name}")
        self._thread.start()

    def _run(self, plan: caffe2_pb2.PlanDef, workspace: Workspace) -> None:
        try:
            run_plan(plan, workspace)
        except BaseException as error:
            self.error = error
            logger.error("plan %r in the background failed: %s", plan.name, error)

    def is_done(self) -> bool:
        """Whether the plan has ended."""
        return not self._thread.is_alive()

    def is_succeeded(self) -> bool:
        """Whether the plan has ended without an error. Raises PlanError while it runs."""
        if not self.is_done():
            raise PlanError("the plan in the background still runs: ask is_done() first")
        return self.error is None


class _Shared:
    """What all steps of one run of a plan share: its nets, and numbers for the workspaces they make."""

    def __init__(self, plan: caffe2_pb2.PlanDef, workspace: Workspace) -> None:
        self.nets = {net.name: net for net in plan.network}
        if len(self.nets) < len(plan.network):
            names = [net.name for net in plan.network]
            twice = sorted({name for name in names if names.count(name) > 1})
            raise PlanError(f"plan {plan.name!r} has several nets of the same name: {' '.join(twice)}")
        self.stale = self.nets.keys() & set(workspace.net_names())
        self.numbers = itertools.count()

    def net(self, name: str, workspace: Workspace, step: caffe2_pb2.ExecutionStep) -> Net:
        """The net of a name, made on a workspace; one from before the plan is replaced, once."""
        if name not in self.nets:
            known = did_you_mean(name, self.nets)
            raise PlanError(f"step {step.name!r} runs the net {name!r}, which the plan does not hold{known}")
        if name in self.stale or name not in workspace.net_names():
            self.stale = self.stale - {name}
            workspace.create_net(self.nets[name], overwrite=True)
        return workspace.net(name)

    def child(self, workspace: Workspace) -> Workspace:
        """A workspace within another, with a number of its own where a blob NODE_ID says that a run is distributed."""
        made = Workspace(workspace)
        node = made.find("NODE_ID")
        if node is not None and node.value is not None:
            number = next(self.numbers) + (int(node.value) << 16)
            made.local("GLOBAL_WORKSPACE_ID").value = torch.tensor(number, dtype=torch.int32)
        return made


class _Runner:
    """A step, bound once, or, with a workspace of its own, anew for every run."""

    def __init__(self, step: caffe2_pb2.ExecutionStep, workspace: Workspace, goes_on: GoesOn, shared: _Shared) -> None:
        self.step = step
        self._bind = lambda: _Bound(step, workspace, goes_on, shared)
        self._kept = None if step.create_workspace else self._bind()
        self._running: list[_Bound] = []

    def run(self) -> None:
        bound = self._kept or self._bind()
        self._running.append(bound)
        try:
            bound.run()
        finally:
            self._running.remove(bound)

    def cancel(self) -> None:
        for bound in list(self._running):
            bound.cancel()


class _Bound:
    """A step on its workspace: nets or substeps, and what runs beside them at intervals."""

    def __init__(self, step: caffe2_pb2.ExecutionStep, workspace: Workspace, goes_on: GoesOn, shared: _Shared) -> None:
        _demand_sense(step)
        self.step, self.failed = step, threading.Event()
        self.workspace = shared.child(workspace) if step.create_workspace else workspace
        self.concurrent = (step.concurrent_substeps and len(step.substep) > 1) or step.num_concurrent_instances > 1
        self.goes_on: GoesOn = lambda: not self.failed.is_set() and goes_on()
        runners = [_Runner(substep, self.workspace, self.goes_on, shared) for substep in step.substep]
        self.substeps = [r for r in runners if not r.step.HasField("run_every_ms")]
        self.nets = [shared.net(name, self.workspace, step) for name in step.network]
        self.beside = [(r.step.run_every_ms / 1000, r.run) for r in runners if r.step.HasField("run_every_ms")]
        self.stop = self.workspace.require(step.should_stop_blob) if step.HasField("should_stop_blob") else None
        self._cancelled = [*runners, *self.nets]
        if step.HasField("report_net"):
            report = shared.net(step.report_net, self.workspace, step)
            self.beside.append((step.report_interval, report.run))
            self._cancelled.append(report)

    def run(self) -> None:
        if not self.beside:
            self._iterate()
            return
        with Crew(self.fail) as crew:
            done = threading.Event()
            for interval, call in self.beside:
                crew.start(_repeated, call, interval, done)
            try:
                self._iterate()
            finally:
                done.set()

    def _iterate(self) -> None:
        parts = [runner.run for runner in self.substeps] or [net.run for net in self.nets]
        for _ in self._iterations():
            if self.concurrent and self.substeps:
                with Crew(self.fail) as crew:
                    for part in parts * max(1, self.step.num_concurrent_instances):
                        crew.start(part)
                if self._stops():
                    return
                continue
            for part in parts:
                part()
                if self._stops():
                    return

    def _iterations(self) -> Iterator[int]:
        if self.stop is None:
            limit = self.step.num_iter if self.step.HasField("num_iter") else 1
        else:
            limit = 1 if self.step.only_once else None
        return itertools.takewhile(lambda k: (limit is None or k < limit) and self.goes_on(), itertools.count())

    def _stops(self) -> bool:
        return self.stop is not None and _says_stop(self.stop)

    def fail(self) -> None:
        """Have everything below end: no further iteration begins, and who waits at a queue is woken."""
        self.failed.set()
        self.cancel()

    def cancel(self) -> None:
        self.failed.set()
        for part in self._cancelled:
            part.cancel()


def _repeated(call: Callable[[], None], interval: float, done: threading.Event) -> None:
    """Call at every interval until `done`, and once more then."""
    while not done.wait(interval):
        call()
    call()


def _says_stop(blob: Blob) -> bool:
    held = blob.value
    if held is None:
        return False
    if not isinstance(held, torch.Tensor) or held.dtype is not torch.bool or held.numel() != 1:
        raise EnforceNotMet(f"the blob {blob.name!r} that stops a step holds one boolean, not {describe(held)}")
    return bool(held)


def _demand_sense(step: caffe2_pb2.ExecutionStep) -> None:
    wrong = None
    if step.substep and step.network:
        wrong = "has both substeps and nets"
    elif step.HasField("should_stop_blob") and step.HasField("num_iter"):
        wrong = "has both should_stop_blob and num_iter"
    elif not step.HasField("should_stop_blob") and step.HasField("only_once"):
        wrong = "has only_once, which goes with should_stop_blob alone"
    elif step.HasField("report_net") and not step.HasField("report_interval"):
        wrong = "has a report_net without a report_interval"
    if wrong:
        raise PlanError(f"execution step {step.name!r} {wrong}")
