"""Operators and nets run on the current workspace."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from caffe2.opdef import OperatorFailed, registry
from caffe2.proto import caffe2_pb2
from caffe2.python._workspace.names import GetNetName, StringifyNetName, borrowed, message
from caffe2.python.lazy import TriggerLazyImport
from caffe2.runtime.plan import BackgroundPlan, run_plan
from caffe2.runtime.workspaces import workspaces

logger = logging.getLogger(__name__)

operator_tracebacks: defaultdict[str, dict[int, Any]] = defaultdict(dict)
"""Where in the program each operator of each net was created, by net and position: frames (file, line, function)."""


def CallWithExceptionIntercept(
    func: Callable, op_id_fetcher: Callable[[], int], net_name: str, *args: Any, **kwargs: Any
) -> Any:
    """func(*args, **kwargs); where it raises, the place that created the failed operator is logged, if known."""
    try:
        return func(*args, **kwargs)
    except Exception:
        position = op_id_fetcher()
        frames = operator_tracebacks.get(net_name, {}).get(position)
        if frames:
            shown = "".join(f'\n  File "{f[0]}", line {f[1]}, in {f[2]}' for f in reversed(list(frames)))
            logger.warning("operator %s of net %s, which failed, was created at:%s", position, net_name, shown)
        raise


def _failed_position() -> int:
    return workspaces.current.failed_position


def RegisteredOperators() -> list[str]:
    """Names of all operators, in order."""
    return sorted(registry)


def CreateNet(net: Any, overwrite: bool = False, input_blobs: Iterable[Any] | None = None) -> bool:
    """Make a net under its name, after making empty blobs of `input_blobs`; True.

    Raises NetError where the name is taken and may not be overwritten, and the errors of binding.
    """
    TriggerLazyImport()
    definition = message(net, caffe2_pb2.NetDef)
    for name in input_blobs or ():
        workspaces.current.cell(str(name))
    make = workspaces.current.create_net
    CallWithExceptionIntercept(make, _failed_position, GetNetName(net), definition, overwrite)
    return True


def RunNet(name: Any, num_iter: int = 1, allow_fail: bool = False) -> bool:
    """Run a net made before `num_iter` times; True.

    allow_fail: answer False, instead of raising, where an operator ends without success; other errors are raised.
    """
    run = workspaces.current.run_net
    try:
        CallWithExceptionIntercept(run, _failed_position, GetNetName(name), StringifyNetName(name), num_iter)
    except OperatorFailed:
        if allow_fail:
            return False
        raise
    return True


def RunNetOnce(net: Any) -> bool:
    """Bind a net, run it once and forget it; True."""
    definition = borrowed(net, caffe2_pb2.NetDef)
    CallWithExceptionIntercept(workspaces.current.run_net_once, _failed_position, GetNetName(net), definition)
    return True


def RunOperatorOnce(operator: Any) -> bool:
    """Bind an operator, run it once and forget it; True."""
    workspaces.current.run_operator_once(borrowed(operator, caffe2_pb2.OperatorDef))
    return True


def RunOperatorMultiple(operator: Any, num_runs: int) -> bool:
    """Bind an operator once and run it `num_runs` times; True."""
    net = caffe2_pb2.NetDef(op=[message(operator, caffe2_pb2.OperatorDef)])
    bound = workspaces.current.bind_net(net)
    for _ in range(num_runs):
        bound.run()
    return True


def RunOperatorsOnce(operators: Iterable[Any]) -> bool:
    """Run operators once each, in order; True."""
    for operator in operators:
        RunOperatorOnce(operator)
    return True


def _plan(plan_or_step: Any) -> caffe2_pb2.PlanDef:
    """The plan of a core.Plan, a PlanDef or its bytes; a core.ExecutionStep becomes the only step of one."""
    if type(plan_or_step).__name__ != "ExecutionStep":
        return message(plan_or_step, caffe2_pb2.PlanDef)
    return message(import_module("caffe2.python.core").Plan(plan_or_step), caffe2_pb2.PlanDef)


def RunPlan(plan_or_step: Any) -> bool:
    """Run a plan, or one execution step as a plan; True. Raises the first error of an operator."""
    run_plan(_plan(plan_or_step), workspaces.current)
    return True


def RunPlanInBackground(plan_or_step: Any) -> BackgroundPlan:
    """Start a plan on a thread of its own: ask is_done(), then is_succeeded()."""
    return BackgroundPlan(_plan(plan_or_step), workspaces.current)
