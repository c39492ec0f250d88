"""Batches of pictures out of databases."""

from __future__ import annotations

import io
import tempfile

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet
from caffe2.ops.image import sampling
from caffe2.proto import caffe2_pb2, caffe_pb2
from caffe2.runtime import db
from caffe2.runtime.db.reader import DBReader
from caffe2.runtime.workspace import Workspace
from tests.runtime.nets import operator
from tests.sample import Sample, samples

Image = pytest.importorskip("PIL.Image")
INT32, FLOAT, STRING, BYTE = 2, 1, 4, 3


def photo(k, height=10, width=12):
    """uint8 [H, W, 3], blue, green, red."""
    return np.random.default_rng(k).integers(0, 256, (height, width, 3)).astype(np.uint8)


def encoded(picture):
    file = io.BytesIO()
    Image.fromarray(picture[:, :, ::-1]).save(file, "PNG")
    return file.getvalue()


def protos(picture, label, *others, box=None):
    made = caffe2_pb2.TensorProtos()
    made.protos.add(data_type=STRING, string_data=[picture if isinstance(picture, bytes) else encoded(picture)])
    for values in (label, *others):
        if isinstance(values[0], float):
            made.protos.add(data_type=FLOAT, float_data=values)
        else:
            made.protos.add(data_type=INT32, int32_data=values)
    if box:
        made.protos.add(data_type=INT32, int32_data=box)
    return made.SerializeToString()


def written(path, records):
    database = db.open_db("minidb", path, db.Mode.new)
    transaction = database.new_transaction()
    for k, content in enumerate(records):
        transaction.put(b"%d" % k, content)
    transaction.commit()
    return path


@samples("ImageInput")
def _(rng):
    folder = tempfile.TemporaryDirectory()

    def reader():
        return DBReader("minidb", written(f"{folder.name}/db", [protos(photo(k), [k], [0.5]) for k in range(3)]))

    settings = {"batch_size": 2, "crop": 6, "minsize": 8, "no_prefetch": 1}
    yield Sample("ImageInput", (reader,), settings, outputs=3)
    yield Sample("ImageInput", (reader,), {**settings, "color": 0, "is_test": 1}, outputs=3)


@pytest.fixture
def read(tmp_path):
    def run(records, outputs="data label", **arguments):
        workspace = Workspace()
        workspace.put("db", DBReader("minidb", written(str(tmp_path / "pictures"), records)))
        settings = {"batch_size": len(records), "crop": 10, "minsize": 10, "is_test": 1, **arguments}
        workspace.run_operator_once(operator("ImageInput", "db", outputs, **settings))
        return [workspace.fetch(name) for name in outputs.split()]

    return run


def test_normalized_at_the_center(read):
    means, deviations = [10.0, 20.0, 30.0], [2.0, 4.0, 8.0]
    data, labels = read([protos(photo(k), [k]) for k in range(2)], mean_per_channel=means, std_per_channel=deviations)
    expected = [(photo(k)[:, 1:11] - np.float32(means)) / np.float32(deviations) for k in range(2)]
    np.testing.assert_allclose(data, expected, rtol=1e-6)
    assert labels.dtype == np.int32 and labels.tolist() == [0, 1]


def test_boxes_of_records_go_before_that_of_the_arguments(read):
    bounds = {f"bounding_{name}": 0 for name in ("ymin", "xmin")} | {"bounding_height": 10, "bounding_width": 10}
    records = [protos(photo(0, 30, 30), [0], box=[5, 7, 10, 10]), protos(photo(1, 30, 30), [0])]
    data, _ = read([*records, protos(photo(2, 30, 30), [0], box=[25, 0, 10, 10])], **bounds)
    np.testing.assert_array_equal(data[0], photo(0, 30, 30)[5:15, 7:17])
    np.testing.assert_array_equal(data[1], photo(1, 30, 30)[:10, :10])
    np.testing.assert_array_equal(data[2], photo(2, 30, 30)[10:20, 10:20], "a box beyond the picture counts not")


