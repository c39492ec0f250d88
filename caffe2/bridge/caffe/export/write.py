"""Caffe's files written: a prototxt of the newest generation, and a .caffemodel."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from google.protobuf import text_format
from google.protobuf.message import Message

from caffe2.bridge.caffe.export.model import CaffeNet
from caffe2.proto import caffe_pb2
from caffe2.runtime.packed import nested

PathLike = str | os.PathLike


def prototxt(net: CaffeNet) -> str:
    """The text of a net; fields of forks stand as those forks' Caffe reads them."""
    head = caffe_pb2.NetParameter(name=net.proto.name)
    layers = zip(net.proto.layer, net.forks, strict=True)
    return text_format.MessageToString(head) + "".join(map(_layer_text, *zip(*layers)))


def _layer_text(layer: Message, fork: Message | None) -> str:
    parts = [text_format.MessageToString(message, indent=2) for message in (layer, fork) if message is not None]
    return "layer {\n" + "".join(parts) + "}\n"


def write(net: CaffeNet, prototxt_path: PathLike, caffemodel_path: PathLike | None = None) -> None:
    """Write both files; the numbers of each parameter go to the file from where they lie, without a copy."""
    Path(prototxt_path).write_text(prototxt(net), encoding="utf-8")
    if caffemodel_path is None:
        return
    with open(caffemodel_path, "wb") as file:
        file.write(caffe_pb2.NetParameter(name=net.proto.name).SerializeToString())
        for layer, arrays in zip(net.proto.layer, net.weights, strict=True):
            file.writelines(nested(caffe_pb2.NetParameter, "layer", *_parts(layer, arrays)))


def _parts(layer: Message, arrays: list[np.ndarray]) -> Iterator[bytes | memoryview]:
    """The bytes of a layer and of its blobs."""
    yield layer.SerializeToString()
    for array in arrays:
        shape = caffe_pb2.BlobProto(shape={"dim": array.shape}).SerializeToString()
        numbers = memoryview(np.asarray(array, "<f4", order="C").reshape(-1).view(np.uint8))
        data = nested(caffe_pb2.BlobProto, "data", numbers)
        yield from nested(caffe_pb2.LayerParameter, "blobs", shape, *data)
