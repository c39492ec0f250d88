"""The document of an operator: header, prose, blobs, arguments, gradient, as paragraphs under headings."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator
from typing import NamedTuple

from caffe2.opdef.arguments import REQUIRED, Arg
from caffe2.opdef.backward import Gradient
from caffe2.opdef.definition import NONE, REFUSED, UNKNOWN, OpDef
from caffe2.opdef.dtypes import BY_TORCH, GROUPS
from caffe2.opdef.errors import EnforceNotMet
from caffe2.opdef.glossary import meanings, prose
from caffe2.opdef.header import Side
from caffe2.proto import caffe2_pb2

FAMILIES = {
    "index": "int32 or int64",
    "fixed": "any number or bool",
    "number": "any number",
    "floating": "any floating-point type",
    "integer": "any integer type",
}
"""Families of element types in words."""


SPELLINGS = {
    "torch.dtype | type": "DataType",
    "caffe2.opdef.arguments.Reals": "tuple[float, ...]",
    "caffe2.proto.caffe2_pb2.": "",
    "typing.": "",
    " | None": "",
}
"""How annotations are shown."""


class Entry(NamedTuple):
    """A line of a document: what it is about, which may be nothing, and what there is to say."""

    term: str
    text: str = ""


def document(d: OpDef, width: int = 100) -> str:
    """What a reader wants to know of one operator, as plain text in lines of at most `width` characters."""
    parts = [str(d.header), *(_filled(paragraph, width) for paragraph in prose(d).split("\n\n"))]
    for heading, entries in sections(d):
        if len(entries) == 1 and not entries[0].term:
            parts.append(textwrap.fill(f"{heading}: {entries[0].text}", width, subsequent_indent="  "))
        else:
            parts.append("\n".join([heading, *(_listed(entry, width) for entry in entries)]))
    return "\n\n".join(parts)


def sections(d: OpDef) -> Iterator[tuple[str, list[Entry]]]:
    """Headings, each with its entries, after the header and the prose; those with nothing to say are left out."""
    meaning = meanings(d)
    told = {
        "Inputs": _inputs(d, meaning),
        "Outputs": _outputs(d, meaning),
        "Arguments": _arguments(d.args.values(), meaning),
        **_of_engines(d),
        "In place": [Entry("", _in_place(d))],
        "Shapes": [Entry("", _shapes(d))],
        "Gradient": [Entry("", line) for line in _gradient(d)],
        "Engines": [Entry("", " ".join(sorted(d.engines | _engines(d))))],
        "Differs from the original": [Entry("", d.differs)],
    }
    for heading, entries in told.items():
        if any(any(entry) for entry in entries):
            yield heading, entries


def argument(a: Arg) -> str:
    """An argument with its type and default, as in `axis: int = 1`."""
    shown = a.type.__name__ if isinstance(a.type, type) else str(a.type)
    for said, meant in SPELLINGS.items():
        shown = shown.replace(said, meant)
    default = "" if a.default is REQUIRED or a.default is None else f" = {a.default!r}"
    return f"{a.name}: {shown}{default}" + (" (required)" if a.default is REQUIRED else "")


def _arguments(args: object, meaning: dict[str, str]) -> list[Entry]:
    """The arguments in their order; those that share a meaning stand together."""
    found: dict[str, list[str]] = {}
    for a in args:
        if not a.injected:
            found.setdefault(meaning.get(a.name) or f"\0{a.name}", []).append(argument(a))
    return [Entry(", ".join(told), "" if text[0] == "\0" else text) for text, told in found.items()]


def _engines(d: OpDef) -> set[str]:
    return {name for name in d.kernels if name.isupper()}


def _of_engines(d: OpDef) -> dict[str, list[Entry]]:
    """The arguments that only some engines take, under the names of these engines."""
    bodies: dict[Callable, list[str]] = {}
    for name in sorted(_engines(d)):
        bodies.setdefault(d.kernels[name], []).append(name)
    return {
        f"Arguments with engine {' '.join(names)}": _arguments(
            [a for a in d.declared(body).values() if a.name not in d.args], meanings(d, body)
        )
        for body, names in bodies.items()
    }


def _inputs(d: OpDef, meaning: dict[str, str]) -> list[Entry]:
    told = {}
    for name in _names(d.header.inputs):
        kinds, text = _kinds(d, name), meaning.get(name, "")
        kinds = "" if f"{kinds}32" in text or re.search(rf"\b{re.escape(kinds)}\b", text) else kinds
        held = ", ".join(filter(None, (kinds, "in host memory" if name in d.host else "")))
        told[name] = "; ".join(filter(None, (held, text)))
    return _together(told)


def _outputs(d: OpDef, meaning: dict[str, str]) -> list[Entry]:
    told = {}
    for name in _names(d.header.outputs):
        if name not in d.header.inputs.names:
            told[name] = "; ".join(filter(None, ("in host memory" if name in d.host else "", meaning.get(name))))
    return _together(told)


def _together(told: dict[str, str]) -> list[Entry]:
    """Names with what is said of them; those of which the same is said stand together."""
    terms: dict[str, list[str]] = {}
    for name, text in told.items():
        terms.setdefault(text, []).append(name)
    return [Entry(", ".join(names), text) for text, names in terms.items() if text]


def _names(side: Side) -> list[str]:
    return [name for slot in side for name in slot.members or (slot.name,)]


def _kinds(d: OpDef, name: str) -> str:
    """The element types that an input is held to."""
    kinds, told = set(d.types.get(name) or ()), []
    for group, words in FAMILIES.items():
        if kinds == GROUPS[group] or len(GROUPS[group]) > 2 and kinds >= GROUPS[group]:
            told.append(words)
            kinds -= GROUPS[group]
    return ", ".join(told + sorted(BY_TORCH[k].name.lower() if k in BY_TORCH else str(k)[6:] for k in kinds))


def _in_place(d: OpDef) -> str:
    if d.inplace is None:
        return "any output may overwrite any input"
    first = {s.name: f"the first {s.members[0]}" for s in d.header.inputs if s.members}
    rules = [(r.output, first.get(r.input, r.input), r.forced) for r in d.inplace]
    may = [f"{output} may overwrite {input}" for output, input, forced in rules if not forced]
    must = [f"{output} must overwrite {input}" for output, input, forced in rules if forced]
    return ", ".join(must + may)


def _shapes(d: OpDef) -> str:
    if d.shape is UNKNOWN:
        return "known once it has run"
    return f"as {' and '.join(d.like)}" if d.like else ""


def _gradient(d: OpDef) -> list[str]:
    if d.gradient is None:
        return ["not defined: to ask for one is an error"]
    if d.gradient is REFUSED:
        return ["refused: to ask for one is an error"]
    if d.gradient is NONE:
        return ["none: gradients stop here"]
    return [d.gradient] if isinstance(d.gradient, str) else _made(d) or ["made by a function of the operator"]


def _made(d: OpDef) -> list[str]:
    """The operators that a gradient function makes for an operator with every input and no argument."""
    ins, outs = _names(d.header.inputs), _names(d.header.outputs)
    op = caffe2_pb2.OperatorDef(type=d.name, input=ins, output=outs)
    g = Gradient(d, op, [f"d{name}" for name in outs])
    try:
        d.gradient(g)
    except (EnforceNotMet, LookupError, TypeError, ValueError):
        return []
    shown = {f"{name}_grad": f"d{name}" for name in ins}
    shown |= {grad[1]: f"d{name}[{grad[0]}]" for name, grad in zip(ins, g.g_input) if isinstance(grad, tuple)}
    sides = [
        (made.type, *(" ".join(shown.get(b, b) for b in side) for side in (made.input, made.output))) for made in g.ops
    ]
    return [f"{kind}: {left} -> {right}" for kind, left, right in sides]


def _filled(paragraph: str, width: int) -> str:
    """A paragraph in lines of the width; one with indented lines or points keeps its own."""
    lines = paragraph.splitlines()
    if lines[0][:2] == "* ":
        points = re.sub(r"\n +", " ", paragraph).splitlines()
        return "\n".join(textwrap.fill(point, width, subsequent_indent="  ") for point in points)
    if len(paragraph) <= width or any(line[:1] in " |" for line in lines):
        return paragraph
    return textwrap.fill(" ".join(lines), width, break_on_hyphens=False)


def _listed(entry: Entry, width: int) -> str:
    """An entry in the list under a heading: the text beside its term, or below where both do not fit a line."""
    term, text = entry
    whole = f"  {term}: {text}" if term and text and ": " not in term else f"  {term or text}"
    if ": " not in term:
        return textwrap.fill(whole, width, subsequent_indent="      ", break_on_hyphens=False)
    head = textwrap.fill(term, width, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    body = textwrap.fill(text, width, initial_indent="      ", subsequent_indent="      ", break_on_hyphens=False)
    return head + ("\n" + body if body else "")
