"""Schemas of data sets: nested structs and lists whose leaves are one column, a tensor, each."""

from caffe2.python._core.blob_reference import BlobReference
from caffe2.python._schema.build import (
    Map,
    MapWithEvicted,
    NamedTuple,
    RawTuple,
    Tuple,
    as_record,
    from_column_list,
    from_dtype,
)
from caffe2.python._schema.containers import List, ListWithEvicted, Struct, _normalize_field
from caffe2.python._schema.field import FIELD_SEPARATOR, FeatureSpec, Field, Metadata, _join_field_name
from caffe2.python._schema.records import (
    ConstRecord,
    FeedRecord,
    FetchRecord,
    InitEmptyRecord,
    NewRecord,
    attach_metadata_to_scalars,
    data_type_for_dtype,
    dtype_for_core_type,
    equal_schemas,
    from_blob_list,
    is_schema_subset,
    schema_check,
)
from caffe2.python._schema.scalar import Scalar

__all__ = [
    "FIELD_SEPARATOR",
    "BlobReference",
    "ConstRecord",
    "FeatureSpec",
    "FeedRecord",
    "FetchRecord",
    "Field",
    "InitEmptyRecord",
    "List",
    "ListWithEvicted",
    "Map",
    "MapWithEvicted",
    "Metadata",
    "NamedTuple",
    "NewRecord",
    "RawTuple",
    "Scalar",
    "Struct",
    "Tuple",
    "_join_field_name",
    "_normalize_field",
    "as_record",
    "attach_metadata_to_scalars",
    "data_type_for_dtype",
    "dtype_for_core_type",
    "equal_schemas",
    "from_blob_list",
    "from_column_list",
    "from_dtype",
    "is_schema_subset",
    "schema_check",
]
