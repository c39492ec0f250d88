"""Nets: a NetDef bound to a workspace; the simple one runs its operators in order."""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType
from typing import TYPE_CHECKING, ClassVar

from caffe2.opdef import EnforceNotMet, did_you_mean
from caffe2.proto import caffe2_pb2
from caffe2.runtime.bind import Step, bind
from caffe2.runtime.errors import NetError, located
from caffe2.runtime.generate import failed_step, generate

if TYPE_CHECKING:
    from caffe2.runtime.workspace import Workspace


class Net:
    """A NetDef whose operators are bound, run one after another.

    The first run, and each one after a feed of another type, looks at every input; later ones do not.
    """

    types: ClassVar[tuple[str, ...]] = ("", "simple", "simple_refcount")

    def __init__(self, net: caffe2_pb2.NetDef, workspace: Workspace) -> None:
        self.definition, self.name, self.workspace = net, net.name, workspace
        default = net.device_option if net.HasField("device_option") else None
        self.steps: list[Step] = []
        for index, op in enumerate(net.op):
            try:
                self.steps.append(bind(op, workspace, default))
            except EnforceNotMet as error:
                raise type(error)(f"{error}\n  operator {index} of net {net.name!r}") from error.__cause__
        self.calls = [step.run for step in self.steps]
        self.checked_calls = [step.checked for step in self.steps]
        self._seen = -1
        self._generated: tuple[Callable[[], None], CodeType] | None = None

    def run(self) -> None:
        """Run every operator once. Raises the error of the first that fails, located."""
        seen = self.workspace.changes.count
        if seen == self._seen:
            self._run_generated()
        else:
            self.run_calls(self.checked_calls)
            self._seen = seen

    def _run_generated(self) -> None:
        if self._generated is None:
            self._generated = generate(self.steps)
        run, code = self._generated
        try:
            run()
        except Exception as error:
            raise self.locate(error, failed_step(error, code)) from error.__cause__

    def run_calls(self, calls: list[Callable[[], None]]) -> None:
        """Run closures, one for each operator."""
        call = None
        try:
            for call in calls:
                call()
        except Exception as error:
            raise self.locate(error, calls.index(call)) from error.__cause__

    def locate(self, error: Exception, index: int) -> Exception:
        """The error of operator `index`, told with its place in this net."""
        step = self.steps[index]
        self.workspace.failed_position = index
        return located(error, step, f"operator {index} of net {self.name!r} on {step.device}")


NET_TYPES: dict[str, type[Net]] = {name: Net for name in Net.types}
"""Executors by the type that a NetDef asks for; others add themselves."""


def make_net(net: caffe2_pb2.NetDef, workspace: Workspace) -> Net:
    """Bind a net with the executor that it asks for. Raises NetError for an unknown type or broken wiring."""
    kind = NET_TYPES.get(net.type)
    if kind is None:
        raise NetError(f"net {net.name!r}: no executor is named {net.type!r}{did_you_mean(net.type, NET_TYPES)}")
    _check_wiring(net)
    return kind(net, workspace)


def _check_wiring(net: caffe2_pb2.NetDef) -> None:
    """Every blob read must be a declared input, if any is, or written before; declared outputs must be made."""
    known, due = set(net.external_input), set(net.external_output) - set(net.external_input)
    for index, op in enumerate(net.op):
        for name in op.input:
            if name not in known and net.external_input:
                raise NetError(
                    f"net {net.name!r}: operator {index} ({op.type}) reads {name!r},"
                    " which is no external input of the net and which no operator before it writes"
                )
        known.update(op.output)
        due.difference_update(op.output)
    if due:
        raise NetError(f"net {net.name!r} declares outputs that no operator writes: {' '.join(sorted(due))}")
