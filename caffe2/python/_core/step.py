"""Execution steps: nets, or steps, to run one after another, concurrently or repeatedly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from caffe2.proto import caffe2_pb2
from caffe2.python._core.blob_reference import BlobReference, ScopedName
from caffe2.python._core.net import Net
from caffe2.python._core.net_names import Builder, take_name
from caffe2.python._misuse import demand

StepDef = caffe2_pb2.ExecutionStep


def get_net_name(netlike: Any) -> Any:
    """The name of a Net or a NetDef; anything else is taken for the name itself."""
    if isinstance(netlike, Net):
        return netlike.Name()
    return netlike.name if isinstance(netlike, caffe2_pb2.NetDef) else netlike


def _add_net_to_dict(net_dict: dict[str, Net | None], net: Any) -> bool:
    """Note a net under its name; whether it is new. Raises Misuse where another has that name."""
    name = get_net_name(net)
    if name in net_dict:
        demand(net_dict[name] is None or net is net_dict[name], f"Different nets with same name: {name}")
        return False
    net_dict[name] = net if isinstance(net, Net) else None
    return True


class ExecutionStep:
    """A step over nets or over substeps, not both. Once it is part of a plan or another step it is settled."""

    _step_names_used: ClassVar[set[str]] = set()

    def __init__(self, name: str | None, nets: Any = None, num_iter: int | None = None) -> None:
        self._step = StepDef(name=name or self._get_next_step_name("step"))
        self._net_dict: dict[str, Net | None] = {}
        self._is_used = False
        self._substeps: list[ExecutionStep] = []
        for net in [nets] if isinstance(nets, Net) else nets or ():
            if _add_net_to_dict(self._net_dict, net):
                self._step.network.append(get_net_name(net))
        if num_iter is not None:
            self._step.num_iter = num_iter

    @staticmethod
    def _get_next_step_name(basename: str) -> str:
        return take_name(basename, ExecutionStep._step_names_used)

    def get_net(self, name: str) -> Net | None:
        """The net of a name, of this step or one within."""
        return self._net_dict[name]

    def Name(self) -> str:
        """The name of the step."""
        return self._step.name

    def __str__(self) -> str:
        return self._step.name

    def Proto(self) -> StepDef:
        """The ExecutionStep message itself."""
        return self._step

    def HasNets(self) -> bool:
        """Whether it runs nets."""
        return len(self._step.network) > 0

    def HasSubsteps(self) -> bool:
        """Whether it runs substeps."""
        return len(self._step.substep) > 0

    def Nets(self) -> list[Net | None]:
        """The nets of this step and of those within."""
        return list(self._net_dict.values())

    def Substeps(self) -> list[ExecutionStep]:
        """The substeps that were added as such."""
        return self._substeps

    def get_all_attributes(self, name: str) -> list[Any]:
        """The objects held under a name by any of the nets."""
        return [attribute for net in self._net_dict.values() for attribute in net.get_attributes(name)]

    def _assert_can_mutate(self) -> None:
        demand(not self._is_used, "Cannot mutate a step that has already been added to a plan/step.")

    def _notify_is_used(self) -> None:
        self._is_used = True

    def _set(self, **fields: Any) -> None:
        self._assert_can_mutate()
        for field, value in fields.items():
            setattr(self._step, field, value)

    def SetIter(self, num_iter: int) -> None:
        """Run `num_iter` times."""
        self._set(num_iter=num_iter)

    def SetCreateWorkspace(self, create_workspace: bool) -> None:
        """Run in a workspace of its own, whose parent is the one around."""
        self._set(create_workspace=create_workspace)

    def SetNumConcurrentInstances(self, num_concurrent_instances: int) -> None:
        """Run that many instances at once."""
        self._set(num_concurrent_instances=num_concurrent_instances)

    def SetOnlyOnce(self, only_once: bool) -> None:
        """Run once, however often the step around is repeated."""
        self._set(only_once=only_once)

    def SetShouldStopBlob(self, should_stop_blob: BlobReference) -> None:
        """Repeat until the blob, one boolean, is true."""
        demand(isinstance(should_stop_blob, BlobReference), f"expects BlobReference here, got {should_stop_blob!r}")
        self._set(should_stop_blob=str(should_stop_blob))

    def RunEveryMillis(self, interval: int) -> None:
        """Run every `interval` milliseconds while the steps beside it run, and once more when they are through."""
        self._step.run_every_ms = interval

    def SetReportNet(self, report_net: Any, report_interval: int) -> None:
        """Run a net every `report_interval` seconds meanwhile; RunEveryMillis is the newer way."""
        self._set(report_net=get_net_name(report_net), report_interval=report_interval)
        _add_net_to_dict(self._net_dict, report_net)

    def SetConcurrentSubsteps(self, concurrent_substeps: bool) -> None:
        """Run the substeps at once instead of in order."""
        demand(not self.HasNets(), "Cannot have both network and substeps.")
        self._set(concurrent_substeps=concurrent_substeps)

    def AddSubstep(self, substep: ExecutionStep | StepDef) -> ExecutionStep:
        """Append a step; one without nets and steps is left out. Returns this step."""
        self._assert_can_mutate()
        demand(not self.HasNets(), "Cannot have both network and substeps.")
        if isinstance(substep, ExecutionStep):
            substep._notify_is_used()
            if not substep.HasNets() and not substep.HasSubsteps():
                return self
            for net in substep.Nets():
                _add_net_to_dict(self._net_dict, net)
            self._substeps.append(substep)
        self._step.substep.append(substep.Proto() if isinstance(substep, ExecutionStep) else substep)
        return self

    def AddNet(self, net: Net) -> ExecutionStep:
        """Append a net. Returns this step."""
        self._assert_can_mutate()
        demand(not self.HasSubsteps(), "Cannot have both network and substeps.")
        demand(isinstance(net, Net), f"a step runs nets, not a {type(net).__name__}")
        _add_net_to_dict(self._net_dict, net)
        self._step.network.append(net.Name())
        return self

    @classmethod
    def create_from_proto(
        cls, step_proto: StepDef, net_obj_dict: dict[str, Net], net_proto_dict: dict[str, caffe2_pb2.NetDef]
    ) -> ExecutionStep:
        """The step that a message describes, of nets in `net_obj_dict`, or made from `net_proto_dict` into it."""
        demand(isinstance(step_proto, StepDef), f"expected an ExecutionStep message, not a {type(step_proto).__name__}")
        demand(
            bool(step_proto.network) != bool(step_proto.substep),
            f"step {step_proto.name!r} has both nets and steps, or none",
        )
        parts: list[Any] = [cls.create_from_proto(s, net_obj_dict, net_proto_dict) for s in step_proto.substep]
        for name in step_proto.network:
            if name not in net_obj_dict:
                demand(
                    name in net_proto_dict, f"step {step_proto.name!r} runs net {name!r}, which the plan does not hold"
                )
                net_obj_dict[name] = Net(net_proto_dict[name])
            parts.append(net_obj_dict[name])
        options = {field: getattr(step_proto, field) for field in OPTIONS if step_proto.HasField(field)}
        if "should_stop_blob" in options:
            options["should_stop_blob"] = BlobReference(options["should_stop_blob"])
        return execution_step(step_proto.name, parts, **options)


OPTIONS = (
    "num_iter",
    "concurrent_substeps",
    "should_stop_blob",
    "only_once",
    "num_concurrent_instances",
    "create_workspace",
    "run_every_ms",
)
"""What a step may say beside its parts; report nets are not carried over."""


def execution_step(
    default_name: str | None,
    steps_or_nets: Any,
    num_iter: int | None = None,
    report_net: Any = None,
    report_interval: int | None = None,
    concurrent_substeps: bool | None = None,
    should_stop_blob: BlobReference | None = None,
    only_once: bool | None = None,
    num_concurrent_instances: int | None = None,
    create_workspace: bool = False,
    run_every_ms: int | None = None,
) -> ExecutionStep:
    """A step over a net, a step, a list of either, or None.

    It runs `num_iter` times, or until `should_stop_blob`, looked at after every part, is true; without either, once.
    The rest is as said by the setters of ExecutionStep.
    """
    demand(should_stop_blob is None or num_iter is None, "Cannot set both should_stop_blob and num_iter.")
    demand(report_net is None or report_interval is not None, "a report net needs a report_interval")
    step = ExecutionStep(default_name, num_iter=1 if should_stop_blob is None and num_iter is None else num_iter)
    if should_stop_blob is not None:
        step.SetShouldStopBlob(should_stop_blob)
    if only_once is not None:
        step.SetOnlyOnce(only_once)
    if concurrent_substeps is not None:
        step.SetConcurrentSubsteps(concurrent_substeps)
    if report_net is not None:
        step.SetReportNet(report_net, report_interval)
    if num_concurrent_instances is not None:
        step.SetNumConcurrentInstances(num_concurrent_instances)
    if create_workspace:
        step.SetCreateWorkspace(True)
    if run_every_ms:
        step.RunEveryMillis(run_every_ms)
    for part in _parts(steps_or_nets):
        step.AddNet(part) if isinstance(part, Net) else step.AddSubstep(part)
    return step


def _parts(steps_or_nets: Any) -> Iterator[Net | ExecutionStep]:
    if isinstance(steps_or_nets, (Net, ExecutionStep)):
        yield steps_or_nets
    elif isinstance(steps_or_nets, list):
        nets = all(isinstance(part, Net) for part in steps_or_nets)
        yield from steps_or_nets if nets else map(to_execution_step, steps_or_nets)
    elif steps_or_nets:
        raise ValueError(
            f"steps_or_nets must be a step, a net, or a list of nets or steps, not a {type(steps_or_nets).__name__}"
        )


def to_execution_step(step_or_nets: Any, default_name: str | None = None) -> ExecutionStep:
    """A step as it is, or one over nets or over what a NetBuilder made, named after it."""
    if isinstance(step_or_nets, ExecutionStep):
        return step_or_nets
    name = default_name or getattr(step_or_nets, "name", None)
    if isinstance(step_or_nets, Builder):
        return execution_step(name, step_or_nets.get(), should_stop_blob=step_or_nets._stop_blob)
    return execution_step(name, step_or_nets)


def scoped_execution_step(name: str | None, *args: Any, **kwargs: Any) -> ExecutionStep:
    """execution_step under the current name scope."""
    return execution_step(ScopedName(name) if name else name, *args, **kwargs)


def output_to_list(op_output: Any) -> list[BlobReference]:
    """What an operator's creation returned as a list: of one where it was one reference."""
    demand(isinstance(op_output, (list, tuple, BlobReference)), f"expected references to blobs, not {op_output!r}")
    return [op_output] if isinstance(op_output, BlobReference) else list(op_output)
