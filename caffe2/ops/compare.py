"""Comparison, logic and bits of two tensors, and choices between two."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import NONE, EnforceNotMet, Op, Site, element_type, op
from caffe2.ops.broadcast import binary, broadcast_shape

COMPARED = "floating index bool"
ROWS = (
    ("EQ", "A == B, as bool", torch.eq, COMPARED, ""),
    ("NE", "A != B, as bool", torch.ne, COMPARED, ""),
    ("LT", "A < B, as bool", torch.lt, COMPARED, ""),
    ("LE", "A <= B, as bool", torch.le, COMPARED, ""),
    ("GT", "A > B, as bool", torch.gt, COMPARED, ""),
    ("GE", "A >= B, as bool", torch.ge, COMPARED, ""),
    ("And", "A and B", torch.logical_and, "bool", "A -> C"),
    ("Or", "A or B", torch.logical_or, "bool", "A -> C"),
    ("Xor", "A or B but not both", torch.logical_xor, "bool", "A -> C"),
    ("BitwiseAnd", "the bits set in A and in B", torch.bitwise_and, "index bool", "A -> C"),
    ("BitwiseOr", "the bits set in A or in B", torch.bitwise_or, "index bool", "A -> C"),
    ("BitwiseXor", "the bits set in one of A and B alone", torch.bitwise_xor, "index bool", "A -> C"),
)
for name, formula, function, types, inplace in ROWS:
    op(
        f"{name}: A B -> C",
        doc=f"Elementwise C = {formula}.",
        types=f"A=B: {types}",
        inplace=inplace,
        shape=broadcast_shape(torch.bool if types == COMPARED else None),
    )(binary(function))


def choose(condition: Tensor, x: Any, y: Any) -> Any:
    """x where the condition holds, else y; tensors or arrays of strings, the condition of a shape that broadcasts."""
    if isinstance(x, np.ndarray):
        return np.where(condition.cpu().numpy(), x, y)
    return torch.where(condition, x, y)


def of_rows(condition: Tensor, x: Any) -> Tensor:
    """A condition on rows, as broad as X. Raises EnforceNotMet unless there is one for each row of X."""
    if condition.dim() != 1 or x.ndim == 0 or condition.shape[0] != x.shape[0]:
        raise EnforceNotMet(f"one condition is needed for each row of {list(x.shape)}, not {list(condition.shape)}")
    return condition.reshape((-1,) + (1,) * (x.ndim - 1))


@op("Where: C X Y -> Z", types="C: bool, X=Y: floating index bool string", same="X Y", like="X")
def where(c: Tensor, x: Any, y: Any, *, broadcast_on_rows: bool = False) -> Any:
    """Z = X where C holds, else Y.

    C: of the shape of X; with broadcast_on_rows, (N).
    X, Y: of one shape, (N, ...), and element type.
    Z: of the shape of X.
    broadcast_on_rows: C decides on whole rows.
    """
    if broadcast_on_rows:
        c = of_rows(c, x)
    elif c.shape != x.shape:
        raise EnforceNotMet(f"C{list(c.shape)} has the shape of X{list(x.shape)}, unless broadcast_on_rows")
    return choose(c, x, y)


@op("Conditional: Condition DataT DataF -> DataO", types="Condition: bool", like="DataT", gradient=NONE)
def conditional(condition: Tensor, x: Tensor | np.ndarray, y: Tensor | np.ndarray) -> Any:
    """Row i of DataO is that of DataT where Condition[i] holds, else that of DataF.

    Condition: (N).
    DataT, DataF: (N, ...), of one shape and element type.
    DataO: of the shape of DataT.
    """
    if tuple(x.shape) != tuple(y.shape) or x.dtype != y.dtype:
        raise EnforceNotMet(f"DataT and DataF differ: {x.dtype}{list(x.shape)} and {y.dtype}{list(y.shape)}")
    return choose(of_rows(condition, x), x, y)


@op(
    "IsMemberOf: X -> Y",
    types="X: index bool string",
    shape=lambda x, **_: x.new_empty(x.shape, dtype=torch.bool),
)
class IsMemberOf(Op):
    """Y says of every element of X whether it is one of `value`.

    X: of any shape.
    Y: bool, of the shape of X.
    value: the members: integers or strings.
    dtype: the element type of X, which need not be given: int32, int64, bool or string.
    """

    value: Any = None
    dtype: Any = None

    def bind(self, site: Site) -> None:
        given = self.value
        numbers = [] if given is None else [*given.ints] or ([given.i] if given.HasField("i") else [])
        self.texts = set() if given is None else {*given.strings} or ({given.s} if given.HasField("s") else set())
        self.members = torch.tensor(numbers, dtype=torch.int64, device=site.device)
        if self.dtype is not None and self.dtype.HasField("i") and self.dtype.i:
            kind = element_type(self.dtype.i).name
            if kind not in ("int32", "int64", "bool", "string"):
                raise EnforceNotMet(f"dtype is int32, int64, bool or string, not {kind}")

    def __call__(self, x: Tensor | np.ndarray) -> Tensor:
        if isinstance(x, np.ndarray):
            found = np.fromiter((text in self.texts for text in x.reshape(-1)), dtype=bool, count=x.size)
            return torch.from_numpy(found.reshape(x.shape))
        if x.dtype is torch.bool:
            return torch.isin(x.long(), (self.members != 0).long())
        return torch.isin(x, self.members.to(x.dtype))
