"""Records: schemas whose scalars are blobs of a net or arrays; between the two, feeding and fetching."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe2.python import workspace
from caffe2.python._core.blob_reference import BlobReference
from caffe2.python._core.operators import DataType
from caffe2.python._misuse import demand
from caffe2.python._schema.build import as_record
from caffe2.python._schema.field import Field, Metadata
from caffe2.python._schema.scalar import Scalar

logger = logging.getLogger(__name__)

_DATA_TYPE_FOR_DTYPE = [
    (str, DataType.STRING),
    (np.float16, DataType.FLOAT16),
    (np.float32, DataType.FLOAT),
    (np.float64, DataType.DOUBLE),
    (bool, DataType.BOOL),
    (np.int8, DataType.INT8),
    (np.int16, DataType.INT16),
    (np.int32, DataType.INT32),
    (np.int64, DataType.INT64),
    (np.uint8, DataType.UINT8),
    (np.uint16, DataType.UINT16),
]


def data_type_for_dtype(dtype: np.dtype) -> int:
    """The element type of a blob for a NumPy type. Raises TypeError where there is none."""
    for known, data_type in _DATA_TYPE_FOR_DTYPE:
        if dtype.base == known:
            return data_type
    if dtype.base.kind in "SU":
        return DataType.STRING
    raise TypeError(f"Unknown dtype: {dtype.base}")


def dtype_for_core_type(core_type: int) -> type:
    """The NumPy type for the element type of a blob. Raises TypeError where there is none."""
    for known, data_type in _DATA_TYPE_FOR_DTYPE:
        if data_type == core_type:
            return known
    raise TypeError(f"Unknown core type: {core_type}")


def from_blob_list(schema: Field, values: Any, throw_on_type_mismatch: bool = False) -> Field:
    """A copy of a schema whose scalars hold `values`, in order."""
    demand(isinstance(schema, Field), "Argument `schema` must be a Field.")
    values = [values] if isinstance(values, BlobReference) else values
    record = schema.clone_schema()
    scalars = record.all_scalars()
    demand(len(scalars) == len(values), f"Values must have {len(scalars)} elements, got {len(values)}.")
    for scalar, value in zip(scalars, values):
        scalar.set_value(value, throw_on_type_mismatch, unsafe=True)
    return record


def _references(record: Field) -> list[BlobReference]:
    demand(isinstance(record, Field), f"expected a record, not a {type(record).__name__}")
    blobs = record.field_blobs()
    demand(all(isinstance(blob, BlobReference) for blob in blobs), f"a record of blob references is needed: {record}")
    return blobs


def FetchRecord(blob_record: Field, ws: Any = None, throw_on_type_mismatch: bool = False) -> Field:
    """A record of the arrays that the blobs of a record hold, in `ws` or the current workspace."""
    fetch = workspace.FetchBlob if ws is None else ws.fetch_blob
    arrays = [fetch(str(blob)) for blob in _references(blob_record)]
    return from_blob_list(blob_record, arrays, throw_on_type_mismatch)


def FeedRecord(blob_record: Field, arrays: Field | Sequence[Any], ws: Any = None) -> None:
    """Feed the blobs of a record with arrays, or with those of a record, in `ws` or the current workspace."""
    blobs = _references(blob_record)
    values = arrays.field_blobs() if isinstance(arrays, Field) else arrays
    demand(len(values) == len(blobs), f"Values must contain exactly {len(blobs)} ndarrays, not {len(values)}.")
    for blob, array in zip(blobs, values):
        if ws is None:
            workspace.FeedBlob(str(blob), array)
        else:
            ws.create_blob(str(blob)).feed(array)


def NewRecord(net: Any, schema: Field) -> Field:
    """A copy of a schema with new blobs of a net, named after the fields under the current name scope."""
    if isinstance(schema, Scalar):
        result = schema.clone()
        result.set_value(blob=net.NextScopedBlob("unnamed_scalar"), unsafe=True)
        return result
    demand(isinstance(schema, Field), "Record must be a schema.Field instance.")
    return from_blob_list(schema, [net.NextScopedBlob(prefix=name) for name in schema.field_names()])


def ConstRecord(net: Any, array_record: Field) -> Field:
    """A record of blobs that a net fills with the arrays of a record."""
    blob_record = NewRecord(net, array_record)
    for blob, array in zip(blob_record.field_blobs(), array_record.field_blobs()):
        net.Const(array, blob)
    return blob_record


def InitEmptyRecord(net: Any, schema_or_record: Field, enforce_types: bool = False) -> Field:
    """A record of blobs, new ones for a mere schema, that a net fills with tensors of no rows.

    A scalar of a type that no blob can have becomes float32[0], or raises TypeError with `enforce_types`.
    """
    record = schema_or_record if schema_or_record.has_blobs() else NewRecord(net, schema_or_record)
    for dtype, blob in zip(record.field_types(), record.field_blobs()):
        try:
            filled = {"shape": [0, *dtype.shape], "dtype": data_type_for_dtype(dtype)}
        except TypeError:
            if enforce_types:
                raise
            logger.warning("blob %s is of %s, which no blob can hold; it is made float32", blob, dtype)
            filled = {"shape": [0]}
        net.ConstantFill([], blob, **filled)
    return record


def is_schema_subset(schema: Field, original_schema: Field) -> bool:
    """Whether every name of `schema` is in the other one."""
    return set(schema.field_names()) <= set(original_schema.field_names())


def equal_schemas(
    schema: Field,
    original_schema: Field,
    check_field_names: bool = True,
    check_field_types: bool = True,
    check_field_metas: bool = False,
) -> bool:
    """Whether names, types and, if wanted, metadata are the same."""
    for one in (schema, original_schema):
        demand(isinstance(one, Field), f"expected a schema, not a {type(one).__name__}")
    return (
        (not check_field_names or schema.field_names() == original_schema.field_names())
        and (not check_field_types or schema.field_types() == original_schema.field_types())
        and (not check_field_metas or schema.field_metadata() == original_schema.field_metadata())
    )


def schema_check(schema: Any, previous: Field | None = None) -> Field:
    """`schema` as a record. Raises Misuse where it is not equal to `previous`."""
    record = as_record(schema)
    demand(previous is None or equal_schemas(record, previous), f"the schema {record} is not {previous}")
    return record


def attach_metadata_to_scalars(field: Field, metadata: Metadata) -> None:
    """Give every scalar the same metadata."""
    for scalar in field.all_scalars():
        scalar.set_metadata(metadata)
