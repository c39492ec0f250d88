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


def pages() -> dict[str, str]:
    """The text of every page, by file name."""
    load_all()
    made = {f"{family.name}.md": page(family) for family in families()}
    count = sum(len(family.operators) for family in families())
    lines = [f"# Operators\n\nAll {count} operators, by family. `python -m caffe2 docs NAME` prints one.\n"]
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
