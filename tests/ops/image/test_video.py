"""Batches of clips out of databases of videos."""

from __future__ import annotations

import io
import tempfile

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from caffe2.ops.image import video
from caffe2.ops.image.video_input import DEVIATION, MEAN
from caffe2.proto import caffe2_pb2
from caffe2.runtime.db.reader import DBReader
from caffe2.runtime.workspace import Workspace
from tests.ops.image.test_input import protos, written
from tests.runtime.nets import operator
from tests.sample import Sample, samples

av = pytest.importorskip("av")
INT32, INT64, STRING = 2, 10, 4
TIMES = 12


def film(height=24, width=32, times=TIMES) -> np.ndarray:
    """uint8 (T, H, W, 3), red first: every frame of one color, which says its number, but for a brighter right half."""
    made = np.zeros((times, height, width, 3), np.uint8)
    for t in range(times):
        made[t] = 10 + 15 * t, 200 - 15 * t, 60
    made[:, :, width // 2 :] += 40
    return made


def encoded(images: np.ndarray) -> bytes:
    """The bytes of a file that holds exactly these frames."""
    file = io.BytesIO()
    with av.open(file, "w", format="avi") as container:
        stream = container.add_stream("rawvideo", rate=10)
        stream.height, stream.width, stream.pix_fmt = *images.shape[1:3], "bgr24"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def clip(content: bytes | str, *numbers: tuple[int, list[int]]) -> bytes:
    made = caffe2_pb2.TensorProtos()
    made.protos.add(data_type=STRING, string_data=[content if isinstance(content, bytes) else content.encode()])
    for kind, values in numbers:
        field = {INT32: "int32_data", INT64: "int64_data"}[kind]
        made.protos.add(data_type=kind, **{field: values})
    return made.SerializeToString()


def normal(images: np.ndarray) -> np.ndarray:
    """Frames (T, H, W, 3) as the operator gives them."""
    return ((images - np.float32(MEAN[4:])) / np.float32(DEVIATION[4:])).transpose(3, 0, 1, 2)


@pytest.fixture
def read(tmp_path):
    def run(records, outputs="data label", **arguments):
        workspace = Workspace()
        workspace.put("db", DBReader("minidb", written(str(tmp_path / "videos"), records)))
        plain = {"random_crop": 0, "random_mirror": 0, "video_res_type": 2, "length_rgb": 3, "crop_size": 24}
        settings = {"batch_size": len(records), "no_prefetch": 1, **plain, **arguments}
        workspace.run_operator_once(operator("VideoInput", "db", outputs, **settings))
        return [workspace.fetch(name) for name in outputs.split()]

    return run


@samples("VideoInput")
def _(rng):
    folder = tempfile.TemporaryDirectory()

    def reader():
        records = [clip(encoded(film()), (INT32, [k])) for k in range(2)]
        return DBReader("minidb", written(f"{folder.name}/db", records))

    settings = {"batch_size": 2, "crop_size": 8, "scale_h": 8, "scale_w": 12, "length_rgb": 2, "no_prefetch": 1}
    yield Sample("VideoInput", (reader,), settings, outputs=2)


def test_a_clip_from_the_frame_that_the_record_says(read):
    record = clip(encoded(film()), (INT32, [7]), (INT32, [4]), (INT64, [2**40]))
    outputs = "data label id start"
    data, label, number, start = read(
        [record], outputs, decode_type=2, sampling_rate_rgb=2, get_video_id=1, get_start_frame=1
    )
    np.testing.assert_allclose(data[0], normal(film()[4:9:2, :, 4:28]), rtol=1e-5)
    assert (label.tolist(), number.tolist(), start.tolist()) == ([7], [2**40], [4])
    assert (data.dtype, label.dtype, number.dtype, start.dtype) == (np.float32, np.int32, np.int64, np.int32)


def test_clips_spread_evenly_and_crops_along_the_longer_side(read):
    record = clip(encoded(film()), (INT32, [1]))
    data, label = read([record, record], decode_type=1, clip_per_video=3, crop_per_clip=2, crop_size=20, length_rgb=2)
    assert data.shape == (12, 3, 2, 20, 20) and label.tolist() == [1] * 12
    for k, (start, left) in enumerate((s, x) for s in (0, 5, 10) for x in (0, 12)):
        np.testing.assert_allclose(data[k], normal(film()[start : start + 2, 2:22, left : left + 20]), rtol=1e-5)
    np.testing.assert_array_equal(data[6:], data[:6])


def test_clips_where_they_are_asked_for_go_on_with_the_last_frame(read):
    record = clip(encoded(film()), (INT32, [1]))
    data, _ = read([record], decode_type=1, clip_start_positions=[2, 11], crop_size=24)
    np.testing.assert_allclose(data[0], normal(film()[2:5, :, 4:28]), rtol=1e-5)
    np.testing.assert_allclose(data[1], normal(film()[[11, 11, 11], :, 4:28]), rtol=1e-5)


def test_labels_of_several_classes_and_files_by_their_paths(read, tmp_path):
    path = tmp_path / "film.avi"
    path.write_bytes(encoded(film()))
    data, label = read([clip(str(path), (INT32, [0, 3]))], use_local_file=1, do_multi_label=1, num_of_class=5)
    assert label.tolist() == [[1, 0, 0, 1, 0]] and data.shape == (1, 3, 3, 24, 24)


@pytest.mark.parametrize(
    ("settings", "height", "width"),
    [({"video_res_type": 0, "scale_h": 30, "scale_w": 26}, 30, 26), ({"video_res_type": 1, "short_edge": 48}, 48, 64)],
)
def test_frames_are_brought_to_a_size(read, settings, height, width):
    whole = film()
    data, _ = read([clip(encoded(whole), (INT32, [0]), (INT32, [0]))], decode_type=2, length_rgb=1, **settings)
    left = (width - 24) // 2
    middle = np.float32(MEAN[4]) + data[0, 0, 0] * np.float32(DEVIATION[4])
    assert abs(middle[12, max(width // 2 - left - 6, 0)] - 10) < 4 and abs(middle[12, -1] - 50) < 4
    assert video.Size(1, 0, 0, 48, 24).of(24, 32) == (48, 64) and video.Size(2, 0, 0, 0, 48).of(32, 24) == (64, 48)


def test_chance_follows_the_seed_and_stays_in_the_video():
    def drawn(seed):
        workspace = Workspace()
        folder = tempfile.mkdtemp()
        workspace.put("db", DBReader("minidb", written(f"{folder}/db", [clip(encoded(film()), (INT32, [0]))])))
        op = operator(
            "VideoInput",
            "db",
            "data label",
            batch_size=4,
            no_prefetch=1,
            crop_size=8,
            length_rgb=2,
            random_sampling_rate=3,
            video_res_type=1,
            short_edge=24,
            jitter_scales=[16, 24],
        )
        op.device_option.random_seed = seed
        workspace.run_operator_once(op)
        return workspace.fetch("data")

    first = drawn(3)
    np.testing.assert_array_equal(first, drawn(3))
    assert (first != drawn(4)).any() and len({d.tobytes() for d in first}) > 1


def test_pictures_as_clips_of_one_frame(read):
    picture = np.random.default_rng(0).integers(0, 256, (24, 24, 3)).astype(np.uint8)
    data, label = read([protos(picture, [5])], image_as_input=1, video_res_type=0, scale_h=24, scale_w=24)
    np.testing.assert_allclose(data[0], normal(picture[None]), rtol=1e-5)
    assert label.tolist() == [5]


@pytest.mark.parametrize(("kind", "channels"), [(0, 2), (1, 3), (2, 3), (3, 5)])
def test_flow_of_a_picture_that_moves(read, kind, channels):
    pytest.importorskip("cv2")
    rng, times = np.random.default_rng(0), 6
    wide = rng.integers(0, 256, (10, 14, 3)).astype(np.uint8).repeat(6, 0).repeat(6, 1)
    moving = np.stack([wide[:48, 20 - 2 * t : 20 - 2 * t + 60] for t in range(times)])
    record = clip(encoded(moving), (INT32, [0]), (INT32, [0]))
    settings = {"get_optical_flow": 1, "get_rgb": 0, "length_of": 2, "frame_gap_of": 2, "flow_data_type": kind}
    data, _ = read([record], decode_type=2, crop_size=48, **settings)
    assert data.shape == (1, channels, 2, 48, 48)
    across, down = (data[0, c] * DEVIATION[c] + MEAN[c] for c in (0, 1))
    assert abs(np.median(across[:, 12:36, 12:36]) - 4) < 0.5 and abs(np.median(down[:, 12:36, 12:36])) < 0.5
    if kind == 3:
        np.testing.assert_allclose(data[0, 2:, 0], normal(moving[:1, :, 6:54])[:, 0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"crop_size": 0}, "crop_size"),
        ({"decode_type": 0, "clip_per_video": 2}, "decode_type 1"),
        ({"video_res_type": 1, "short_edge": 10}, "smaller than crop_size"),
        ({"get_video_id": 1}, "3 outputs"),
        ({"random_crop": 1, "crop_per_clip": 2}, "random_crop"),
    ],
)
def test_settings_that_do_not_go_together(read, settings, what):
    with pytest.raises(EnforceNotMet, match=what):
        read([clip(encoded(film()), (INT32, [0]))], **settings)


def test_damaged_records_are_named(read):
    whole = encoded(film())
    for record, what in (
        (clip(b"no video at all", (INT32, [0])), "cannot be decoded"),
        (clip(whole[:200], (INT32, [0])), "cannot be decoded|no frames|no video"),
        (clip(whole), "1 tensors; 2 are wanted"),
        (clip(whole, (INT32, [])), "has no label"),
        (b"\xff\xff", "no serialized TensorProtos"),
    ):
        with pytest.raises(EnforceNotMet, match=what) as caught:
            read([record])
        assert "b'0'" in str(caught.value)
