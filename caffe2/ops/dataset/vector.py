"""Vectors of tensors, as blobs."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import REFUSED, UNKNOWN, EnforceNotMet, Op, Site, op
from caffe2.runtime.blob import describe


class TensorVector(list):
    """Tensors of any shapes, in order."""


@op("CreateTensorVector: -> vector", gradient=REFUSED)
def create_tensor_vector() -> TensorVector:
    """A vector without tensors."""
    return TensorVector()


@op("TensorVectorSize: vector -> size", gradient=REFUSED, shape=UNKNOWN)
def tensor_vector_size(vector: TensorVector) -> Tensor:
    """How many tensors a vector holds.

    size: int32, of no dimensions.
    """
    return torch.tensor(len(vector), dtype=torch.int32)


@op("ConcatTensorVector: vector -> tensor", gradient=REFUSED, shape=UNKNOWN)
def concat_tensor_vector(vector: TensorVector) -> Tensor:
    """The tensors of a vector, joined along the first dimension; in the others and in type they are alike.

    tensor: (N, ...).
    """
    if not vector:
        raise EnforceNotMet("ConcatTensorVector: the vector is empty")
    kinds = {(t.dtype, t.shape[1:]) for t in vector}
    if len(kinds) > 1 or not vector[0].dim():
        raise EnforceNotMet(f"ConcatTensorVector: its tensors are not alike: {[list(t.shape) for t in vector[:5]]}")
    return torch.cat(list(vector))


@op(
    "CollectTensor: +blobs -> +vectors",
    inplace="blobs => vectors",
    arity=lambda i, o: i == 2 * o,
    gradient=REFUSED,
    shape=UNKNOWN,
    random=True,
    shares=True,
)
class CollectTensor(Op):
    """Keeps a sample of the tensors that it sees: num_to_collect of them, every one as likely (reservoir sampling).

    blobs: N vectors, then N tensors; those of one run are kept together, at the same place, or not at all.
    vectors: the N vectors.
    num_to_collect: how many tensors are kept.
    """

    num_to_collect: int = -1
    generator: torch.Generator

    def bind(self, site: Site) -> None:
        if self.num_to_collect < 1:
            raise EnforceNotMet(f"CollectTensor: num_to_collect is {self.num_to_collect}, and has to be positive")
        self.seen = 0

    def __call__(self, *blobs: Any) -> list[TensorVector]:
        vectors, tensors = blobs[: len(blobs) // 2], blobs[len(blobs) // 2 :]
        for vector in vectors:
            if not isinstance(vector, TensorVector) or len(vector) < min(self.seen, self.num_to_collect):
                raise EnforceNotMet("CollectTensor: its first blobs are vectors of tensors that it alone fills")
        for tensor in tensors:
            if not isinstance(tensor, (Tensor, np.ndarray)):
                raise EnforceNotMet(f"CollectTensor keeps tensors, not {describe(tensor)}")
        place = self.seen
        if self.seen >= self.num_to_collect:
            place = int(torch.randint(self.seen + 1, (), generator=self.generator))
        self.seen += 1
        if place < self.num_to_collect:
            for vector, tensor in zip(vectors, tensors):
                vector[place : place + 1] = [tensor.clone()]
        return list(vectors)