@pytest.mark.parametrize(
    "kind, given, expected",
    [(0, [[7]], 7), (0, [[1.5]], 1.5), (4, [[7], [0.5]], 7), (1, [[0, 2]], [1, 0, 1]), (2, [[4, 5, 6]], [4, 5, 6])]
    + [(5, [[4.0, 5.0, 6.0]], [4, 5, 6]), (3, [[2, 1], [0.5, 0.25]], [0, 0.25, 0.5])],
)
def test_labels(read, kind, given, expected):
    _, label, more = read(
        [protos(photo(0), *given, [9, 8])], "data label more", label_type=kind, num_labels=3, output_sizes=[2]
    )
    assert label[0].tolist() == expected and more.tolist() == [[9, 8]]
    assert label.dtype == (np.int32 if isinstance(given[0][0], int) and kind != 3 else np.float32)


def test_bytes_and_grays(read):
    made = caffe2_pb2.TensorProtos()
    made.protos.add(data_type=BYTE, dims=[10, 12, 3], byte_data=photo(0).tobytes())
    made.protos.add(data_type=INT32, int32_data=[1])
    data, _ = read([made.SerializeToString()])
    np.testing.assert_array_equal(data[0], photo(0)[:, 1:11])
    data, _ = read([made.SerializeToString()], color=0)
    np.testing.assert_allclose(data[0, ..., 0], photo(0)[:, 1:11] @ np.array([0.114, 0.587, 0.299]), atol=0.51)


@pytest.mark.parametrize("file", [False, True])
def test_records_of_caffe(read, file):
    content = encoded(photo(0)) if file else photo(0).transpose(2, 0, 1).tobytes()
    datum = caffe_pb2.Datum(channels=3, height=10, width=12, data=content, label=5, encoded=file)
    data, label = read([datum.SerializeToString()], use_caffe_datum=1)
    np.testing.assert_array_equal(data[0], photo(0)[:, 1:11])
    assert label.tolist() == [5]


@pytest.mark.parametrize("arguments, size", [({"scale": 20, "minsize": -1}, (20, 24)), ({"minsize": 15}, (15, 18))])
def test_sizes(read, arguments, size):
    data, _ = read([protos(photo(0), [0])], crop=15, **arguments)
    whole = sampling.resized(torch.from_numpy(photo(0)), *size).numpy()
    top, left = (size[0] - 15) // 2, (size[1] - 15) // 2
    np.testing.assert_array_equal(data[0], whole[top : top + 15, left : left + 15])


def test_warped(read):
    data, _ = read([protos(photo(0), [0])], scale=10, minsize=-1, warp=1)
    np.testing.assert_array_equal(data[0], sampling.resized(torch.from_numpy(photo(0)), 10, 10))


def test_areas_are_averaged():
    picture = torch.from_numpy(photo(0, 8, 12))
    expected = photo(0, 8, 12).reshape(2, 4, 4, 3, 3).mean((1, 3))
    np.testing.assert_allclose(sampling.resized(picture, 2, 4), expected, atol=0.51)
    row = torch.tensor([0, 100, 200], dtype=torch.uint8).reshape(1, 3, 1)
    assert sampling.resized(row, 1, 2).flatten().tolist() == [33, 167], "pixels count by how much of them is covered"
    assert sampling.resized(row, 2, 3)[1].flatten().tolist() == [0, 100, 200]


