"""Writes docs/operators/: a page a family, each operator with an example that has just run.

python -m docs.catalogue
"""

from __future__ import annotations

import pathlib
import re

import caffe2.ops  # noqa: F401  (registers every operator)
from caffe2.opdef import OpDef, lookup
from caffe2.opdef.catalogue import Family, families
from caffe2.opdef.document import sections
from caffe2.opdef.glossary import prose
from docs.example import example
from tests.sample import load_all

FOLDER = pathlib.Path(__file__).parent / "operators"
EXAMPLE = "Example"
HEAD = """# Operators

All {count} operators, by family. `python -m caffe2 docs NAME` prints one, or lists a family.

An operator is written `Name: inputs -> outputs`. `X?` may be left out, `*X` is any number of blobs, `+X` at least one,
`*(X weight)` any number of pairs. `dX` is the gradient of X, `dX[I]` a sparse one: a row for each of the rows I of X.

Shapes are written (N, C, H, W); `...` is any number of dimensions. Floating-point types are float (of 32 bits), double,
float16 and bfloat16; integer types are int8, int16, int32, int64, uint8 and uint16.

Arguments that are not named here are accepted and ignored, as are hints to engines: `cudnn_exhaustive_search`,
`use_cudnn`, `ws_nbytes_limit`. Engines that are listed without arguments of their own mean the same kernel.

Every example ran when its page was written. A blob that is large, or that chance fills, is shown by type and shape.
"""


def pages() -> dict[str, str]:
    """The text of every page, by file name."""
    load_all()
    made = {f"{family.name}.md": page(family) for family in families()}
    count = sum(len(family.operators) for family in families())
    lines = [HEAD.format(count=count)]
    for family in families():
        links = " ".join(f"[{name}]({family.name}.md#{name.lower()})" for name in family.operators)
        lines.append(f"* **[{family.name}]({family.name}.md)**: {family.title}\n  {links}")
    return {"README.md": "\n".join(lines) + "\n"} | made


def page(family: Family, examples: bool = True) -> str:
    """One family."""
    entries = [entry(lookup(name), examples) for name in family.operators]
    return "\n\n".join([f"# {family.name}", family.title, *entries]) + "\n"


def entry(d: OpDef, examples: bool) -> str:
    """One operator."""
    parts = [f"## {d.name}", f"    {d.header}", _escaped(prose(d))]
    for heading, told in sections(d):
        if any(e.term for e in told):
            points = [f"* `{e.term}`{e.text and ': '}{_escaped(e.text)}" for e in told]
            parts.append("\n".join([f"**{heading}**", "", *points]))
        else:
            parts.append(f"**{heading}**: {_escaped('; '.join(e.text for e in told))}")
    lines = [*example(d)] if examples else []
    if lines:
        parts.append("\n".join([f"{EXAMPLE}:", "", *(f"    {line}" for line in lines)]))
    return "\n\n".join(parts)


def _escaped(text: str) -> str:
    return re.sub(r"(?m)\*(?! .)|(?<!^)\*", r"\\*", text)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    made = pages()
    for path in FOLDER.glob("*.md"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
