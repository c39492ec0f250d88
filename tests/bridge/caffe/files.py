"""Small Caffe files for tests, written where a test asks."""

from __future__ import annotations

from pathlib import Path

from google.protobuf.message import Message

from caffe2.bridge.caffe import Net, read_net
from caffe2.proto import caffe_pb2

RECORDED = Path(__file__).with_name("recorded")


def inputs(**shapes: tuple[int, ...]) -> str:
    """The text of an Input layer for each name."""
    layer = 'layer {{ name: "{0}" type: "Input" top: "{0}" input_param {{ shape {{ {1} }} }} }}\n'
    return "".join(layer.format(name, " ".join(f"dim: {dim}" for dim in shape)) for name, shape in shapes.items())


def write(folder: Path, text: str | bytes, name: str = "net.prototxt") -> str:
    """The path of a new file with that text."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def net(folder: Path, text: str, weights: Message | None = None, **state: object) -> Net:
    """The net of a prototxt's text."""
    return read_net(write(folder, text), weights, **state)


def blob(shape: tuple[int, ...], values: object) -> Message:
    """A BlobProto of the newest generation."""
    return caffe_pb2.BlobProto(shape=caffe_pb2.BlobShape(dim=shape), data=values)
