"""Nested columns: which column holds the lengths of which, and cursors over them.

A column "p:lengths" opens a domain: every later column "p:..." has an entry for each element of the lists that the
lengths, one for each entry of the domain around, describe. Columns without such a prefix are in the root domain.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import torch

from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2
from caffe2.runtime import serialize

Column = torch.Tensor | np.ndarray

LENGTHS = "lengths"


class Tree:
    """Domains are numbered: 0 the root, j that of the j-th column of lengths, `lengths[j - 1]`.

    `domain[k]` is the domain that column k is in.
    """

    def __init__(self, fields: Sequence[str]) -> None:
        self.fields = tuple(fields)
        parts = [name.split(":") for name in fields]
        self.lengths = [k for k, path in enumerate(parts) if path[-1] == LENGTHS]
        self.domain = [self._deepest(k, parts) for k in range(len(parts))]
        for k, domain in enumerate(self.domain):
            if domain and self.lengths[domain - 1] > k:
                late = self.fields[self.lengths[domain - 1]]
                raise EnforceNotMet(f"the column {self.fields[k]!r} depends on {late!r}, which comes after it")

    def _deepest(self, k: int, parts: list[list[str]]) -> int:
        best, depth = 0, 1
        for j, other in enumerate(self.lengths):
            prefix = parts[other][:-1]
            if other != k and parts[k][: len(prefix)] == prefix and len(prefix) + 1 > depth:
                best, depth = j + 1, len(prefix) + 1
        return best

    @property
    def domains(self) -> int:
        """How many domains there are, that of the root included."""
        return len(self.lengths) + 1

    def limits(self, columns: Sequence[Column]) -> list[int]:
        """How many entries each domain has: as its shortest column. Raises EnforceNotMet where they are no columns."""
        if len(columns) != len(self.fields):
            raise EnforceNotMet(f"{len(columns)} columns are given for the fields {' '.join(self.fields)}")
        limits = [2**63 - 1] * self.domains
        for name, domain, column in zip(self.fields, self.domain, columns):
            if not isinstance(column, Column) or not column.ndim:
                raise EnforceNotMet(f"the column {name!r} is no tensor of at least one dimension")
            limits[domain] = min(limits[domain], len(column))
        return limits

    def lengths_of(self, columns: Sequence[Column], domain: int) -> torch.Tensor:
        """The column of lengths that opens a domain. Raises EnforceNotMet where it is not int32."""
        column = columns[self.lengths[domain - 1]]
        if not isinstance(column, torch.Tensor) or column.dtype is not torch.int32:
            raise EnforceNotMet(f"the column {self.fields[self.lengths[domain - 1]]!r} holds lengths, int32")
        return column

    def advance(self, columns: Sequence[Column], offsets: list[int], count: int) -> list[int]:
        """How many entries of each domain belong to the next `count` rows from `offsets` on, fewer at the end.

        Raises EnforceNotMet for offsets behind the end, and for lengths that go beyond the columns they describe.
        """
        limits, sizes = self.limits(columns), [0] * self.domains
        if offsets[0] > limits[0]:
            raise EnforceNotMet(f"the cursor is at row {offsets[0]} of {limits[0]}")
        sizes[0] = min(limits[0] - offsets[0], count)
        for domain in range(1, self.domains):
            around = self.domain[self.lengths[domain - 1]]
            begin = offsets[around]
            lengths = self.lengths_of(columns, domain)[begin : begin + sizes[around]]
            sizes[domain] = int(lengths.sum())
            if offsets[domain] + sizes[domain] > limits[domain] or bool((lengths < 0).any()):
                name = self.fields[self.lengths[domain - 1]]
                raise EnforceNotMet(f"{name!r} asks for {offsets[domain] + sizes[domain]} of {limits[domain]} entries")
        return sizes

    def offsets(self, columns: Sequence[Column], first: int = 0) -> torch.Tensor:
        """Where each row begins in each domain, [rows + 1, domains] int64; rows from `first` on, the end repeated."""
        limits = self.limits(columns)
        found = [(torch.arange(limits[0] + 1) + first).clamp(max=limits[0])]
        for domain in range(1, self.domains):
            ends = torch.nn.functional.pad(self.lengths_of(columns, domain).long().cumsum(0), (1, 0))
            around = found[self.domain[self.lengths[domain - 1]]]
            if int(around.max()) >= len(ends) or int(ends[around].max()) > limits[domain]:
                raise EnforceNotMet(f"{self.fields[self.lengths[domain - 1]]!r} asks for entries beyond its columns")
            found.append(ends[around])
        return torch.stack(found, dim=1)


class TreeCursor:
    """A place in a dataset: an offset in each domain; none before the first row is read."""

    def __init__(self, tree: Tree, offsets: Sequence[int] = ()) -> None:
        self.tree, self.offsets, self.lock = tree, list(offsets), threading.Lock()

    def here(self) -> list[int]:
        """The offset in every domain."""
        return self.offsets or [0] * self.tree.domains


def cursor_of(value: object, columns: Sequence[Column]) -> TreeCursor:
    """The value as a cursor over as many columns. Raises EnforceNotMet where it is none."""
    if not isinstance(value, TreeCursor):
        raise EnforceNotMet(f"a cursor is needed, made by CreateTreeCursor; this is a {type(value).__name__}")
    if len(columns) != len(value.tree.fields):
        raise EnforceNotMet(f"the cursor goes over {len(value.tree.fields)} columns, and {len(columns)} are given")
    return value


def part(column: Column, begin: int, size: int) -> Column:
    """Entries of a column, as one of its own."""
    cut = column[begin : begin + size]
    return cut.clone() if isinstance(cut, torch.Tensor) else cut.copy()


def _write(cursor: TreeCursor, blob: caffe2_pb2.BlobProto) -> None:
    if cursor.offsets:
        blob.tensor.CopyFrom(serialize.tensor_proto(torch.tensor(cursor.offsets)))
    blob.content = "".join(f"{name} " for name in cursor.tree.fields).encode()


def _read(blob: caffe2_pb2.BlobProto) -> TreeCursor:
    tree = Tree(blob.content.decode().split())
    return TreeCursor(tree, serialize.tensor_value(blob.tensor).tolist() if blob.HasField("tensor") else ())


serialize.stored_as(TreeCursor, "std::unique_ptr<TreeCursor>", _write, _read)