def test_pictures_vary_in_training(read):
    picture = np.arange(100, dtype=np.uint8).repeat(3).reshape(10, 10, 3)
    record = protos(picture, [0])
    data, _ = read([record] * 24, is_test=0, mirror=1, crop=9)
    seen = {tuple(d[0, :2, 0].tolist()) for d in data}
    corners = {(float(t + l), float(t + l + 1)) for t in (0, 10) for l in (0, 1)}
    mirrored = {(float(t + l + 8), float(t + l + 7)) for t in (0, 10) for l in (0, 1)}
    assert seen <= corners | mirrored and len(seen & corners) > 1 and len(seen & mirrored) > 1
    data, _ = read([record] * 8, is_test=0, scale_jitter_type=1, color_jitter=1, color_lighting=1)
    assert data.shape == (8, 10, 10, 3) and len({d.tobytes() for d in data}) == 8


def test_colors_vary_as_said():
    rng, values = np.random.default_rng(0), torch.from_numpy(photo(0)).float()
    torch.testing.assert_close(sampling.jittered(values, 0.0, 0.0, 0.0, rng), values)
    brighter = sampling.jittered(values, 0.0, 0.4, 0.0, rng) / values
    assert brighter[values > 0].std() < 1e-5 and 0.6 <= brighter[values > 0].mean() <= 1.4
    gray = values @ sampling.GRAY
    torch.testing.assert_close(sampling.jittered(values, 0.4, 0.0, 0.0, rng) @ sampling.GRAY, gray)
    torch.testing.assert_close((sampling.jittered(values, 0.0, 0.0, 0.4, rng) @ sampling.GRAY).mean(), gray.mean())
    shift = sampling.lit(values, 0.1, rng) - values
    assert shift.flatten(0, 1).std(0).max() < 1e-4 and shift.abs().max() > 0


def test_pictures_that_cannot_be_decoded(read):
    records = [protos(b"no picture", [0]), protos(photo(0), [1])]
    data, labels = read(records)
    assert not data[0].any() and data[1].any() and labels.tolist() == [0, 1]
    with pytest.raises(EnforceNotMet, match="1 of 2 pictures cannot be decoded"):
        read(records, max_decode_error_ratio=0.4)


def test_read_by_name(tmp_path):
    workspace = Workspace()
    path = written(str(tmp_path / "named"), [protos(photo(0), [4])])
    made = operator("ImageInput", "", "data label", db=path, db_type="minidb", batch_size=1, crop=10, minsize=10)
    workspace.run_operator_once(made)
    assert workspace.fetch("label").tolist() == [4]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_planes_on_a_gpu(tmp_path):
    workspace = Workspace()
    workspace.put("db", DBReader("minidb", written(str(tmp_path / "gpu"), [protos(photo(0), [4])])))
    settings = dict(batch_size=1, crop=10, minsize=10, is_test=1, use_gpu_transform=1, mean=3.0, std=2.0)
    made = operator("ImageInput", "db", "data label", output_type="FLOAT16", **settings)
    made.device_option.device_type = caffe2_pb2.PROTO_CUDA
    workspace.run_operator_once(made)
    data = workspace.fetch("data")
    assert data.dtype == np.float16
    np.testing.assert_allclose(data[0], (photo(0)[:, 1:11].transpose(2, 0, 1) - 3.0) / 2, rtol=2e-3)


@pytest.mark.parametrize(
    "arguments, message",
    [({"batch_size": 0}, "batch_size is 0"), ({"scale": 20}, "one of scale and minsize"), ({"crop": 11}, "crop, 11")]
    + [({"label_type": 1}, "needs num_labels"), ({"mean_per_channel": [1.0, 2.0, 3.0]}, "3 means and 1 deviations")]
    + [({"random_scale": [20, 10]}, "random_scale is"), ({"use_caffe_datum": 1}, "has sizes")]
    + [({"label_type": 2, "num_labels": 3}, "3, numbers; the record has 1"), ({"decode_threads": 0}, "decode_threads")]
    + [({"label_type": 1, "num_labels": 1}, "labels from 7 to 7 are not in")],
)
def test_misuse(read, arguments, message):
    with pytest.raises(EnforceNotMet, match=message):
        read([protos(photo(0), [7])], **arguments)
