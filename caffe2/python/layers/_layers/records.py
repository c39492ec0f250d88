"""Records of ids, with and without scores, and what their metadata says."""

from __future__ import annotations

import numpy as np

from caffe2.python import schema
from caffe2.python._misuse import demand

IdList = schema.List(np.int64)
IdScoreList = schema.Map(np.int64, np.float32)
IdListWithEvicted = schema.ListWithEvicted(np.int64)
IdScoreListWithEvicted = schema.MapWithEvicted(np.int64, np.float32)


def almost_equal_schemas(
    record: schema.Field,
    original_schema: schema.Field,
    check_field_names: bool = True,
    check_field_types: bool = True,
    check_field_metas: bool = False,
) -> bool:
    """Whether a record has a schema, or, for IdList and IdScoreList, the one with evicted values."""
    for plain, evicted in ((IdList, IdListWithEvicted), (IdScoreList, IdScoreListWithEvicted)):
        if original_schema == plain:
            checks = (check_field_names, check_field_types, check_field_metas)
            return any(schema.equal_schemas(record, kind, *checks) for kind in (plain, evicted))
    return schema.equal_schemas(record, original_schema)


def get_key(record: schema.Field) -> schema.Scalar:
    """The field of a record that holds the ids. Raises Misuse where it has no metadata."""
    if almost_equal_schemas(record, IdList):
        key = record["values"]
    elif almost_equal_schemas(record, IdScoreList, check_field_types=False):
        key = record["values:keys"]
    else:
        raise NotImplementedError(f"a record of ids is an IdList or an IdScoreList, not {record!r}")
    demand(key.metadata is not None, f"blob {key()} has no metadata")
    return key


def get_categorical_limit(record: schema.Field) -> int | None:
    """The number that all ids of a record are below."""
    return get_key(record).metadata.categorical_limit


def get_avg_length(record: schema.Field) -> int | None:
    """How many ids an example is expected to have."""
    return record["lengths"].metadata.expected_value


def set_request_only(field: schema.Field) -> None:
    """Let the metadata of all fields say that they are features of requests alone."""
    for scalar in field.all_scalars():
        metadata = scalar.metadata or schema.Metadata()
        specs = metadata.feature_specs or schema.FeatureSpec()
        demand(
            metadata.categorical_limit is None or np.issubdtype(scalar.field_type(), np.integer),
            f"categorical_limit is for integers, not for {scalar!r}",
        )
        scalar.set_metadata(metadata._replace(feature_specs=specs._replace(feature_is_request_only=True)))


def is_request_only_scalar(scalar: schema.Field) -> bool:
    """Whether the metadata says that a field is a feature of requests alone."""
    specs = [metadata and metadata.feature_specs for metadata in scalar.field_metadata()]
    return bool(specs) and all(spec and spec.feature_is_request_only for spec in specs)
