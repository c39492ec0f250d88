import pickle

import numpy as np
import pytest

from caffe2.python import core, schema, workspace
from caffe2.python.schema import List, Metadata, Scalar, Struct


def nested():
    return Struct(
        ("id", np.int64), ("tags", List(str)), ("pair:x", Scalar((np.float32, 3))), ("pair", Struct(("y", Scalar())))
    )


def test_names_types_and_places():
    s = nested()
    assert s.field_names() == ["id", "tags:lengths", "tags:values", "pair:x", "pair:y"]
    assert s.field_types()[3] == np.dtype((np.float32, 3)) and s.field_types()[4] == np.dtype(np.void)
    assert [s.pair.y.id(), s.tags.slice(), s.pair.slice()] == [4, slice(1, 3), slice(3, 5)]


def test_fields_are_found():
    s = nested()
    assert s["pair:x"] is s.pair.x and s["tags:values"] is s.tags.items and s[0] is s.id
    assert "tags:lengths" in s and "tags:nothing" not in s and s.get("nothing", 3) == 3
    assert s[["pair", 0]].field_names() == ["pair:x", "pair:y", "id"]
    with pytest.raises(KeyError, match='field "pair:z" not found'):
        s["pair:z"]
    with pytest.raises(KeyError, match="Field not found in list"):
        s.tags["lengths:x"]


def test_a_map_shows_its_keys():
    m = schema.Map(np.int32, np.float32, keys_name="k")
    assert m.field_names() == ["lengths", "values:k", "values:values"] and m.k.dtype == np.int32


def test_evicted_values_come_last():
    m = schema.MapWithEvicted(np.int32, np.float32)
    assert m.field_names()[-1] == "_evicted_values" and m._evicted_values.id() == 3
    assert m.clone() == m and m["_evicted_values"].dtype == np.int64


@pytest.mark.parametrize(
    "fields, error",
    [
        ([("a", Scalar()), ("a", Scalar())], ValueError),
        ([("lengths", Scalar())], AssertionError),
        ([("", Scalar())], AssertionError),
        ([("a", Scalar(), 3)], AssertionError),
    ],
)
def test_fields_that_cannot_be(fields, error):
    with pytest.raises(error):
        Struct(*fields)


def test_a_struct_stays_as_it_is():
    with pytest.raises(TypeError, match="cannot be changed"):
        nested().id = Scalar()


def test_sums_and_differences():
    s, t = nested(), Struct(("pair:z", Scalar()), ("new", Scalar()))
    assert (s + t).field_names() == [*s.field_names(), "pair:z", "new"]
    assert (s + t - s).field_names() == ["pair:z", "new"]
    for wrong in (lambda: s + s, lambda: s - Struct(("pair", Scalar())), lambda: s + Scalar()):
        with pytest.raises(TypeError):
            wrong()


def test_a_scalar_takes_what_numpy_takes():
    assert Scalar((np.int32, 1)).dtype.shape == (1,)
    assert Scalar(np.float32, [1, 2]).get().dtype == np.float32
    assert Scalar((np.float32, 2), []).get().shape == (0, 2)
    assert Scalar(np.float32, np.zeros((3, 4))).dtype.shape == (4,)


@pytest.mark.parametrize(
    "make, error, text",
    [
        (lambda: Scalar(blob="x"), ValueError, "ambiguous"),
        (lambda: Scalar((np.void, 2)), TypeError, "proper type"),
        (lambda: Scalar([("a", np.int32)]), AssertionError, "from_dtype"),
        (lambda: Scalar(blob=3), AssertionError, "Invalid blob type"),
        (lambda: Scalar().get(), AssertionError, "not set"),
        (lambda: Scalar(np.float32, metadata=Metadata(categorical_limit=3)), AssertionError, "integral"),
        (lambda: Scalar(metadata=3), AssertionError, "must be Metadata"),
    ],
)
def test_a_scalar_refuses(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_structured_types():
    made = schema.from_dtype(np.dtype([("a", np.int32), ("b", np.float32, (2,))]), (5,))
    assert made.field_names() == ["a", "b"] and [t.shape for t in made.field_types()] == [(5,), (5, 2)]


def test_columns_make_a_tree():
    names = ["a", "l:lengths", "l:values:x", "m:lengths", "m:keys", "m:values"]
    made = schema.from_column_list(names, col_types=[np.int32] * 6)
    assert isinstance(made.l, List) and made.m.keys.dtype == np.int32
    assert schema.from_column_list([]).field_names() == []
    for wrong in (["a", "a:b"], ["a:b", "a"]):
        with pytest.raises(ValueError, match="Duplicate field name"):
            schema.from_column_list(wrong)
    with pytest.raises(AssertionError, match="same length"):
        schema.from_column_list(["a"], col_types=[])


def test_plain_values_as_records():
    made = schema.as_record({"a": np.zeros(2), "b": [np.zeros(1), np.zeros(1)]})
    assert made.field_names() == ["a", "b:field_0", "b:field_1"]
    assert schema.as_record([("x", np.zeros(1))]).field_names() == ["x"]
    assert schema.schema_check(made, made.clone()) is made
    with pytest.raises(AssertionError):
        schema.schema_check(made, schema.RawTuple(2))


def test_schemas_survive_pickling():
    s = nested()
    assert pickle.loads(pickle.dumps(s)) == s and s != Struct(("id", np.int64))


def test_blobs_are_fed_and_fetched():
    net = core.Net("records")
    record = schema.NewRecord(net, Struct(("a", np.int32), ("l", List(np.float32))))
    schema.FeedRecord(record, [np.int32([1]), np.int32([2]), np.float32([3, 4])])
    fetched = schema.FetchRecord(record)
    assert fetched.l.items().tolist() == [3, 4] and fetched.a.dtype == np.int32
    with pytest.raises(AssertionError, match="exactly 3 ndarrays"):
        schema.FeedRecord(record, [1])


def test_records_of_constants_and_of_nothing():
    net = core.Net("constants")
    held = schema.ConstRecord(net, Struct(("a", np.float32([1, 2]))))
    empty = schema.InitEmptyRecord(net, Struct(("x", Scalar((np.int64, 3))), ("y", Scalar())))
    workspace.RunNetOnce(net)
    assert schema.FetchRecord(held).a().tolist() == [1, 2]
    assert workspace.FetchBlob(empty.x()).shape == (0, 3) and workspace.FetchBlob(empty.y()).dtype == np.float32
    with pytest.raises(TypeError, match="Unknown dtype"):
        schema.InitEmptyRecord(net, Struct(("y", Scalar())), enforce_types=True)


def test_types_of_blobs():
    assert schema.data_type_for_dtype(np.dtype("S3")) == core.DataType.STRING
    assert schema.dtype_for_core_type(core.DataType.BOOL) is bool
    with pytest.raises(TypeError):
        schema.dtype_for_core_type(99)
