"""Samples: inputs and arguments on which the laws try every operator, declared beside each family's tests."""

from __future__ import annotations

import importlib
import pathlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from caffe2.opdef import lookup, make_argument
from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace

LAWS = ("shape", "inplace", "alias", "layout", "gradient", "device", "compile", "wire")


@dataclass
class Sample:
    """One way to run one operator.

    inputs: a value for each input blob: an array, bytes, an object, or a function that makes one.
    outputs: how many output blobs to ask for; as many as the header has room for, unless given.
    differentiate: positions of the inputs whose gradients are compared; every floating one that gets one, unless given.
    except_: laws that do not hold here, each with its reason.
    """

    op: str
    inputs: tuple[Any, ...]
    args: dict[str, Any] = field(default_factory=dict)
    outputs: int | None = None
    differentiate: tuple[int, ...] | None = None
    tolerance: float = 1e-3
    setup: Callable[[Workspace], None] | None = None
    except_: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = set(self.except_) - set(LAWS)
        if unknown:
            raise ValueError(f"{self.op}: no law is named {unknown}")

    def definition(self) -> caffe2_pb2.OperatorDef:
        """The operator on blobs i0, i1 ... and o0, o1 ..., an output that must overwrite an input bearing its name."""
        d = lookup(self.op)
        count = self.outputs
        if count is None:
            run = d.header.outputs.run
            repeated = len(d.header.inputs.assign(self.inputs).get(run.name, [0])) if run else 0
            count = sum(1 for s in d.header.outputs if not s.run) + repeated
        inputs, outputs = [f"i{k}" for k in range(len(self.inputs))], [f"o{k}" for k in range(count)]
        ins, at = d.header.inputs.assign(inputs), d.header.outputs.assign(range(count))
        for rule in d.inplace or ():
            if rule.forced and at.get(rule.output) is not None and ins[rule.input] is not None:
                for k, name in zip(listed(at[rule.output]), listed(ins[rule.input])):
                    outputs[k] = name
        made = caffe2_pb2.OperatorDef(type=self.op, input=inputs, output=outputs)
        made.arg.extend(make_argument(k, v) for k, v in self.args.items())
        return made

    def workspace(self) -> Workspace:
        """A fresh workspace that holds the inputs."""
        made = Workspace()
        for k, value in enumerate(self.inputs):
            made.feed(f"i{k}", value() if callable(value) else value)
        if self.setup:
            self.setup(made)
        return made


def listed(bound: Any) -> list:
    """What a slot holds, as a list."""
    return bound if isinstance(bound, list) else [bound]


_DECLARED: dict[str, Callable[[np.random.Generator], Iterator[Sample]]] = {}


def samples(*names: str) -> Callable:
    """Declare samples: the generator below, of a random generator, yields pairs (inputs, arguments) or Samples.

    With several names every pair serves each of them.
    """

    def attach(function: Callable) -> Callable:
        for name in names:
            if name in _DECLARED:
                raise ValueError(f"samples of {name} are declared twice")
            _DECLARED[name] = function
        return function

    return attach


def samples_of(name: str) -> list[Sample]:
    """All samples of an operator; the same ones at every call."""
    if name not in _DECLARED:
        return []
    drawn = _DECLARED[name](np.random.default_rng(7))
    return [s if isinstance(s, Sample) else Sample(name, tuple(s[0]), dict(s[1])) for s in drawn if _for(s, name)]


def _for(s: Any, name: str) -> bool:
    return not isinstance(s, Sample) or s.op == name


def floats(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Standard normal float32 values, kept 0.05 away from zero, where many functions have a kink."""
    x = rng.standard_normal(shape).astype(np.float32)
    return x + np.copysign(np.float32(0.05), x)


def load_all() -> None:
    """Import every test module of the operators, so that all samples are declared."""
    root = pathlib.Path(__file__).parent
    for path in sorted((root / "ops").rglob("test_*.py")):
        importlib.import_module(".".join(("tests", *path.relative_to(root).with_suffix("").parts)))
