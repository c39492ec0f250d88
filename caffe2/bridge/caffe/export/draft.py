"""A Caffe net being written: layers, their weights, and the names of inner blobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from google.protobuf.message import Message

from caffe2.bridge.caffe.export.program import Program
from caffe2.bridge.caffe.export.site import Refusal, Site
from caffe2.bridge.caffe.forks import ForkLayerParameter
from caffe2.bridge.fresh import fresh_name
from caffe2.proto import caffe_pb2

Exporter = Callable[[Site, "Draft"], None]
exporters: dict[str, Exporter] = {}


def exports(*types: str) -> Callable[[Exporter], Exporter]:
    """Register the function below, of a Site and a Draft, as what writes operators of these types."""

    def attach(function: Exporter) -> Exporter:
        exporters.update(dict.fromkeys(types, function))
        return function

    return attach


FORKS = {
    "Permute": "SSD (weiliu89/caffe), also Intel's, OpenCV's and most NPU tool-chains",
    "Normalize": "SSD (weiliu89/caffe)",
    "PriorBox": "SSD (weiliu89/caffe)",
    "DetectionOutput": "SSD (weiliu89/caffe)",
    "ROIPooling": "Fast R-CNN (rbgirshick/caffe-fast-rcnn)",
    "PSROIPooling": "R-FCN (daijifeng001/caffe-rfcn)",
    "Proposal": "Faster R-CNN in C++ (Intel's Caffe)",
    "SmoothL1Loss": "Fast R-CNN (rbgirshick/caffe-fast-rcnn)",
    "ShuffleChannel": "ShuffleNet (farmingyard/ShuffleNet)",
    "Upsample": "SegNet (alexgkendall/caffe-segnet) with a mask, YOLO's without",
    "Interp": "DeepLab, PSPNet (hszhao/PSPNet)",
    "InstanceNorm": "those for style transfer",
    "Axpy": "SENet (hujie-frank/SENet)",
    "Pooling3D": "C3D (facebookarchive/C3D)",
}
"""Layers that BVLC's Caffe has not, and the forks that have them."""

LATER = {"Clip": "2018", "Swish": "2018"}
"""Layers that BVLC's Caffe has had since a year, after its release 1.0."""


@dataclass(eq=False)
class Weight:
    """The numbers of one parameter.

    source: the blob that they are, unchanged, so that layers may share it. stem: the blob that they were made of.
    """

    array: np.ndarray
    source: str = ""
    stem: str = ""


@dataclass(eq=False)
class Drafted:
    """One layer: Caffe's own message, the fields that a fork added, and the parameters."""

    proto: Message
    fork: Message | None
    weights: list[Weight] = field(default_factory=list)
    name: str = ""
    site: Site | None = None

    def reads(self, old: str, new: str) -> None:
        """Give a bottom or top another name."""
        for side in (self.proto.bottom, self.proto.top):
            side[:] = [new if blob == old else blob for blob in side]


