"""Writes docs/operators/: a page a family, each operator with an example that has just run.

python -m docs.catalogue
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator

import numpy as np
import torch

import caffe2.ops  # noqa: F401  (registers every operator)
from caffe2.opdef import EnforceNotMet, OpDef, lookup
from caffe2.opdef.catalogue import Family, families
from caffe2.opdef.document import sections
from caffe2.opdef.glossary import prose
from tests.sample import Sample, load_all, samples_of

FOLDER = pathlib.Path(__file__).parent / "operators"
LARGEST = 24
"""Elements of a blob that an example may show."""
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
    return "\n\n".join([*parts, *(example(d) if examples else ())])


def _escaped(text: str) -> str:
    return re.sub(r"(?m)\*(?! .)|(?<!^)\*", r"\\*", text)


def example(d: OpDef) -> Iterator[str]:
    """The operator on the smallest of its samples that can be shown."""
    for sample in sorted(filter(_shown, samples_of(d.name)), key=_size):
        workspace, op = sample.workspace(), sample.definition()
        try:
            before = [_text(_name(d, k), workspace.fetch(name)) for k, name in enumerate(op.input)]
            torch.manual_seed(0)
            workspace.run_operator_once(op)
        except EnforceNotMet:
            continue
        if not all(_small(workspace.require(blob).value) for blob in op.output):
            continue
        names = _outputs(d, len(op.output))
        after = [_text(name, workspace.fetch(blob)) for name, blob in zip(names, op.output)]
        given = ", ".join(f"{key}={value!r}" for key, value in sample.args.items())
        lines = [*before, f"{d.name}({given})", *after]
        yield "\n".join([f"{EXAMPLE}:", "", *(f"    {line}" for text in lines for line in text.splitlines())])
        return


def _shown(sample: Sample) -> bool:
    whole = not sample.except_.get("shape") and sample.setup is None and not lookup(sample.op).random
    return whole and all(isinstance(x, np.ndarray) and 0 < x.size <= LARGEST for x in sample.inputs)


def _size(sample: Sample) -> int:
    return sum(x.size for x in sample.inputs)


def _small(value: object) -> bool:
    return isinstance(value, (torch.Tensor, np.ndarray)) and int(np.prod(value.shape)) <= 2 * LARGEST


def _name(d: OpDef, position: int) -> str:
    names = d.header.inputs.names
    return names[position] if position < len(names) and not d.header.inputs.run else f"input {position}"


def _outputs(d: OpDef, count: int) -> list[str]:
    names = d.header.outputs.names
    return [names[k] if k < len(names) and not d.header.outputs.run else f"output {k}" for k in range(count)]


def _text(name: str, value: object) -> str:
    array, head = np.asarray(value), f"{name} = "
    shown = np.array2string(array, precision=3, suppress_small=True, separator=", ", max_line_width=100, prefix=head)
    return f"{head}{shown}  {array.dtype}{list(array.shape)}"


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
