"""Definitions of operators: the @op decorator, the facets that hang under a header, and the registry."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from caffe2.opdef.arguments import Arg, read_arguments
from caffe2.opdef.dtypes import GROUPS
from caffe2.opdef.errors import SchemaError, UnknownOperator, did_you_mean
from caffe2.opdef.header import Header, Slot, parse
from caffe2.proto import caffe2_pb2


class _Word(str):
    """A named constant that prints as itself."""

    def __repr__(self) -> str:
        return str(self)


NONE = _Word("NONE")
"""gradient=NONE: gradients stop here, silently."""
REFUSED = _Word("REFUSED")
"""gradient=REFUSED: asking for a gradient through this operator is an error."""
UNKNOWN = _Word("UNKNOWN")
"""shape=UNKNOWN: only the data can tell the shapes of the outputs."""


class InPlace(NamedTuple):
    """`output` may, or must, be the blob `input`."""

    input: str
    output: str
    forced: bool


@dataclass(frozen=True)
class OpDef:
    """All there is to say about one operator."""

    header: Header
    body: Callable
    args: dict[str, Arg]
    inplace: tuple[InPlace, ...] | None = ()  # None: any output may overwrite any input
    gradient: Any = None
    host: frozenset[str] = frozenset()  # blobs that live in host memory whatever the device
    stores: bool = True  # False: the body writes its own blobs
    mutates: bool = False  # the body overwrites the inputs that `inplace` names
    over: Callable | None = None  # the body, writing over the input that the first rule of `inplace` names
    view: bool = False  # the body may answer a view of an input
    shares: bool = False  # an output is meant to share the storage of an input
    blocking: bool = False  # may wait for another operator
    random: bool = False  # draws random numbers
    empty: bool = False  # its inputs may be blobs that hold nothing
    foreign: bool = False  # runs a user's code: errors raised by it keep their class
    like: tuple[str, ...] = ()  # inputs whose shapes and types the outputs take
    shape: Any = None  # a function of metas, UNKNOWN, or None: the body on meta tensors
    types: dict[str, frozenset] = field(default_factory=dict)
    paired: tuple[tuple[str, ...], ...] = ()  # groups of inputs of one element type
    same: tuple[tuple[str, ...], ...] = ()  # groups of inputs of one shape and element type
    engines: frozenset[str] = frozenset()
    kernels: dict[str, Callable] = field(default_factory=dict)  # faster twins by device type or engine
    twins: dict[Callable, dict[str, Arg]] = field(default_factory=dict)  # the arguments of each of these
    arity: Callable[[int, int], bool] | None = None  # what the header cannot say about counts
    doc: str = ""
    differs: str = ""  # how this operator differs from the original's

    @property
    def name(self) -> str:
        return self.header.name

    def kernel(self, device: str = "cpu", engine: str = "") -> Callable:
        """The body that serves a device type and an engine."""
        return self.kernels.get(engine) or self.kernels.get(device) or self.body

    def declared(self, body: Callable | None = None) -> dict[str, Arg]:
        """The arguments that a body declares: a twin's are its own."""
        return self.twins.get(body, self.args)

    def arguments(self, op: caffe2_pb2.OperatorDef, body: Callable | None = None) -> dict[str, Any]:
        """The arguments that a body declares and `op` gives, read."""
        return read_arguments(self.declared(body).values(), op.arg, str(self.header))


class Op:
    """Base of operators with something to settle once per net, or to remember between runs.

    Annotated attributes are the arguments; `bind` is called once, `__call__` on every run, `close` when the net goes.
    """

    def __init__(self, **given: Any) -> None:
        for name, value in given.items():
            setattr(self, name, value)

    def bind(self, site: Any) -> None:
        """Settle what does not depend on the data."""

    def close(self) -> None:
        """Let go of threads and files: the net of this operator is forgotten."""


registry: dict[str, OpDef] = {}


def lookup(name: str) -> OpDef:
    """The definition of an operator. Raises UnknownOperator, suggesting near names."""
    try:
        return registry[name]
    except KeyError:
        raise UnknownOperator(f"no operator is named {name!r}{did_you_mean(name, registry)}") from None


