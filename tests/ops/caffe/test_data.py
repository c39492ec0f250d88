"""Caffe's data layers: samples for the laws, order and transformation of what they read."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet, lookup, make_argument
from caffe2.ops.caffe.image import resized
from caffe2.proto import caffe2_pb2, caffe_pb2
from caffe2.runtime import db
from caffe2.runtime.workspace import Workspace
from tests.sample import Sample, samples

PIXELS = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
READS = {"compile": "it reads files"}


def database(folder: Path, kind: str = "lmdb") -> str:
    """A database of both images, labels 7 and 8."""
    path = str(folder / f"images_{kind}")
    made = db.open_db(kind, path, db.Mode.new)
    transaction = made.new_transaction()
    for k, image in enumerate(PIXELS):
        datum = caffe_pb2.Datum(channels=3, height=4, width=5, data=image.tobytes(), label=7 + k)
        transaction.put(b"%d" % k, datum.SerializeToString())
    transaction.commit()
    del transaction
    made.close()
    return path


def images(folder: Path) -> str:
    """A list of both images, labels 7 and 8."""
    image = pytest.importorskip("PIL.Image")
    for k, pixels in enumerate(PIXELS):
        image.fromarray(pixels[::-1].transpose(1, 2, 0)).save(folder / f"a {k}.png")
    (folder / "images.txt").write_text("a 0.png 7\na 1.png 8\n")
    return str(folder / "images.txt")


def rows(folder: Path) -> str:
    """A list of one HDF5 file of 3 rows."""
    with pytest.importorskip("h5py").File(folder / "rows.h5", "w") as file:
        file["x"], file["y"] = np.arange(6.0).reshape(3, 2), np.arange(3)
    (folder / "rows.txt").write_text("rows.h5\n")
    return str(folder / "rows.txt")


def scratch() -> Path:
    return Path(tempfile.mkdtemp(prefix="samples-"))


@samples("CaffeData")
def _(rng):
    args = {"source": database(scratch()), "batch_size": 3}
    yield Sample("CaffeData", (), args, except_=READS)
    mean = rng.random((3, 4, 5), dtype=np.float32)
    yield Sample("CaffeData", (mean,), {**args, "crop_size": 2, "scale": 0.5}, outputs=1, except_=READS)


@samples("CaffeImageData")
def _(rng):
    folder = scratch()
    yield Sample("CaffeImageData", (), {"source": images(folder), "folder": str(folder)}, except_=READS)


@samples("CaffeHDF5Data")
def _(rng):
    folder = scratch()
    args = {"source": rows(folder), "folder": str(folder), "batch_size": 4, "datasets": ("x", "y")}
    yield Sample("CaffeHDF5Data", (), args, outputs=2, except_=READS)


@samples("CaffeHDF5Output")
def _(rng):
    x = rng.random((2, 3), dtype=np.float32)
    yield Sample("CaffeHDF5Output", (x, x), {"file_name": str(scratch() / "out.h5")}, except_=READS)


def run(kind: str, count: int, inputs: tuple = (), times: int = 1, **args) -> list[np.ndarray]:
    """The outputs of an operator, run by one net several times."""
    workspace = Workspace()
    names = [f"i{k}" for k in range(len(inputs))]
    for name, value in zip(names, inputs):
        workspace.feed(name, value)
    op = caffe2_pb2.OperatorDef(type=kind, input=names, output=[f"o{k}" for k in range(count)])
    op.arg.extend(make_argument(k, v) for k, v in args.items())
    workspace.create_net(caffe2_pb2.NetDef(name="n", op=[op]))
    for _ in range(times):
        workspace.run_net("n")
    return [workspace.fetch(name) for name in op.output]


@pytest.mark.parametrize("kind", ["lmdb", "leveldb"])
def test_a_database_wraps_around_and_goes_on(tmp_path: Path, kind: str) -> None:
    source = database(tmp_path, kind)
    before = sorted(p.name for p in Path(source).iterdir())
    data, label = run("CaffeData", 2, source=source, backend=kind, batch_size=3)
    assert label.tolist() == [7, 8, 7] and np.array_equal(data[1], PIXELS[1])
    assert run("CaffeData", 2, times=2, source=source, backend=kind, batch_size=3)[1].tolist() == [8, 7, 8]
    if kind == "leveldb":
        assert sorted(p.name for p in Path(source).iterdir()) == before


def test_crop_mean_and_scale(tmp_path: Path) -> None:
    (data,) = run("CaffeData", 1, source=database(tmp_path), crop_size=2, mean_value=(1.0, 2.0, 3.0), scale=0.5)
    want = (PIXELS[0].astype(np.float32) - np.array([1, 2, 3], np.float32).reshape(3, 1, 1)) * 0.5
    assert np.array_equal(data[0], want[:, 1:3, 1:3])


def test_training_crops_and_mirrors_by_chance(tmp_path: Path) -> None:
    args = {"crop_size": 3, "mirror": 1, "train": 1, "batch_size": 40}
    (data,) = run("CaffeData", 1, source=database(tmp_path), **args)
    assert len({image.tobytes() for image in data[::2]}) > 6


def test_an_image_list_gives_blue_first(tmp_path: Path) -> None:
    data, label = run("CaffeImageData", 2, source=images(tmp_path), folder=str(tmp_path), batch_size=3)
    assert np.array_equal(data, PIXELS[[0, 1, 0]]) and label.tolist() == [7, 8, 7]


def test_shuffling_shows_every_image_once_a_round(tmp_path: Path) -> None:
    args = {"source": images(tmp_path), "folder": str(tmp_path), "shuffle": 1, "batch_size": 20}
    label = run("CaffeImageData", 2, **args)[1].reshape(10, 2)
    assert (label.sum(1) == 15).all() and len(set(label[:, 0])) == 2


def test_rows_wrap_around(tmp_path: Path) -> None:
    source = rows(tmp_path)
    x, y = run("CaffeHDF5Data", 2, source=source, folder=str(tmp_path), batch_size=4, datasets=("x", "y"))
    assert y.tolist() == [0, 1, 2, 0] and x[2].tolist() == [4, 5]


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "out.h5"
    run("CaffeHDF5Output", 0, (np.eye(2, dtype=np.float32), np.ones(2, np.float32)), file_name=str(path))
    with pytest.importorskip("h5py").File(path) as file:
        assert file["data"][1].tolist() == [0, 1] and file["label"][0] == 1


def test_resizing_keeps_centers() -> None:
    ramp = torch.arange(0, 40, 10, dtype=torch.uint8).expand(1, 2, 4)
    assert resized(ramp, (2, 8))[0, 0].tolist() == [0, 2, 8, 12, 18, 22, 28, 30]


@pytest.mark.parametrize(
    "kind, args",
    [
        ("CaffeData", {"backend": "lmdb"}),
        ("CaffeData", {"backend": "leveldb"}),
        ("CaffeImageData", {}),
        ("CaffeHDF5Data", {"datasets": ("x",)}),
    ],
)
def test_a_missing_source_is_refused_by_name(kind: str, args: dict) -> None:
    assert lookup(kind).doc
    with pytest.raises(EnforceNotMet, match="nowhere"):
        run(kind, 1 if kind != "CaffeImageData" else 2, source="nowhere", **args)