class Draft:
    """Adds layers to a net. Constants that a layer takes as a bottom become Parameter layers."""

    def __init__(self, program: Program, *, bvlc: bool = False) -> None:
        self.program, self.bvlc = program, bvlc
        self.layers: list[Drafted] = []
        self.notes: list[str] = []
        self.site: Site | None = None
        self.overwriting: set[str] = set()
        self.done: set[int] = set()
        self.indices: dict[str, str] = {}  # blobs of whole numbers, by the blob of floats that has the same
        self.groups: dict[int, Callable[[], None]] = {}
        self._blobs = {*program.inputs, *program.writers, *program.readers}
        self._made = set(program.inputs)

    def layer(
        self,
        kind: str,
        bottoms: str | Sequence[str],
        tops: str | Sequence[str] = "",
        *,
        weights: Sequence[Weight] = (),
        fork: Mapping[str, Any] | None = None,
        name: str = "",
        **params: Any,
    ) -> str:
        """Add a layer; the name of its first top, a new one where none is given.

        params: fields of LayerParameter; fork: of ForkLayerParameter. Raises Refusal for a fork's layer under `bvlc`.
        """
        below = [self.bottom(name) for name in ([bottoms] if isinstance(bottoms, str) else bottoms)]
        above = [top or self.fresh(below[0]) for top in ([tops] if isinstance(tops, str) else tops)]
        self._of_a_fork(kind)
        given = {field: value for field, value in params.items() if value != {}}
        proto = caffe_pb2.LayerParameter(type=kind, bottom=below, top=above, **given)
        made = ForkLayerParameter(**fork) if fork is not None else None
        self.layers.append(Drafted(proto, made, list(weights), name, self.site))
        self._made.update(above)
        return above[0] if above else ""

    def _of_a_fork(self, kind: str) -> None:
        if kind in LATER:
            self.note(f"{kind} layers need a BVLC Caffe of {LATER[kind]} or later")
        if kind not in FORKS:
            return
        if self.bvlc:
            what = f"BVLC's Caffe has no {kind} layer; {FORKS[kind]} has"
            raise Refusal(what, advice="allow layers of forks, or write the net without it")
        self.note(f"{kind} layers are those of forks of Caffe: {FORKS[kind]}")

    @contextmanager
    def trial(self) -> Iterator[None]:
        """Take back, at the end of the block, what is written within."""
        held = {name: value.copy() for name, value in vars(self).items() if isinstance(value, (list, set, dict))}
        try:
            yield
        finally:
            vars(self).update(held)

    def bottom(self, name: str) -> str:
        """A blob that a layer may read. Raises Refusal for numbers that exist in Caffe2 alone."""
        if name in self.indices:
            raise Refusal(f"{name!r} holds whole numbers, and Caffe's blobs hold floats")
        if name not in self._made and (array := self.constant(name)) is not None:
            shape = {"dim": array.shape}
            self.layer("Parameter", [], name, weights=[self.weight(name)], name=name, parameter_param={"shape": shape})
        return name

    def index(self, name: str) -> str:
        """The blob of floats that holds the whole numbers of an index."""
        return self.indices.get(name, name)

    def constant(self, name: str) -> np.ndarray | None:
        """The value of a blob that no input changes; None for others."""
        return self.program.constants.get(name)

    def weight(self, name: str) -> Weight:
        """The numbers of a parameter. Raises Refusal for a blob that an operator or a user gives."""
        array = self.constant(name)
        if array is None:
            what = f"{name!r} is computed or fed, and the layer takes a parameter"
            raise Refusal(what, advice="put its values into the init net")
        return Weight(array, name, name)

    def shaped(self, name: str, shape: Sequence[int]) -> Weight:
        """The numbers of a parameter in another shape of equal size."""
        held = self.weight(name)
        array = held.array.reshape(shape)
        return held if array.shape == held.array.shape else Weight(array, stem=name)

    def fresh(self, stem: str) -> str:
        """A name that no blob has yet."""
        name = fresh_name(stem, self._blobs)
        self._blobs.add(name)
        return name

    def sole(self, name: str) -> Site | None:
        """The one operator that reads a blob that is no output of the net; None where there are others, or none."""
        readers = self.program.readers[name]
        return readers[0] if len(readers) == 1 and name not in self.program.outputs else None

    def read(self, site: Site, k: int) -> bool:
        """Whether anyone reads an output of an operator, if it has it."""
        outputs = site.outputs
        return k < len(outputs) and (bool(self.program.readers[outputs[k]]) or outputs[k] in self.program.outputs)

    def origin(self, name: str) -> str:
        """The blob that a name is a value of."""
        return self.program.origins.get(name, name)

    def note(self, text: str) -> None:
        """Tell the user, once."""
        if text not in self.notes:
            self.notes.append(text)

    def rename(self, old: str, new: str) -> None:
        """Give the top of the last layer another name."""
        self.layers[-1].proto.top[:] = [new if top == old else top for top in self.layers[-1].proto.top]
        self._made.add(new)