def op(
    header: str,
    *,
    inplace: str | None = "",
    gradient: Any = None,
    like: str = "",
    host: str = "",
    types: str = "",
    same: str = "",
    engines: str = "",
    shape: Any = None,
    stores: bool = True,
    mutates: bool = False,
    over: Callable | None = None,
    view: bool = False,
    shares: bool = False,
    blocking: bool = False,
    random: bool = False,
    empty: bool = False,
    foreign: bool = False,
    arity: Callable[[int, int], bool] | None = None,
    doc: str = "",
    differs: str = "",
) -> Callable:
    """Register the function or class below under `header`; hand it back untouched.

    inplace: "X -> Y, A => B": Y may overwrite X, B must overwrite A; None where any output may overwrite any input.
    over: the function for nets that do so by the first of these rules: it saves the memory of the output.
    gradient: arrows such as "ReluGradient: Y dY -> dX", a function of a Gradient, NONE or REFUSED.
    like: the inputs whose shapes and types the outputs take, in order; one name serves every output.
    host: blobs that live in host memory whatever the device.
    types: "X dY: floating, INDICES: index": its element types; "A=B: number": one type for both.
    same: "Y dY, A B": the inputs that must agree in shape and element type.
    shape: a function of the inputs' meta tensors and the arguments, or UNKNOWN.
    doc: the document of a body that is shared and so cannot hold it.

    Raises SchemaError where header and body disagree.
    """
    head = parse(header)

    def define(body: Callable) -> Callable:
        parameters, args = _signature(body)
        _agree(head, parameters)
        if head.name in registry:
            raise SchemaError(f"the operator {head.name} is defined twice")
        registry[head.name] = OpDef(
            head,
            body,
            args,
            inplace=_inplace(inplace),
            gradient=gradient,
            host=frozenset(host.split()),
            stores=stores,
            mutates=mutates,
            over=over,
            view=view,
            shares=shares,
            blocking=blocking,
            random=random,
            empty=empty,
            foreign=foreign,
            like=tuple(like.split()),
            shape=shape,
            types=_types(types, head),
            paired=_groups(" ".join(t for t in types.replace(":", " ").split() if "=" in t), " ", "=", head),
            same=_groups(same, ",", None, head),
            engines=frozenset(engines.split()),
            arity=arity,
            doc=inspect.cleandoc(doc or body.__doc__ or ""),
            differs=differs,
        )
        return body

    return define


def shape(name: str) -> Callable:
    """Attach the function below as the shape inference of an operator: metas and arguments in, metas out."""

    def attach(function: Callable) -> Callable:
        registry[name] = replace(lookup(name), shape=function)
        return function

    return attach


def gradient(*names: str) -> Callable:
    """Attach the function below, of a Gradient, as the gradient of one operator or several."""

    def attach(function: Callable) -> Callable:
        for name in names:
            registry[name] = replace(lookup(name), gradient=function)
        return function

    return attach


def kernel(name: str, where: str) -> Callable:
    """Register the body below as a twin of an operator for a device type ("cuda") or an engine ("DNNLOWP").

    It declares its own arguments. An engine's twin looks at the element types of its inputs by itself.
    """

    def attach(body: Callable) -> Callable:
        parameters, args = _signature(body)
        definition = lookup(name)
        _agree(definition.header, parameters)
        definition.kernels[where] = body
        definition.twins[body] = args
        return body

    return attach


def verify(op: caffe2_pb2.OperatorDef) -> OpDef:
    """Check the arity and in-place use of an operator; its definition.

    Raises UnknownOperator or SchemaError.
    """
    d = lookup(op.type)
    for side, names, word in ((d.header.inputs, op.input, "input"), (d.header.outputs, op.output, "output")):
        if not side.accepts(len(names)):
            many = f"{side.least} or more" if side.most == float("inf") else f"{side.least} to {side.most}"
            raise SchemaError(f"{d.header}\n  takes {many} {word}s and has {len(names)}: {' '.join(names) or 'none'}")
    if d.arity and not d.arity(len(op.input), len(op.output)):
        raise SchemaError(f"{d.header}\n  takes no {len(op.input)} inputs with {len(op.output)} outputs")
    ins, outs = d.header.inputs.assign(op.input), d.header.outputs.assign(op.output)
    for slot in d.header.outputs:
        if slot.run and slot.name in ins and isinstance(ins[slot.name], list):
            if len(ins[slot.name]) != len(outs[slot.name]):
                raise SchemaError(
                    f"{d.header}\n  {slot.name} are {len(ins[slot.name])} blobs in and {len(outs[slot.name])} out"
                )
    if d.inplace is not None:
        _verify_inplace(d, ins, outs)
    return d


