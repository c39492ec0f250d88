"""Operators of vendors' libraries that are not here: each says, when a net with it is made, what to use instead.

inputs, outputs: any.
"""

from __future__ import annotations

from typing import Any

from caffe2.opdef import UNKNOWN, EnforceNotMet, Op, Site, op

ABSENT = {
    "Onnxifi": (
        "hands a net to a vendor's ONNXIFI library",
        "run the net as it was before onnxifi transformed it, or its ONNX model with an ONNX runtime",
    ),
    "TensorRT": (
        "holds an engine that TensorRT serialized",
        "run the net that the engine was built from, on a CUDA device",
    ),
    "CopyCPUToIDEEP": ("brings a tensor into IDEEP's layout", "leave the copy out: torch runs oneDNN's kernels itself"),
    "CopyIDEEPToCPU": ("brings a tensor out of IDEEP's layout", "leave the copy out: torch's tensors are plain ones"),
    "CopyToMKL": ("brings a tensor into MKL's layout", "leave the copy out: torch runs oneDNN's kernels itself"),
    "CopyFromMKL": ("brings a tensor out of MKL's layout", "leave the copy out: torch's tensors are plain ones"),
}
"""What each of them does, and what to do instead."""


class Absent(Op):
    def bind(self, site: Site) -> None:
        does, instead = ABSENT[site.op.type]
        raise EnforceNotMet(f"{site.op.type} {does}, which is not part of this library: {instead}")

    def __call__(self, *inputs: Any) -> None:
        """Never reached: bind refuses."""


for _name, (_does, _instead) in ABSENT.items():
    op(
        f"{_name}: *inputs -> *outputs",
        shape=UNKNOWN,
        stores=False,
        doc=f"Refused: it {_does}, which is not part of this library. Instead, {_instead}.",
    )(Absent)
