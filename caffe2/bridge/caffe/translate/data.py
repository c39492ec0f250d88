"""Data layers, and what is written to files."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from caffe2.bridge.caffe.errors import TranslatorError
from caffe2.bridge.caffe.layers import Layer
from caffe2.bridge.caffe.mean import read_mean
from caffe2.bridge.caffe.reference.transform import located
from caffe2.bridge.caffe.translate.builder import Builder, Translator, filler, translates
from caffe2.proto import caffe_pb2


@translates("Input", "MemoryData", "WindowData", "DenseImageData", "AnnotatedData")
def _fed(layer: Layer, b: Builder) -> None:
    """Fed by whoever runs the net."""
    b.made.inputs.update(zip(layer.tops, layer.top_shapes))


def _reads(*types: str) -> Callable[[Translator], Translator]:
    """Register the translator of layer types that read files; where the files are not here, their tops are fed."""

    def attach(function: Translator) -> Translator:
        @translates(*types)
        def translate(layer: Layer, b: Builder) -> None:
            (function if layer.reference.here() else _fed)(layer, b)

        return function

    return attach


@translates("DummyData")
def _(layer: Layer, b: Builder) -> None:
    fillers = list(layer.param.data_filler) or [None]
    fillers = fillers * len(layer.tops) if len(fillers) == 1 else fillers
    b.made.ops.extend(filler(*each) for each in zip(layer.tops, layer.top_shapes, fillers))


def _transform(layer: Layer, b: Builder) -> tuple[list[str], dict[str, Any]]:
    """The blob of the mean image, where there is one, and the arguments that transform_param stands for."""
    p = layer.proto.transform_param
    args = {
        "batch_size": layer.param.batch_size,
        "crop_size": p.crop_size or None,
        "mirror": int(p.mirror) or None,
        "scale": p.scale if p.scale != 1 else None,
        "mean_value": tuple(p.mean_value) or None,
        "train": int(not b.is_test) or None,
    }
    if not p.HasField("mean_file"):
        return [], args
    try:
        return [b.constant(read_mean(located(layer.reference, p.mean_file)), f"{layer.name}_mean")], args
    except TranslatorError as error:
        raise layer.error(str(error), "transform_param.mean_file") from None


@_reads("Data")
def _(layer: Layer, b: Builder) -> None:
    p, transform = layer.param, layer.proto.transform_param
    mean, args = _transform(layer, b)
    args |= {
        "source": layer.reference.source,
        "backend": "lmdb" if p.backend == caffe_pb2.DataParameter.LMDB else "leveldb",
        "force_color": int(transform.force_color) or None,
        "force_gray": int(transform.force_gray) or None,
        "rand_skip": p.rand_skip or None,
    }
    b.op("CaffeData", mean, layer.tops, **args)


@_reads("ImageData")
def _(layer: Layer, b: Builder) -> None:
    p = layer.param
    mean, args = _transform(layer, b)
    args |= {
        "source": layer.reference.source,
        "root_folder": p.root_folder or None,
        "folder": os.path.dirname(layer.path) or None,
        "new_height": p.new_height or None,
        "new_width": p.new_width or None,
        "is_color": int(p.is_color),
        "shuffle": int(p.shuffle) or None,
        "rand_skip": p.rand_skip or None,
    }
    b.op("CaffeImageData", mean, layer.tops, **args)


@_reads("HDF5Data")
def _(layer: Layer, b: Builder) -> None:
    p = layer.param
    files = {"source": layer.reference.source, "folder": os.path.dirname(layer.path) or None}
    counts = {"batch_size": p.batch_size, "shuffle": int(p.shuffle) or None}
    b.op("CaffeHDF5Data", [], layer.tops, datasets=layer.tops, **files, **counts)


@translates("HDF5Output")
def _(layer: Layer, b: Builder) -> None:
    b.op("CaffeHDF5Output", layer.bottoms, [], file_name=layer.param.file_name)
