"""Operators that call Python functions of the program.

inputs: any tensors.
outputs: what the function writes.
token: names the function, as registered in the program.
pickled_builder: instead of a token, a pickled (make, args, kwargs): the function is make(*args, **kwargs), made once
    per net. Refused in a net that comes from elsewhere, unless the environment says CAFFE2_TRUST_PICKLED_FUNCTIONS=1.
pickled_grad_builder: the same of the function's gradient.
pass_workspace: the function is called with the workspace as a third argument.
forced_cpu_outputs: indices of outputs that stay in host memory.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from caffe2.opdef import UNKNOWN, EnforceNotMet, Gradient, NoGradient, Op, Site, gradient, op
from caffe2.runtime.access import DLPackTensor, TensorCPU
from caffe2.runtime.blob import Blob
from caffe2.runtime.functions import Function, functions


class Call(Op):
    """Shared by the operators below."""

    token: str = ""
    pickled_builder: bytes = b""
    pickled_grad_builder: bytes = b""
    pass_workspace: bool = False
    forced_cpu_outputs: tuple[int, ...] = ()

    _backward: ClassVar[bool] = False
    _view: ClassVar[type[TensorCPU]] = TensorCPU

    def bind(self, site: Site) -> None:
        self.site = site
        self.function = self._function()
        self.inputs = [site.workspace.require(name) for name in site.inputs]
        self.outputs = [site.workspace.cell(name) for name in site.outputs]

    def _function(self) -> Function:
        pickled = self.pickled_grad_builder if self._backward else self.pickled_builder
        if pickled:
            build, args, kwargs = functions.unpickled(pickled)
            return Function(build(*args, **kwargs), self.pass_workspace)
        if not self.token:
            raise EnforceNotMet(f"{self.site.op.type}: it needs the argument token, or a pickled builder of a function")
        return functions.find(self.token, self._backward)

    def __call__(self, *_: Any) -> None:
        local = self.site.device.type == "cpu" or self._view is DLPackTensor
        inputs = self.inputs if local else [_on_cpu(cell) for cell in self.inputs]
        outputs = self.outputs if local else [_on_cpu(cell) for cell in self.outputs]
        given = [list(map(self._view, inputs)), list(map(self._view, outputs))]
        if self.function.takes_workspace:
            given.append(functions.show_workspace(self.site.workspace))
        self.function.call(*given)
        for number, (cell, made) in enumerate(zip(self.outputs, outputs)):
            if made is not cell:
                stays = number in self.forced_cpu_outputs or not isinstance(made.value, torch.Tensor)
                cell.value = made.value if stays else made.value.to(self.site.device)


def _on_cpu(cell: Blob) -> Blob:
    return Blob(cell.name, cell.value.cpu() if isinstance(cell.value, torch.Tensor) else cell.value)


FACETS: dict[str, Any] = dict(inplace=None, stores=False, foreign=True, shape=UNKNOWN)
DOC = """Calls the function f(inputs, outputs) of the program that `token` names, with lists of tensors.

An input or output t has t.data, an array over its memory, t.shape, t.reshape(shape) and t.feed(array). An output keeps,
until f writes it, what it held. On another device than the CPU, f sees copies.
"""


@op("Python: *inputs -> *outputs", doc=DOC, **FACETS)
class Python(Call):
    pass


@op(
    "PythonGradient: *inputs -> *outputs",
    doc="""Calls the gradient of a function with (inputs, outputs and their gradients; gradients of inputs).""",
    **FACETS,
)
class PythonGradient(Call):
    _backward = True


@op(
    "PythonDLPack: *inputs -> *outputs",
    doc="""Python, with tensors whose `data` is a DLPack capsule over their memory, on whatever device that is.""",
    **FACETS,
)
class PythonDLPack(Call):
    _view = DLPackTensor


@op(
    "PythonDLPackGradient: *inputs -> *outputs",
    doc="""PythonGradient, with tensors whose `data` is a DLPack capsule over their memory.""",
    **FACETS,
)
class PythonDLPackGradient(Call):
    _backward = True
    _view = DLPackTensor


@gradient("Python", "PythonDLPack")
def _(g: Gradient) -> None:
    """Inputs, outputs and the gradients of all outputs, or of those in grad_output_indices, in that order."""
    indices = {a.name: list(a.ints) for a in g.forward.arg}
    of_outputs = indices.get("grad_output_indices") or range(len(g.forward.output))
    of_inputs = indices.get("grad_input_indices") or range(len(g.forward.input))
    given = [g.g_output[k] for k in of_outputs]
    if any(not isinstance(grad, str) for grad in given):
        raise NoGradient(f"{g.forward.type}: it needs a dense gradient of every output that grad_output_indices names")
    made = [f"{g.forward.input[k]}_grad" for k in of_inputs]
    g.add(f"{g.forward.type}Gradient", [*g.forward.input, *g.forward.output, *given], made)
    for k, name in zip(of_inputs, made):
        g.g_input[k] = name
