"""One operator of a net on its way to ONNX: what an exporter is given, and the registry of exporters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from caffe2.bridge.onnx.graph import ROWS, Graph
from caffe2.opdef import Op, lookup
from caffe2.opdef.dtypes import BY_TORCH
from caffe2.opdef.inference import MetaSite
from caffe2.proto import caffe2_pb2

Exporter = Callable[["Call"], None]
END = np.iinfo(np.int64).max
"""As the end of a slice: that of the dimension."""

exporters: dict[str, Exporter] = {}
"""How an operator is written, by its type."""


class Unexportable(ValueError):
    """An operator that cannot be written as ONNX: why, and what to do."""


def exports(*types: str) -> Callable[[Exporter], Exporter]:
    """Register the function below, of a Call, as the exporter of operator types."""

    def attach(function: Exporter) -> Exporter:
        exporters.update(dict.fromkeys(types, function))
        return function

    return attach


class Call:
    """An operator whose blobs have names that are written once.

    metas: what is known of the shapes and types of blobs; None where only running tells. known: values of blobs that
    are the same in every run.
    """

    def __init__(
        self,
        graph: Graph,
        op: caffe2_pb2.OperatorDef,
        metas: dict[str, torch.Tensor | None],
        known: dict[str, np.ndarray],
    ) -> None:
        self.graph, self.op, self.metas, self.known = graph, op, metas, known
        self.inputs, self.outputs = list(op.input), list(op.output)
        self.definition = lookup(op.type)

    @cached_property
    def args(self) -> SimpleNamespace:
        """The operator's arguments, defaults included."""
        defaults = {a.name: a.default for a in self.definition.args.values() if not a.injected}
        return SimpleNamespace(**(defaults | self.definition.arguments(self.op)))

    def body(self) -> Op:
        """The operator's body, settled: for operators that are classes."""
        made = self.definition.body(**self.definition.arguments(self.op))
        made.bind(MetaSite(self.op))
        return made

    def meta(self, k: int = 0) -> torch.Tensor:
        """Input k as a tensor without values. Raises Unexportable where its shape is not known."""
        return self._meta(self.inputs[k])

    def result(self, k: int = 0) -> torch.Tensor:
        """Output k likewise."""
        return self._meta(self.outputs[k])

    def _meta(self, name: str) -> torch.Tensor:
        found = self.metas.get(name)
        if found is None:
            raise Unexportable(f"the shape of {name} is only known when the net runs")
        return found

    def shape(self, k: int = 0) -> tuple[int, ...]:
        return tuple(self.meta(k).shape)

    def rank(self, k: int = 0) -> int:
        return self.meta(k).dim()

    def dtype(self, k: int = 0) -> np.dtype:
        return numpy_type(self.meta(k))

    def result_type(self, k: int = 0) -> np.dtype:
        """The element type of output k."""
        return numpy_type(self.result(k))

    def value(self, k: int) -> np.ndarray:
        """What input k holds in every run. Raises Unexportable where that changes."""
        if self.inputs[k] not in self.known:
            raise Unexportable(f"{self.inputs[k]} must be a constant: let the init net fill it")
        return self.known[self.inputs[k]]

    def add(self, kind: str, *inputs: str, outputs: Sequence[str] = (), **attributes: Any) -> str:
        """Add a node; the name of its first output, a new one where none is given."""
        return self.graph.add(kind, inputs, outputs, **attributes)

    def give(self, kind: str, *inputs: str, **attributes: Any) -> None:
        """Add a node whose output is the operator's first."""
        self.graph.add(kind, inputs, self.outputs[:1], **attributes)

    def constant(self, value: Any, dtype: Any = None) -> str:
        """The name of a constant. Raises Unexportable where it would fix a size that only running tells."""
        array = np.asarray(value, dtype)
        if self.graph.open_rows and (ROWS in array.shape or array.dtype == np.int64 and _counts_rows(array)):
            raise Unexportable("its shape would have to follow how many rows there are, which only running tells")
        return self.graph.constant(array)

    def ints(self, *values: int) -> str:
        """A constant vector of int64."""
        return self.constant(values, np.int64)

    def number(self, value: float, k: int = 0) -> str:
        """A constant of the element type of input k."""
        return self.constant(value, self.dtype(k))

    def reshape(self, x: str, shape: Sequence[int], output: str = "") -> str:
        """x in another shape, 0 for a dimension that stays and -1 for the rest; a constant gets it here and now."""
        if x in self.known and not output:
            sizes = [self.known[x].shape[k] if n == 0 else n for k, n in enumerate(shape)]
            return self._changed(x, self.known[x].reshape(sizes))
        return self.add("Reshape", x, self.ints(*shape), outputs=[output] if output else ())

    def transpose(self, x: str, perm: Sequence[int], output: str = "") -> str:
        """x with its dimensions in another order; likewise."""
        if x in self.known and not output:
            return self._changed(x, np.ascontiguousarray(self.known[x].transpose(perm)))
        return self.add("Transpose", x, outputs=[output] if output else (), perm=tuple(perm))

    def _changed(self, name: str, array: np.ndarray) -> str:
        made = self.graph.constant(array, name)
        self.known[made] = array
        return made

    def first(self, x: str, rank: int, last: bool) -> str:
        """x with its channels before the spatial axes; `last`: they are behind."""
        return self.transpose(x, (0, rank - 1, *range(1, rank - 1))) if last and rank > 2 else x

    def give_ordered(self, y: str, rank: int, last: bool) -> None:
        """y, its channels before the spatial axes, is the operator's first output; `last`: it wants them behind."""
        if last and rank > 2:
            self.transpose(y, (0, *range(2, rank), 1), self.outputs[0])
        else:
            self.finish(y)

    def finish(self, y: str) -> None:
        """y, made by the last nodes, is the operator's first output."""
        self.graph.rename(y, self.outputs[0])

    def reduce(self, kind: str, x: str, axes: Sequence[int], keepdims: bool = True, output: str = "") -> str:
        """x reduced over axes: they are an attribute in older opsets and an input in newer ones."""
        outputs, keep = [output] if output else (), int(keepdims)
        if self.graph.opset >= 18 or kind == "ReduceSum":
            return self.add(kind, x, self.ints(*axes), outputs=outputs, keepdims=keep)
        return self.add(kind, x, outputs=outputs, axes=tuple(axes), keepdims=keep)

    def wants(self, k: int) -> bool:
        """Whether the operator has an output k."""
        return len(self.outputs) > k


def _counts_rows(sizes: np.ndarray) -> bool:
    return bool(((sizes > 0) & (sizes < END) & (sizes % ROWS == 0)).any())


def numpy_type(meta: torch.Tensor) -> np.dtype:
    """The element type of a tensor. Raises Unexportable for one that NumPy lacks."""
    if meta.dtype not in BY_TORCH:
        raise Unexportable(f"the element type {meta.dtype} is not written; cast it to float")
    return BY_TORCH[meta.dtype].numpy


def settled(before: Sequence[int], after: Sequence[int]) -> tuple[int, ...]:
    """A shape for Reshape that leaves the batch open where it is the first dimension of both."""
    keeps = before and after and before[0] == after[0] and 0 not in (*before, *after)
    return (0, *after[1:]) if keeps else tuple(after)
