"""All operators by family: the module or package of caffe2.ops that defines them."""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections import defaultdict
from typing import NamedTuple

from caffe2.opdef.definition import registry
from caffe2.opdef.document import document
from caffe2.opdef.errors import UnknownOperator, did_you_mean
from caffe2.opdef.glossary import prose

MOST = 12
"""Operators that are named to who asks for one that is not there."""


class Family(NamedTuple):
    """Operators that are defined together."""

    name: str
    title: str
    operators: list[str]


def families() -> list[Family]:
    """The families in the order of their names; operators of a user's own stand in the family of their module."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(registry):
        module = registry[name].body.__module__
        found[".".join(module.split(".")[:3]) if module.startswith("caffe2.ops.") else module].append(name)
    return [
        Family(module.rpartition(".")[2], (inspect.getdoc(sys.modules[module]) or module).split("\n")[0], names)
        for module, names in sorted(found.items())
    ]


def answer(word: str, width: int = 100) -> str:
    """What there is under a word: the document of an operator, in whatever case, or the operators of a family.

    Raises UnknownOperator, naming operators that the word is part of or near to.
    """
    if word in registry:
        return document(registry[word], width)
    family = next((family for family in families() if family.name == word), None)
    if family is not None:
        lines = [
            textwrap.shorten(f"  {name}: {_summary(name)}", width, placeholder=" ...") for name in family.operators
        ]
        return "\n".join([family.title, "", *(f"  {line}" for line in lines)])
    same = [name for name in registry if name.lower() == word.lower()]
    if same:
        return "\n\n".join(document(registry[name], width) for name in same)
    parts = sorted((name for name in registry if word.lower() in name.lower()), key=len)[:MOST]
    near = f"; did you mean one of {' '.join(parts)}?" if parts else did_you_mean(word, registry)
    raise UnknownOperator(f"no operator is named {word!r}{near}")


def index(width: int = 100) -> str:
    """All operators, by family."""
    told = []
    for family in families():
        names = textwrap.fill(" ".join(family.operators), width, initial_indent="    ", subsequent_indent="    ")
        told.append(textwrap.fill(f"{family.name} -- {family.title}", width, subsequent_indent="    ") + "\n" + names)
    return "\n\n".join(told)


def _summary(name: str) -> str:
    return " ".join(prose(registry[name]).split("\n\n")[0].split())
