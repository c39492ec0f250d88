"""Records of tensors read from a database, one batch ahead of the program."""

from __future__ import annotations

import numpy as np
import torch
from google.protobuf.message import DecodeError

from caffe2.opdef import NONE, UNKNOWN, EnforceNotMet, Op, OutputCount, op
from caffe2.proto import caffe2_pb2
from caffe2.runtime import serialize
from caffe2.runtime.db.reader import DBReader
from caffe2.runtime.errors import MessageError
from caffe2.runtime.threads import Ahead

Value = torch.Tensor | np.ndarray


class Prefetch(Op):
    """Base of operators that read ahead: `read` is called on a thread, once before it is needed.

    no_prefetch: read when the operator runs.
    """

    no_prefetch: bool = False
    device: torch.device

    _ahead: Ahead | None = None

    def read(self, source: DBReader) -> list[Value]:
        """The next batch."""
        raise NotImplementedError

    def __call__(self, source: DBReader) -> list[Value]:
        if not isinstance(source, DBReader):
            raise EnforceNotMet(
                f"a reader of a database is needed, made by CreateDB; this is a {type(source).__name__}"
            )
        if self.no_prefetch:
            return self._placed(self.read(source))
        batch, self._ahead = self._ahead or Ahead(self.read, source), None
        values = batch.result()
        self._ahead = Ahead(self.read, source)
        return self._placed(values)

    def close(self) -> None:
        """Wait until what is read ahead is read: whoever reads next gets what comes after it."""
        if self._ahead is not None:
            self._ahead.wait()

    def _placed(self, values: list[Value]) -> list[Value]:
        return [v.to(self.device, non_blocking=True) if isinstance(v, torch.Tensor) else v for v in values]


@op("TensorProtosDBInput: data -> +outputs", gradient=NONE, shape=UNKNOWN)
class TensorProtosDBInput(Prefetch):
    """Reads records, each a TensorProtos message with as many tensors as there are outputs.

    data: a reader of a database, as CreateDB makes it.
    outputs: (batch_size, ...): the tensors.
    batch_size: how many records are stacked along a new first dimension; 0 for the tensors of one as they are.
    """

    batch_size: int = 0
    count: OutputCount

    def read(self, source: DBReader) -> list[Value]:
        if not self.batch_size:
            return self._record(source)
        records = [self._record(source) for _ in range(self.batch_size)]
        return [_stacked(tensors, number) for number, tensors in enumerate(zip(*records))]

    def _record(self, source: DBReader) -> list[Value]:
        key, content = source.read()
        protos = caffe2_pb2.TensorProtos()
        try:
            protos.ParseFromString(content)
        except DecodeError as error:
            raise MessageError(f"the record {key!r} is no serialized TensorProtos: {error}") from None
        if len(protos.protos) != self.count:
            raise EnforceNotMet(f"the record {key!r} has {len(protos.protos)} tensors for {self.count} outputs")
        return [serialize.tensor_value(proto, torch.device("cpu")) for proto in protos.protos]


def _stacked(tensors: tuple[Value, ...], number: int) -> Value:
    kinds = {(type(t), t.dtype, tuple(t.shape)) for t in tensors}
    if len(kinds) > 1:
        shown = " and ".join(sorted(f"{dtype}{list(shape)}" for _, dtype, shape in kinds))
        raise EnforceNotMet(f"tensor {number} is not alike in all records of a batch: {shown}")
    return np.stack(tensors) if isinstance(tensors[0], np.ndarray) else torch.stack(tensors)
