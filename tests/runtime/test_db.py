"""Databases: the interface on every kind, and what is particular to one."""

import pytest

import caffe2.runtime  # noqa: F401
from caffe2.opdef import EnforceNotMet
from caffe2.runtime import db, serialize
from caffe2.runtime.db.reader import DBReader

ORDERED = ["lmdb", "leveldb"]


@pytest.fixture(params=["minidb", *ORDERED])
def kind(request):
    package = {"lmdb": "lmdb", "leveldb": "plyvel"}.get(request.param)
    if package:
        pytest.importorskip(package)
    return request.param


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "db")


def put(kind, path, mode, *pairs):
    database = db.open_db(kind, path, mode)
    transaction = database.new_transaction()
    for key, value in pairs:
        transaction.put(key, value)
    transaction.commit()
    del transaction
    database.close()


def everything(kind, path):
    database = db.open_db(kind, path, db.Mode.read)
    cursor, found = database.new_cursor(), []
    while cursor.valid():
        found.append((cursor.key(), cursor.value()))
        cursor.next()
    return found


def test_write_add_read(kind, path):
    put(kind, path, db.Mode.new, (b"b", b"2"), (b"a", b"1" * 5000))
    put(kind, path, db.Mode.write, (b"c", b"\0"))
    pairs = [(b"b", b"2"), (b"a", b"1" * 5000), (b"c", b"\0")]
    assert everything(kind, path) == (sorted(pairs) if kind in ORDERED else pairs)


def test_a_transaction_commits_when_it_goes(kind, path):
    database = db.open_db(kind, path, db.Mode.new)
    transaction = database.new_transaction()
    transaction.put(b"k", b"v")
    del transaction
    database.close()
    del database
    assert everything(kind, path) == [(b"k", b"v")]


def test_refusals(kind, path):
    with pytest.raises(db.DatabaseError, match="cannot be opened for mode read"):
        db.open_db(kind, path, db.Mode.read)
    assert not db.exists(kind, path)
    put(kind, path, db.Mode.new, (b"k", b"v"))
    assert db.exists(kind, path)
    with pytest.raises(db.DatabaseError, match="is open to be read"):
        db.open_db(kind, path, db.Mode.read).new_transaction()


def test_seek(kind, path):
    put(kind, path, db.Mode.new, (b"a", b"1"), (b"c", b"3"))
    cursor = db.open_db(kind, path, db.Mode.read).new_cursor()
    assert cursor.supports_seek() == (kind in ORDERED)
    if kind not in ORDERED:
        with pytest.raises(db.DatabaseError, match="no order of keys"):
            cursor.seek(b"b")
        return
    cursor.seek(b"b")
    assert cursor.key() == b"c"
    cursor.seek(b"d")
    assert not cursor.valid()
    cursor.seek_to_first()
    assert cursor.key() == b"a"


def test_reader_begins_again_and_skips_other_shards(kind, path):
    put(kind, path, db.Mode.new, *((b"%d" % k, b"v") for k in range(5)))
    assert [DBReader(kind, path).read()[0] for _ in range(2)] == [b"0", b"0"]
    shard = DBReader(kind, path, 2, 1)
    assert [shard.read()[0] for _ in range(3)] == [b"1", b"3", b"1"]


def test_reader_errors(path):
    with pytest.raises(EnforceNotMet, match="shard 2 of 2"):
        DBReader("minidb", path, 2, 2)
    put("minidb", path, db.Mode.new, (b"a", b"1"))
    with pytest.raises(db.DatabaseError, match="no record for shard 1"):
        DBReader("minidb", path, 2, 1)
    put("minidb", path, db.Mode.new)
    with pytest.raises(db.DatabaseError, match="holds no record"):
        DBReader("minidb", path).read()


@pytest.mark.parametrize("ordered", ORDERED)
def test_a_stored_reader_goes_on_where_it_was(ordered, path):
    pytest.importorskip({"lmdb": "lmdb", "leveldb": "plyvel"}[ordered])
    put(ordered, path, db.Mode.new, *((b"%d" % k, b"v") for k in range(3)))
    reader = DBReader(ordered, path)
    reader.read()
    content = serialize.serialize(reader, "r")
    del reader
    assert serialize.deserialize(content).read()[0] == b"1"


def test_unknown_type(path):
    with pytest.raises(db.DatabaseError, match="did you mean minidb"):
        db.open_db("minidbb", path, db.Mode.read)


@pytest.mark.parametrize("content", [b"\1", b"\0" * 20, b"\2\0\0\0\xff\0\0\0ab", b"any text that is no database"])
def test_damaged_minidb(path, content):
    with open(path, "wb") as file:
        file.write(content)
    with pytest.raises(db.DatabaseError, match="damaged or none"):
        db.open_db("minidb", path, db.Mode.read).new_cursor()


def test_minidb_format(path):
    put("minidb", path, db.Mode.new, (b"k1", b"v1"))
    with open(path, "rb") as file:
        assert file.read() == b"\2\0\0\0\2\0\0\0k1v1"


def test_protodb(path):
    from caffe2.proto import caffe2_pb2

    tensor = caffe2_pb2.TensorProto(name="t", float_data=[1.0]).SerializeToString()
    put("protodb", path, db.Mode.new, (b"t", tensor))
    assert everything("protodb", path) == [(b"t", tensor)]
    with pytest.raises(db.DatabaseError, match="cannot be put under 't'"):
        put("protodb", path, db.Mode.write, (b"t", tensor))


def test_a_cut_off_lmdb_is_told(tmp_path):
    pytest.importorskip("lmdb")
    path = str(tmp_path / "cut")
    put("lmdb", path, db.Mode.new, *((b"%04d" % k, b"x" * 1000) for k in range(100)))
    file = tmp_path / "cut" / "data.mdb"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(EnforceNotMet, match="cut off"):
        db.open_db("lmdb", path, db.Mode.read)
