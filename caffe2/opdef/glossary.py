"""What the names of an operator's blobs and arguments mean: the lines `name: meaning` of docstrings.

An operator's own docstring is asked first, then, for FooGradient, that of Foo, then those of its body's classes, then
those of the modules: its own, the package around it, and so on up to caffe2.ops. What a family shares is said once, in
paragraphs that begin with such a line:

    kernel, kernels: size of the window.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator

from caffe2.opdef.definition import OpDef, registry
from caffe2.opdef.header import Slot

_WORD = r"[A-Za-z_][\w./-]*"
_HEAD = rf"{_WORD}(?:(?:, | and ){_WORD})*: "
_ENTRY = re.compile(rf"^({_HEAD})(\S.*(?:(?:\n +|(?<!\.)\n(?!{_HEAD}))\S.*)*)\n?", re.MULTILINE)
"""An entry goes on in indented lines, and to the end of its sentence."""


def glossary(text: str) -> dict[str, str]:
    """The entries of a docstring."""
    told = [entry for paragraph in _paragraphs(text) if _lists(paragraph) for entry in _ENTRY.findall(paragraph)]
    return {name: _joined(meaning) for names, meaning in told for name in _names(names)}


def meanings(d: OpDef, body: Callable | None = None) -> dict[str, str]:
    """The meaning of every blob and argument of an operator, or of a twin of its body, that is written anywhere."""
    wanted = [*blobs(d), *d.declared(body)]
    found: dict[str, str] = {}
    for text in _scopes(d, body or d.body):
        entries = glossary(text)
        found.update({name: entries[name] for name in wanted if name in entries and name not in found})
    forward = registry.get(d.name.removesuffix("Gradient"), d)
    for name in blobs(d):
        if name[0] == "d" and name not in found and name[1:] in (*blobs(d), *blobs(forward)):
            found[name] = f"the gradient of {name[1:]}"
    return found


def prose(d: OpDef) -> str:
    """The docstring of an operator without the entries on its names."""
    known = {*blobs(d), *d.args, *(name for args in d.twins.values() for name in args)}
    kept = [_other(p, known) if _lists(p) else p for p in _paragraphs(d.doc)]
    return "\n\n".join(filter(None, kept))


def blobs(d: OpDef) -> list[str]:
    """The names of the inputs and outputs, each once."""
    return [*dict.fromkeys(name for side in (d.header.inputs, d.header.outputs) for s in side for name in _members(s))]


def _members(slot: Slot) -> tuple[str, ...]:
    return slot.members or (slot.name,)


def _paragraphs(text: str) -> list[str]:
    return re.split(r"\n{2,}", text.strip("\n"))


def _lists(paragraph: str) -> bool:
    """Whether a paragraph holds entries: they begin with its first line."""
    return _ENTRY.match(paragraph) is not None


def _other(paragraph: str, known: set[str]) -> str:
    """What is left of a paragraph without the entries on known names."""
    return _ENTRY.sub(lambda m: "" if known.issuperset(_names(m[1])) else m[0], paragraph + "\n").strip()


def _names(heads: str) -> list[str]:
    return re.split(", | and ", heads.removesuffix(": "))


def _joined(meaning: str) -> str:
    return " ".join(meaning.split())


def _scopes(d: OpDef, body: Callable) -> Iterator[str]:
    forward = registry.get(d.name.removesuffix("Gradient"), d)
    yield d.doc
    yield forward.doc
    for cls in body.__mro__[:-1] if inspect.isclass(body) else ():
        yield inspect.cleandoc(cls.__doc__ or "")
    for module in dict.fromkeys((body.__module__, forward.body.__module__)):
        while module:
            yield inspect.getdoc(sys.modules[module]) or ""
            module = module.rpartition(".")[0]
