"""Rows of a dataset packed into the elements of one tensor, and unpacked again."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from caffe2.opdef import REFUSED, UNKNOWN, EnforceNotMet, OutputCount, op
from caffe2.ops.dataset.tree import Column, Tree
from caffe2.proto import caffe2_pb2
from caffe2.runtime.serialize import stored_as, tensor_proto, tensor_value


class Record(NamedTuple):
    """Entries of every column, those of one row or of all."""

    columns: tuple[Column, ...]


def _write(record: Record, blob: caffe2_pb2.BlobProto) -> None:
    columns = caffe2_pb2.TensorProtos(protos=[tensor_proto(column) for column in record.columns])
    blob.content = columns.SerializeToString()


def _read(blob: caffe2_pb2.BlobProto) -> Record:
    return Record(tuple(map(tensor_value, caffe2_pb2.TensorProtos.FromString(blob.content).protos)))


stored_as(Record, "std::shared_ptr<std::vector<TensorCPU>>", _write, _read)  # the original leaves the content out


def _tensor_of(records: list[Record]) -> np.ndarray:
    packed = np.empty(len(records), dtype=object)
    for k, record in enumerate(records):
        packed[k] = record
    return packed


@op("PackRecords: +fields_ -> tensor", gradient=REFUSED, shape=UNKNOWN)
def pack_records(*columns: Column, fields: tuple[str, ...] = (), pack_to_single_shared_ptr: bool = False) -> np.ndarray:
    """The rows of a dataset as the elements of a tensor, each holding its entries of every column.

    tensor: (rows), or (1) with pack_to_single_shared_ptr; only UnPackRecords can read it.
    pack_to_single_shared_ptr: all rows are one element.
    """
    tree = Tree(fields)
    limits = tree.limits(columns)
    if pack_to_single_shared_ptr:
        sizes = tree.advance(columns, [0] * tree.domains, limits[0])
        return _tensor_of([Record(tuple(_own(c)[: sizes[d]] for c, d in zip(columns, tree.domain)))])
    begins = tree.offsets(columns)
    parts = [_split(_own(column), begins[:, d]) for column, d in zip(columns, tree.domain)]
    return _tensor_of([Record(row) for row in zip(*parts)])


def _own(column: Column) -> Column:
    return column.clone() if isinstance(column, torch.Tensor) else column.copy()


def _split(column: Column, begins: torch.Tensor) -> list[Column]:
    places = begins.tolist()
    return [column[begin:end] for begin, end in zip(places, places[1:])]


@op("UnPackRecords: packed_tensor *prototypes -> +fields_", gradient=REFUSED, shape=UNKNOWN)
def unpack_records(
    packed: np.ndarray, *prototypes: Column, fields: tuple[str, ...] = (), count: OutputCount
) -> list[Column]:
    """The columns whose rows PackRecords packed.

    packed_tensor: as PackRecords makes it.
    prototypes: a tensor for each column, of its type and shape; needed where there is no row.
    """
    if not isinstance(packed, np.ndarray) or not all(isinstance(record, Record) for record in packed.reshape(-1)):
        raise EnforceNotMet("UnPackRecords: it unpacks what PackRecords packed")
    rows = [record.columns for record in packed.reshape(-1)]
    if not rows and not prototypes:
        raise EnforceNotMet("UnPackRecords: without a row and without prototypes the columns have no shape")
    models = prototypes or rows[0]
    if not len(models) == len(fields) == count:
        raise EnforceNotMet(f"UnPackRecords: {len(models)} columns for {len(fields)} fields and {count} outputs")
    return [_joined(fields[k], model, [row[k] for row in rows]) for k, model in enumerate(models)]


def _joined(name: str, model: Column, parts: list[Column]) -> Column:
    for part in parts:
        if part.dtype != model.dtype or part.shape[1:] != model.shape[1:]:
            raise EnforceNotMet(f"UnPackRecords: {name!r} is {part.dtype} {list(part.shape)}, not like {model.dtype}")
    whole = [model[:0], *parts]
    return np.concatenate(whole) if isinstance(model, np.ndarray) else torch.cat(whole)
