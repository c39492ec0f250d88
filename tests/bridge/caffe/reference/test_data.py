"""Layers that read images, and what transform_param makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from caffe2.bridge.caffe import LayerError, reference
from caffe2.bridge.caffe.reference.records import resized
from caffe2.proto import caffe_pb2
from tests.bridge.caffe.files import net, write

PIXELS = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    image = pytest.importorskip("PIL.Image")
    for index, pixels in enumerate(PIXELS):
        image.fromarray(pixels).save(tmp_path / f"a {index}.png")
    write(tmp_path, "a 0.png 7\na 1.png 8\n", "list.txt")
    return tmp_path


def run(folder: Path, layer: str, phase: str = "TEST") -> dict[str, np.ndarray]:
    found = net(folder, f'layer {{ name: "d" top: "data" top: "label" {layer} }}', phase=phase)
    blobs = reference.run(found)
    assert {name: value.shape for name, value in blobs.items()} == found.shapes
    return blobs


def test_an_image_list_wraps_around(listed: Path) -> None:
    blobs = run(listed, 'type: "ImageData" image_data_param { source: "list.txt" batch_size: 3 }')
    assert blobs["label"].tolist() == [7, 8, 7]
    assert np.array_equal(blobs["data"][1], PIXELS[1].transpose(2, 0, 1)[::-1])


def test_crop_mean_and_scale(listed: Path) -> None:
    text = "transform_param { crop_size: 3 mean_value: [1, 2, 3] scale: 0.5 }"
    blobs = run(listed, f'type: "ImageData" image_data_param {{ source: "list.txt" }} {text}')
    want = (PIXELS[0].transpose(2, 0, 1)[::-1].astype(np.float32) - np.array([1, 2, 3]).reshape(3, 1, 1)) * 0.5
    assert np.array_equal(blobs["data"][0], want[:, 0:3, 1:4])


def test_training_crops_and_mirrors_by_chance(listed: Path) -> None:
    text = 'type: "ImageData" image_data_param { source: "list.txt" batch_size: 40 }'
    blobs = run(listed, text + "transform_param { crop_size: 3 mirror: true }", "TRAIN")
    assert len({value.tobytes() for value in blobs["data"][::2]}) > 6


def test_a_mean_file(listed: Path) -> None:
    mean = np.ones((3, 4, 5), np.float32)
    write(
        listed,
        caffe_pb2.BlobProto(num=1, channels=3, height=4, width=5, data=mean.reshape(-1)).SerializeToString(),
        "m",
    )
    layer = 'type: "ImageData" image_data_param { source: "list.txt" } transform_param { mean_file: "m" %s }'
    assert np.array_equal(run(listed, layer % "")["data"][0] + 1, PIXELS[0].transpose(2, 0, 1)[::-1])
    with pytest.raises(LayerError, match="not both"):
        run(listed, layer % "mean_value: 1")
    write(listed, "nothing", "m")
    with pytest.raises(LayerError, match=r"transform_param.mean_file: .*m: "):
        run(listed, layer % "")


def test_images_of_a_given_size_or_gray(listed: Path) -> None:
    text = 'type: "ImageData" image_data_param { source: "list.txt" new_height: 8 new_width: 10 is_color: false }'
    assert run(listed, text)["data"].shape == (1, 1, 8, 10)


def test_resizing_keeps_centers() -> None:
    ramp = np.tile(np.arange(0, 40, 10, dtype=np.uint8), (1, 2, 1))
    assert resized(ramp, (2, 8))[0, 0].tolist() == [0, 2, 8, 12, 18, 22, 28, 30]
    assert resized(ramp, (1, 2))[0, 0].tolist() == [5, 25]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('type: "ImageData" image_data_param { source: "list.txt" batch_size: 0 }', "batch_size: must be positive"),
        (
            'type: "ImageData" image_data_param { source: "list.txt" } transform_param { crop_size: 9 }',
            "larger than the image",
        ),
        (
            'type: "ImageData" image_data_param { source: "list.txt" } transform_param { mean_value: [1, 2] }',
            "3 channels",
        ),
        ('type: "ImageData" image_data_param { source: "net.prototxt" }', "cannot be read"),
        ('type: "MemoryData" memory_data_param { batch_size: 1 }', "must be given and positive"),
        ('type: "Data" data_param { source: "nowhere" batch_size: 1 }', "have to be given as inputs"),
        ('type: "DummyData" dummy_data_param { num: 1 channels: 1 height: 1 }', "width: give it once"),
    ],
)
def test_refused(listed: Path, text: str, what: str) -> None:
    with pytest.raises(LayerError, match=what):
        run(listed, text)


def test_dummy_data(tmp_path: Path) -> None:
    fillers = 'data_filler { value: 3 } data_filler { type: "uniform" min: 1 max: 2 }'
    blobs = run(tmp_path, f'type: "DummyData" dummy_data_param {{ shape {{ dim: 2 dim: 3 }} {fillers} }}')
    assert (blobs["data"] == 3).all() and ((blobs["label"] >= 1) & (blobs["label"] < 2)).all()