def _verify_inplace(d: OpDef, ins: dict, outs: dict) -> None:
    allowed = set()
    for rule in d.inplace:
        for i, o in zip(_listed(ins.get(rule.input)), _listed(outs.get(rule.output))):
            if rule.forced and i != o:
                raise SchemaError(f"{d.header}\n  {rule.output} must overwrite {rule.input}; they are {o!r} and {i!r}")
        allowed.add((rule.input, rule.output))
    for o_name, o in outs.items():
        for i_name, i in ins.items():
            both = set(_listed(o)) & set(_listed(i))
            if both and (i_name, o_name) not in allowed:
                raise SchemaError(f"{d.header}\n  {o_name} may not overwrite {i_name}, and both are {both.pop()!r}")


def _listed(bound: str | list[str] | None) -> list[str]:
    return bound if isinstance(bound, list) else [] if bound is None else [bound]


def _signature(body: Callable) -> tuple[list[inspect.Parameter], dict[str, Arg]]:
    """The blob parameters of a body and its arguments."""
    if not inspect.isclass(body):
        hints = typing.get_type_hints(body)
        parameters = list(inspect.signature(body).parameters.values())
        keyword = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
        args = {p.name: Arg(p.name, hints.get(p.name, Any), p.default) for p in keyword}
        return [p for p in parameters if p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD)], args
    hints = typing.get_type_hints(body)
    args = {n: Arg(n, t, getattr(body, n, inspect.Parameter.empty)) for n, t in hints.items() if not n.startswith("_")}
    return list(inspect.signature(body.__call__).parameters.values())[1:], args


def _agree(head: Header, parameters: list[inspect.Parameter]) -> None:
    if [p.kind for p in parameters] == [inspect.Parameter.VAR_POSITIONAL]:
        return
    slots = list(head.inputs)
    if len(parameters) != len(slots) or not all(map(_fits, parameters, slots, [*slots[1:], None])):
        shown = ", ".join(map(str, parameters))
        raise SchemaError(f"{head}\n  the header and the parameters ({shown}) of its body disagree")


def _fits(p: inspect.Parameter, slot: Slot, after: Slot | None) -> bool:
    """Whether a parameter can take what a slot holds; before a required one Python allows no default."""
    if slot.run:
        return after is not None or p.kind is p.VAR_POSITIONAL
    if p.kind is p.VAR_POSITIONAL:
        return False
    return (p.default is None) == (slot.kind == "?") or (slot.kind == "?" and after is not None)


def _inplace(text: str | None) -> tuple[InPlace, ...] | None:
    if text is None:
        return None
    rules = tuple(InPlace(i, o, arrow == "=>") for i, arrow, o in re.findall(r"([\w./]+) (->|=>) ([\w./]+)", text))
    if len(rules) != len([t for t in text.split(",") if t.strip()]):
        raise SchemaError(f"cannot read the in-place rules {text!r}; they read 'X -> Y, A => B'")
    return rules


def _types(text: str, head: Header) -> dict[str, frozenset]:
    table: dict[str, frozenset] = {}
    for part in filter(str.strip, text.split(",")):
        names, _, kinds = part.partition(":")
        for name in names.replace("=", " ").split():
            _demand_input(name, head)
            table[name] = frozenset().union(*(GROUPS[kind] for kind in kinds.split()))
    return table


def _groups(text: str, between: str, within: str | None, head: Header) -> tuple[tuple[str, ...], ...]:
    groups = tuple(tuple(part.split(within)) for part in text.split(between) if part.strip())
    for name in (n for group in groups for n in group):
        _demand_input(name, head)
    return groups


def _demand_input(name: str, head: Header) -> None:
    if name not in head.inputs.names:
        raise SchemaError(f"{head}\n  a facet names {name}, which is no input")
