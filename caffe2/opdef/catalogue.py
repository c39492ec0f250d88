"""All operators by family: the module or package of caffe2.ops that defines them."""

from __future__ import annotations

import inspect
import sys
from collections import defaultdict
from typing import NamedTuple

from caffe2.opdef.definition import registry


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
