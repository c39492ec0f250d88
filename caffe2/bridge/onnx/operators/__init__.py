"""How each operator is written in ONNX's: a module a family, a line an operator where a table can say it."""

from caffe2.bridge.onnx.operators import (
    arithmetic,
    caffe,
    convolution,
    detection,
    elementwise,
    index,
    join,
    layout,
    linear,
    normalization,
    pooling,
    recurrent,
    reduction,
    regions,
    resize,
)

__all__ = [
    "arithmetic",
    "caffe",
    "convolution",
    "detection",
    "elementwise",
    "index",
    "join",
    "layout",
    "linear",
    "normalization",
    "pooling",
    "recurrent",
    "reduction",
    "regions",
    "resize",
]
