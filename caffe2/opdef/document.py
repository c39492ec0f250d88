"""The document of an operator: header, prose, blobs, arguments, gradient, as paragraphs under headings."""

from __future__ import annotations

from collections.abc import Iterator

from caffe2.opdef.arguments import REQUIRED, Arg
from caffe2.opdef.definition import NONE, REFUSED, UNKNOWN, OpDef
from caffe2.opdef.dtypes import BY_TORCH, GROUPS

ALL = len(GROUPS["fixed"])


def document(d: OpDef) -> str:
    """What a reader wants to know of one operator, as plain text."""
    parts = [str(d.header), d.doc]
    for heading, lines in sections(d):
        one = len(lines) == 1 and heading != "Arguments"
        parts.append(f"{heading}: {lines[0]}" if one else "\n".join([heading, *(f"  {line}" for line in lines)]))
    return "\n\n".join(parts)


def sections(d: OpDef) -> Iterator[tuple[str, list[str]]]:
    """Headings, each with its lines, after the header and the prose; those with nothing to say are left out."""
    told = {
        "Inputs": [*_blobs(d)],
        "Arguments": [argument(a) for a in d.args.values() if not a.injected],
        "In place": [_in_place(d)],
        "Shapes": [_shapes(d)],
        "Gradient": [_gradient(d)],
        "Engines": [" ".join(sorted(d.engines | {k for k in d.kernels if k.isupper()}))],
        "Differs from the original": [d.differs],
    }
    for heading, lines in told.items():
        if any(lines):
            yield heading, lines


def argument(a: Arg) -> str:
    """An argument with its type and default, as in `axis: int = 1`."""
    shown = a.type.__name__ if isinstance(a.type, type) else str(a.type).replace("typing.", "")
    shown = shown.replace("caffe2.proto.caffe2_pb2.", "").replace(" | None", "")
    default = "" if a.default is REQUIRED or a.default is None else f" = {a.default!r}"
    return f"{a.name}: {shown}{default}" + (" (required)" if a.default is REQUIRED else "")


def _blobs(d: OpDef) -> Iterator[str]:
    """What the definition holds inputs to: their element types, and that they lie in host memory."""
    for slot in d.header.inputs:
        kinds, host = d.types.get(slot.name), slot.name in d.host
        names = " ".join(sorted(_kind(kind) for kind in kinds or ()))
        if kinds and len(kinds) >= ALL:
            names = "any number"
        if names or host:
            yield f"{slot.name}: {names or 'any type'}{', in host memory' if host else ''}"
    for slot in d.header.outputs:
        if slot.name in d.host and slot.name not in d.header.inputs.names:
            yield f"{slot.name} (output): in host memory"


def _kind(kind: object) -> str:
    return BY_TORCH[kind].name.lower() if kind in BY_TORCH else str(kind).removeprefix("torch.")


def _in_place(d: OpDef) -> str:
    if d.inplace is None:
        return "any output may overwrite any input"
    may = [f"{r.output} may overwrite {r.input}" for r in d.inplace if not r.forced]
    must = [f"{r.output} must overwrite {r.input}" for r in d.inplace if r.forced]
    return ", ".join(must + may)


def _shapes(d: OpDef) -> str:
    if d.shape is UNKNOWN:
        return "depend on the data"
    return f"as {' and '.join(d.like)}" if d.like else ""


def _gradient(d: OpDef) -> str:
    if d.gradient is REFUSED:
        return "refused"
    if d.gradient is NONE:
        return "none: gradients stop here"
    if isinstance(d.gradient, str):
        return d.gradient
    return "" if d.gradient is None else "made by a function of the operator"
