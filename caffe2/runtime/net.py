"""Nets: a NetDef bound to a workspace; the simple one runs its operators in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from caffe2.opdef import EnforceNotMet, did_you_mean
from caffe2.proto import caffe2_pb2
from caffe2.runtime.bind import Step, bind
from caffe2.runtime.errors import NetError, located
from caffe2.runtime.generate import failed_step, generate

if TYPE_CHECKING:
    from caffe2.runtime.workspace import Workspace

Watcher = Callable[["Net", int, Callable[[], None]], Callable[[], None]]
"""Stands around an operator's closure: (net, position in it, closure) -> closure."""


class Line:
    """Operators of a net, by their positions in it, that run one after another."""

    def __init__(self, net: Net, positions: Sequence[int]) -> None:
        self.net, self.positions = net, positions
        self.steps = [net.steps[position] for position in positions]
        self.quick: Callable[[], None] = self._first
        self._watched: tuple[list[Watcher], list[Callable[[], None]]] = [], []

    def careful(self) -> None:
        """Run them, each after a look at its inputs, told to those who watch."""
        watchers = self.net.workspace.changes.watchers
        self._run([step.checked for step in self.steps] if not watchers else self._told(watchers))

    def _told(self, watchers: list[Watcher]) -> list[Callable[[], None]]:
        if self._watched[0] != watchers:
            calls = [step.checked for step in self.steps]
            for watcher in watchers:
                calls = [watcher(self.net, position, call) for position, call in zip(self.positions, calls)]
            self._watched = list(watchers), calls
        return self._watched[1]

    def _run(self, calls: list[Callable[[], None]]) -> None:
        done = 0
        try:
            for call in calls:
                call()
                done += 1
        except Exception as error:
            raise (failed := self.net.locate(error, self.positions[done])) from failed.__cause__

    def _first(self) -> None:
        """Write the function that runs them without a look at anything, for this and all later runs."""
        run, code = generate(self.steps)

        def quick() -> None:
            try:
                run()
            except Exception as error:
                position = self.positions[failed_step(error, code)]
                raise (failed := self.net.locate(error, position)) from failed.__cause__

        self.quick = quick
        quick()


class Net:
    """A NetDef whose operators are bound, run one after another.

    The first run, and each one after a feed of another type, looks at every input; later ones do not.
    """

    types: ClassVar[tuple[str, ...]] = ("", "simple", "simple_refcount", "async_simple")

    def __init__(self, net: caffe2_pb2.NetDef, workspace: Workspace) -> None:
        self.definition, self.name, self.workspace = net, net.name, workspace
        default = net.device_option if net.HasField("device_option") else None
        self.steps: list[Step] = []
        for index, op in enumerate(net.op):
            try:
                self.steps.append(bind(op, workspace, default))
            except EnforceNotMet as error:
                raise type(error)(f"{error}\n  operator {index} of net {net.name!r}") from error.__cause__
        self.line = Line(self, range(len(self.steps)))
        self._seen = -1
        self.cancelled = False

    def run(self) -> None:
        """Run every operator once. Raises the error of the first that fails, located."""
        changes = self.workspace.changes
        seen = changes.count
        if seen == self._seen:
            self.quick()
        else:
            self.careful()
            self._seen = -1 if changes.watchers else seen

    def quick(self) -> None:
        """Run every operator, without a look at anything."""
        self.line.quick()

    def careful(self) -> None:
        """Run every operator, each after a look at its inputs."""
        self.line.careful()

    def close(self) -> None:
        """Have the operators let go of threads and files; the net runs no more."""
        for step in self.steps:
            step.close()

    def cancel(self) -> None:
        """Have operators of this net that wait for others end without success: close the queues that they wait at."""
        self.cancelled = True
        for step in self.steps:
            if step.definition.blocking:
                for cell in step.inputs:
                    close = getattr(cell.value, "close", None)
                    if close is not None:
                        close()

    def locate(self, error: Exception, index: int) -> Exception:
        """The error of operator `index`, told with its place in this net."""
        step = self.steps[index]
        self.workspace.failed_position = index
        return located(error, step, f"enforce failed at operator {index} of net {self.name!r} on {step.device}")


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
