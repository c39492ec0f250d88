"""A static net as one Python function of tensors, which torch.compile fuses and a CUDA graph captures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

import torch

from caffe2.proto import caffe2_pb2
from caffe2.runtime.bind import Step
from caffe2.runtime.blob import Blob
from caffe2.runtime.errors import NetError
from caffe2.runtime.net import NET_TYPES, Net

if TYPE_CHECKING:
    from caffe2.runtime.workspace import Workspace


def as_function(steps: Sequence[Step], inputs: Sequence[Blob], outputs: Sequence[Blob]) -> Callable[..., tuple]:
    """Bound steps as a function of the inputs' values that returns the outputs' values; it touches no cell.

    Raises NetError for a step that works on the workspace itself or may wait for another.
    """
    names = {id(cell): f"v{k}" for k, cell in enumerate(inputs)}
    scope: dict[str, object] = {}
    lines = [f"def net({', '.join(names.values())}):"]
    for number, step in enumerate(steps):
        if not step.definition.stores or step.definition.blocking:
            raise NetError(f"{step.definition.header}\n  works on the workspace itself: it cannot be compiled")
        scope[f"k{number}"] = step.kernel
        lines.append(f"    {_call(number, step, names)}")
    lines.append(f"    return ({''.join(names[id(cell)] + ', ' for cell in outputs)})")
    exec(compile("\n".join(lines), "<compiled net>", "exec"), scope)
    return scope["net"]


def _call(number: int, step: Step, names: dict[int, str]) -> str:
    def read(given: Blob | tuple[Blob, ...]) -> str:
        if isinstance(given, tuple):
            return f"({''.join(read(g) + ', ' for g in given)})"
        return names.get(id(given), "None")

    call = f"k{number}({', '.join(map(read, step.parameters))})"
    written = []
    for cell in step.outputs:
        written.append(names.setdefault(id(cell), f"v{len(names)}"))
    if not written:
        return call
    single = len(step.definition.header.outputs) == 1 and not step.definition.header.outputs.run
    return f"{written[0]} = {call}" if single else f"{', '.join(written)}, *_ = {call}"


def boundary(steps: Sequence[Step]) -> tuple[list[Blob], list[Blob]]:
    """The cells that steps read before any of them writes them, and all the cells that they write."""
    read: dict[int, Blob] = {}
    written: dict[int, Blob] = {}
    for step in steps:
        for cell in step.inputs:
            if id(cell) not in written:
                read.setdefault(id(cell), cell)
        written.update((id(cell), cell) for cell in step.outputs)
    return list(read.values()), list(written.values())


class CompiledNet(Net):
    """A net that torch.compile has fused; asked for by NetDef.type "compiled".

    The first run of each kind of inputs goes operator by operator. Afterwards only the net's external outputs, where it
    declares any, and the inputs it writes are stored: the blobs between them keep their values of the first run.
    The argument `mode` is torch.compile's; "reduce-overhead" runs it as a CUDA graph.
    """

    types: ClassVar[tuple[str, ...]] = ("compiled",)

    def __init__(self, net: caffe2_pb2.NetDef, workspace: Workspace) -> None:
        super().__init__(net, workspace)
        self._inputs, written = boundary(self.steps)
        kept = {*net.external_output, *(cell.name for cell in self._inputs)} if net.external_output else None
        self._outputs = [cell for cell in written if kept is None or cell.name in kept]
        mode = next((a.s.decode() for a in net.arg if a.name == "mode"), None)
        self._function = torch.compile(as_function(self.steps, self._inputs, self._outputs), mode=mode)

    def quick(self) -> None:
        for cell, value in zip(self._outputs, self._function(*[cell.value for cell in self._inputs])):
            cell.value = value


NET_TYPES.update(dict.fromkeys(CompiledNet.types, CompiledNet))
