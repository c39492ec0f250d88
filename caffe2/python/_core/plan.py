"""Plans: steps with the nets that they run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from caffe2.proto import caffe2_pb2
from caffe2.python._core.net import Net
from caffe2.python._core.step import ExecutionStep, _add_net_to_dict
from caffe2.python._misuse import demand


def add_nets_in_order(step: ExecutionStep, net_list: list[str]) -> None:
    """Append the names of the nets of a step, those within first, a report net last, that are not in the list."""
    proto = step.Proto()
    for substep in step.Substeps():
        add_nets_in_order(substep, net_list)
    reported = [proto.report_net] if proto.report_net else []
    net_list += [net for net in dict.fromkeys([*proto.network, *reported]) if net not in net_list]


class Plan:
    """Steps to be run in order, with their nets. Made of a name, or of a first step whose name it takes."""

    def __init__(self, name_or_step: str | ExecutionStep) -> None:
        if not isinstance(name_or_step, (str, ExecutionStep)):
            raise ValueError(f"name_or_step must be a string or ExecutionStep, not a {type(name_or_step).__name__}")
        self._plan = caffe2_pb2.PlanDef(name=str(name_or_step))
        self._net_dict: dict[str, Net | None] = {}
        self._steps: list[ExecutionStep] = []
        if isinstance(name_or_step, ExecutionStep):
            self.AddStep(name_or_step)

    def __str__(self) -> str:
        return self._plan.name

    def Proto(self) -> caffe2_pb2.PlanDef:
        """The PlanDef itself."""
        return self._plan

    def AddNets(self, nets: Iterable[Net]) -> None:
        """Add nets that are not there yet."""
        for net in nets:
            if _add_net_to_dict(self._net_dict, net):
                demand(isinstance(net, Net), f"a plan holds nets, not a {type(net).__name__}: {net}")
                self._plan.network.append(net.Proto())

    def Nets(self) -> list[Net | None]:
        """The nets, in order of use."""
        return list(self._net_dict.values())

    def AddStep(self, step: ExecutionStep) -> None:
        """Append a step and its nets; one that runs nothing is left out."""
        demand(isinstance(step, ExecutionStep), f"a plan runs steps, not a {type(step).__name__}")
        step._notify_is_used()
        if not step.HasNets() and not step.HasSubsteps():
            return
        self._plan.execution_step.append(step.Proto())
        self._steps.append(step)
        names: list[str] = []
        add_nets_in_order(step, names)
        self.AddNets([step.get_net(name) for name in names])

    def Steps(self) -> list[ExecutionStep]:
        """The steps, in order."""
        return self._steps

    def get_all_attributes(self, name: str) -> list[Any]:
        """The objects held under a name by any of the nets."""
        return [attribute for net in self._net_dict.values() for attribute in net.get_attributes(name)]

    @classmethod
    def create_from_proto(cls, plan_proto: caffe2_pb2.PlanDef) -> Plan:
        """The plan that a message describes; its nets get names of their own."""
        demand(isinstance(plan_proto, caffe2_pb2.PlanDef), f"expected a PlanDef, not a {type(plan_proto).__name__}")
        plan = cls(plan_proto.name)
        plan._plan.CopyFrom(plan_proto)
        plan._plan.ClearField("network")
        plan._plan.ClearField("execution_step")
        protos = {net.name: net for net in plan_proto.network}
        demand(len(protos) == len(plan_proto.network), f"plan {plan_proto.name!r} holds two nets of one name")
        made: dict[str, Net] = {}
        for step in plan_proto.execution_step:
            plan.AddStep(ExecutionStep.create_from_proto(step, made, protos))
        return plan
