"""Any function of torch by name: the operator ATen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from caffe2.opdef import EnforceNotMet, Op, Site, did_you_mean, element_type, op
from caffe2.proto import caffe2_pb2

RESERVED = ("operator", "overload_name", "type")
TENSOR, TENSORS = ("Tensor", "Optional[Tensor]"), ("List[Tensor]", "List[Optional[Tensor]]")


class Call:
    """One overload of a function of torch, with its attributes set and its places for tensors."""

    def __init__(self, function: Callable, given: dict[str, Any], tensors: int, device: torch.device) -> None:
        self.function, self.constants, self.names = function, {}, []
        self.tensors, self.at_list, self.unset = tensors, None, 0
        for parameter in function._schema.arguments:
            self._place(parameter, given, device)
        self.single = len(self.names) - (self.at_list is not None)

    def _place(self, parameter: Any, given: dict[str, Any], device: torch.device) -> None:
        kind, name = str(parameter.type), parameter.name
        if kind in TENSORS and self.at_list is None:
            self.at_list = len(self.names)
            self.names.append(name)
        elif kind in TENSOR and (len(self.names) < self.tensors or not parameter.has_default_value()):
            self.names.append(name)
        elif name in given:
            self.constants[name] = given[name] if name != "dtype" else element_type(given[name]).torch
        elif name == "device" and not self.tensors:
            self.constants[name] = device
        elif not parameter.has_default_value():
            raise ValueError(name)
        else:
            self.unset += 1

    def fits(self, given: dict[str, Any]) -> bool:
        """Whether every attribute has a place, and every tensor."""
        placed = self.single <= self.tensors if self.at_list is not None else self.single == self.tensors
        return placed and set(given) <= set(self.constants)

    def __call__(self, *tensors: Tensor) -> Any:
        values = list(tensors)
        if self.at_list is not None:
            spare = len(values) - self.single
            values[self.at_list : self.at_list + spare] = [values[self.at_list : self.at_list + spare]]
        return self.function(**dict(zip(self.names, values)), **self.constants)


def attribute(message: caffe2_pb2.Argument) -> Any:
    """The value of an argument that may be a number, a string or a list of one of these."""
    for field in ("i", "f"):
        if message.HasField(field):
            return getattr(message, field)
    if message.HasField("s"):
        return message.s.decode()
    return list(message.ints) or list(message.floats) or [s.decode() for s in message.strings]


def resolve(name: str, overload: str, given: dict[str, Any], tensors: int, device: torch.device) -> Call:
    """The overload of a function that takes these attributes and as many tensors; of several the most specific.

    Raises EnforceNotMet where there is no such function, or none of its overloads fits.
    """
    packet = None if name.endswith(("_out", "_")) else getattr(torch.ops.aten, name, None)
    if packet is None:
        raise EnforceNotMet(f"torch has no function {name!r}{did_you_mean(name, dir(torch._C._VariableFunctions))}")
    found = []
    for each in packet.overloads():
        function = getattr(packet, each)
        writes = any(p.is_out or (p.alias_info and p.alias_info.is_write) for p in function._schema.arguments)
        if writes or (overload and each != overload):
            continue
        try:
            call = Call(function, given, tensors, device)
        except ValueError:  # it wants an attribute that is not given
            continue
        if call.fits(given):
            found.append(call)
    if not found:
        known = "; ".join(str(getattr(packet, each)._schema) for each in packet.overloads() if "out" not in each)
        raise EnforceNotMet(f"{name} with {tensors} tensors and the attributes {sorted(given)} is none of: {known}")
    return min(found, key=lambda call: call.unset)


@op("ATen: *inputs -> *outputs", view=True)
class ATen(Op):
    """The function of torch named by `operator`, with the inputs as its tensors and other arguments as its attributes.

    Attributes bear the names of torch's parameters. Where the function takes a list of tensors, that takes the inputs
    which its other tensors leave. A number or a truth value that the function returns becomes a tensor without
    dimensions.

    inputs: the tensors that the function takes, in order.
    outputs: what it returns; a list of tensors is as many outputs.
    operator: the name of the function: add, sum, index_select ...
    overload_name: which overload of the function, where there are several that fit: Scalar in add.Scalar.

    The argument `type` is the element type of a function that makes a tensor from nothing.
    """

    operator: str
    overload_name: str = ""

    def bind(self, site: Site) -> None:
        given = {a.name: attribute(a) for a in site.op.arg if a.name not in RESERVED}
        kind = next((a.s.decode() for a in site.op.arg if a.name == "type"), "")
        if kind and not site.inputs:
            given["dtype"] = kind
        self.call = resolve(self.operator, self.overload_name, given, len(site.inputs), site.device)
        self.device = site.device

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        answer = self.call(*inputs)
        answers = answer if isinstance(answer, (tuple, list)) else (answer,)
        return tuple(a.contiguous() if isinstance(a, Tensor) else self.number(a) for a in answers)

    def number(self, value: Any) -> Tensor:
        """A number as a tensor, a truth as 0 or 1."""
        return torch.tensor(int(value) if isinstance(value, bool) else value, device=self.device)
