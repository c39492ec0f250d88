"""The document of an operator as text: header, prose, arguments, gradient."""

from __future__ import annotations

from caffe2.opdef.definition import UNKNOWN, OpDef


def document(d: OpDef) -> str:
    """What a reader wants to know of one operator, as plain text."""
    args = [f"  {a}" for a in d.args.values() if not a.injected]
    parts = [str(d.header), "", d.doc or f"The operator {d.name}."]
    if args:
        parts += ["", "Arguments", *args]
    if d.inplace:
        parts += ["", "In place: " + ", ".join(f"{r.input} {'=>' if r.forced else '->'} {r.output}" for r in d.inplace)]
    if isinstance(d.gradient, str):
        parts += ["", f"Gradient: {d.gradient}"]
    if d.shape is UNKNOWN:
        parts += ["", "The shapes of the outputs depend on the data."]
    if d.differs:
        parts += ["", f"Differs from the original: {d.differs}"]
    return "\n".join(parts)
