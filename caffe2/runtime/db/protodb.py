"""The database protodb: one TensorProtos message, whose tensors are records by their names."""

from __future__ import annotations

from pathlib import Path

from google.protobuf.message import DecodeError

from caffe2.proto import caffe2_pb2
from caffe2.runtime.db import DatabaseError, Mode, Unseekable, database


@database("protodb", "ProtoDB")
class ProtoDB:
    """Tensors in the order in which they were put; the file is written when the database is closed."""

    def __init__(self, path: str, mode: Mode) -> None:
        self.path, self.mode, self.closed = path, mode, True
        self.protos = caffe2_pb2.TensorProtos()
        if mode is not Mode.new:
            try:
                self.protos.ParseFromString(Path(path).read_bytes())
            except DecodeError as error:
                raise DatabaseError(f"the protodb {path!r} is no serialized TensorProtos: {error}") from None
        self.closed = False

    def new_cursor(self) -> ProtoDBCursor:
        return ProtoDBCursor(self.protos)

    def new_transaction(self) -> ProtoDBTransaction:
        return ProtoDBTransaction(self.protos)

    def close(self) -> None:
        if not self.closed and self.mode is not Mode.read:
            Path(self.path).write_bytes(self.protos.SerializeToString())
        self.closed = True

    def __del__(self) -> None:
        if hasattr(self, "closed"):
            self.close()


class ProtoDBTransaction:
    """Appends tensors: a value is a serialized TensorProto whose name is the key, each key once."""

    def __init__(self, protos: caffe2_pb2.TensorProtos) -> None:
        self._protos = protos
        self._names = {tensor.name for tensor in protos.protos}

    def put(self, key: bytes, value: bytes) -> None:
        tensor, name = caffe2_pb2.TensorProto(), key.decode()
        try:
            tensor.ParseFromString(value)
        except DecodeError as error:
            raise DatabaseError(f"protodb: the value of {name!r} is no serialized TensorProto: {error}") from None
        if tensor.name != name or name in self._names:
            raise DatabaseError(f"protodb: a tensor named {tensor.name!r} cannot be put under {name!r}, or is there")
        self._names.add(name)
        self._protos.protos.append(tensor)

    def commit(self) -> None:
        """The file is written when the database is closed."""


class ProtoDBCursor(Unseekable):
    """Goes from tensor to tensor."""

    def __init__(self, protos: caffe2_pb2.TensorProtos) -> None:
        self._protos, self._at = protos.protos, 0

    def seek_to_first(self) -> None:
        self._at = 0

    def next(self) -> None:
        self._at += 1

    def valid(self) -> bool:
        return self._at < len(self._protos)

    def key(self) -> bytes:
        return self._protos[self._at].name.encode()

    def value(self) -> bytes:
        return self._protos[self._at].SerializeToString()
