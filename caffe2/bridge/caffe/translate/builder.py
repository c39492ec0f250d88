"""Building the nets of a translation: operators, parameters and names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np
from google.protobuf.message import Message

from caffe2.bridge.caffe.layers import Layer, Param, Shape
from caffe2.bridge.caffe.reference.fillers import fill
from caffe2.bridge.fresh import fresh_name
from caffe2.opdef import lookup, make_argument
from caffe2.proto import caffe2_pb2

Translator = Callable[["Layer", "Builder"], None]
translators: dict[str, Translator] = {}


def translates(*types: str) -> Callable[[Translator], Translator]:
    """Register the function below, of a Layer and a Builder, as the translator of layer types."""

    def attach(function: Translator) -> Translator:
        translators.update(dict.fromkeys(types, function))
        return function

    return attach


@dataclass
class Translation:
    """The operators that a Caffe net becomes, and the parameters that they read, by blob name."""

    ops: list[caffe2_pb2.OperatorDef] = field(default_factory=list)
    params: dict[str, np.ndarray] = field(default_factory=dict)
    fills: list[caffe2_pb2.OperatorDef] = field(default_factory=list)  # parameters without weights: Caffe's fillers
    inputs: dict[str, Shape | None] = field(default_factory=dict)  # what whoever runs the net feeds
    origins: list[Layer] = field(default_factory=list)  # the layer that each operator comes of
    places: dict[tuple[str, int], str] = field(default_factory=dict)  # the blob of a layer's parameter of that number


class Builder:
    """Adds operators to a translation; inner blobs get names that no other blob has.

    trains: for a solver, which keeps every parameter as Caffe stores it.
    """

    def __init__(self, names: Iterable[str] = (), *, is_test: bool = True, trains: bool = False) -> None:
        self.made, self.is_test, self.trains = Translation(), is_test, trains
        self._taken, self._params = set(names), {}

    def op(self, kind: str, inputs: str | Sequence[str], outputs: str | Sequence[str] = "", **args: Any) -> str:
        """Add an operator; the name of its first output, a new one where none is given.

        An output that the operator may not write over its input is written to a blob of its own, and copied.
        """
        ins = [inputs] if isinstance(inputs, str) else list(inputs)
        outs = [outputs] if isinstance(outputs, str) else list(outputs)
        outs = [o or self.fresh(ins[0] if ins else kind.lower()) for o in outs]
        held = {o: self.fresh(o) for o in outs if o in ins and not _may_overwrite(kind, ins, outs)}
        self._add(kind, ins, [held.get(o, o) for o in outs], args)
        for name, source in held.items():
            self._add("Copy", [source], [name], {})
        return outs[0] if outs else ""

    def _add(self, kind: str, ins: list[str], outs: list[str], args: dict[str, Any]) -> None:
        made = self.made.ops
        made.append(caffe2_pb2.OperatorDef(type=kind, input=ins, output=outs))
        made[-1].arg.extend(make_argument(name, value) for name, value in args.items() if value is not None)

    def named(self, name: str) -> str:
        """That name where no blob has it yet, else a fresh one."""
        if name in self._taken:
            return self.fresh(name)
        self._taken.add(name)
        return name

    def names(self) -> list[str]:
        """The names that blobs have."""
        return sorted(self._taken)

    def fresh(self, stem: str) -> str:
        """A name that no blob has yet."""
        name = fresh_name(stem, self._taken)
        self._taken.add(name)
        return name

    def constant(self, value: float | np.ndarray, stem: str = "constant") -> str:
        """A blob that holds a constant; equal ones are one."""
        array = np.asarray(value, np.float32).reshape(-1) if np.ndim(value) == 0 else np.asarray(value)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._params:
            self._params[key] = self.fresh(stem)
            self.made.params[self._params[key]] = array
        return self._params[key]

    def constant_zeros(self, count: int) -> str:
        """A blob of `count` zeros."""
        return self.constant(np.zeros(count, np.float32), "zeros")

    def param(
        self, layer: Layer, index: int, suffix: str, change: Callable[[np.ndarray], np.ndarray] | None = None
    ) -> str:
        """The blob of a layer's parameter, LAYER_suffix; shared ones have the name of their owner.

        change: what the layer's operator wants done to the weights, such as a reshape.
        """
        own, root = layer.params[index], layer.params[index].root
        key = (id(root), own.shape, getattr(change, "__code__", change))
        if key not in self._params:
            self._params[key] = self.named(f"{layer.name}_{suffix}")
            self._fill(self._params[key], own, root, change)
        self.made.places[layer.name, index] = self._params[key]
        return self._params[key]

    def _fill(self, name: str, own: Param, root: Param, change: Callable | None) -> None:
        if root.blob is not None:
            array = root.blob.array.reshape(own.shape)
            self.made.params[name] = np.asarray(change(array) if change else array)
        else:
            shape = change(np.empty(own.shape, np.bool_)).shape if change else own.shape
            self.made.fills.append(filler(name, shape, root.filler))


def filler(name: str, shape: Sequence[int], f: Message | None) -> caffe2_pb2.OperatorDef:
    """The operator that fills a blob as a FillerParameter says; with zeros where there is none."""
    kind = f.type if f is not None else "constant"
    if kind == "constant":
        op, args = "ConstantFill", {"value": float(f.value) if f is not None else 0.0}
    elif kind == "uniform":
        op, args = "UniformFill", {"min": float(f.min), "max": float(f.max)}
    elif kind == "positive_unitball" or (kind == "gaussian" and f.sparse >= 0):
        rng = np.random.default_rng(crc32(name.encode()))
        op, args = "GivenTensorFill", {"values": fill(f, tuple(shape), rng).ravel().tolist()}
    elif kind == "gaussian":
        op, args = "GaussianFill", {"mean": float(f.mean), "std": float(f.std)}
    elif kind in ("xavier", "msra"):
        fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 1
        fan_out = int(np.prod(shape)) // shape[1] if len(shape) > 1 else shape[0]
        fan = {0: fan_in, 1: fan_out, 2: (fan_in + fan_out) / 2}[f.variance_norm]
        bound = float((3 / fan) ** 0.5)
        op, args = ("UniformFill", {"min": -bound, "max": bound})
        if kind == "msra":
            op, args = ("GaussianFill", {"mean": 0.0, "std": float((2 / fan) ** 0.5)})
    else:
        op, args = "GivenTensorFill", {"values": _bilinear(shape).ravel().tolist()}
    made = caffe2_pb2.OperatorDef(type=op, output=[name])
    made.arg.extend(make_argument(k, v) for k, v in {"shape": tuple(shape), **args}.items())
    return made


def _bilinear(shape: Sequence[int]) -> np.ndarray:
    """The kernel of bilinear upsampling, for every filter and channel."""
    size = shape[-1]
    half = (size + 1) // 2
    centre = (size - 1) / (2.0 * half)
    line = 1 - np.abs(np.arange(size) / half - centre)
    return np.broadcast_to(np.outer(line, line), tuple(shape)).astype(np.float32)


def _may_overwrite(kind: str, ins: list[str], outs: list[str]) -> bool:
    """Whether an operator accepts the in-place use that its blobs ask for."""
    d = lookup(kind)
    if d.inplace is None:
        return True
    rules = {(r.input, r.output) for r in d.inplace}
    bound_in, bound_out = d.header.inputs.assign(ins), d.header.outputs.assign(outs)
    for i_name, i in bound_in.items():
        for o_name, o in bound_out.items():
            both = set(i if isinstance(i, list) else [i]) & set(o if isinstance(o, list) else [o])
            if both - {None} and (i_name, o_name) not in rules:
                return False
    return True
