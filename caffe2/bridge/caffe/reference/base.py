"""What every reference layer is: its counts of blobs, the check of its parameters and shapes, its forward pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, NamedTuple, TypeVar

import numpy as np
from google.protobuf.message import Message

from caffe2.bridge.caffe.blobs import MOST_AXES, shape_text
from caffe2.bridge.caffe.errors import LayerError
from caffe2.bridge.caffe.layers import Layer, Shape
from caffe2.bridge.caffe.reference.fillers import check_filler
from caffe2.proto import caffe_pb2

LARGEST = 2**31 - 1
ANY = None

Count = tuple[int, int | None]


class Weight(NamedTuple):
    """A parameter that a layer has: its shape and how Caffe fills it (None: with zeros)."""

    shape: Shape
    filler: Message | None = None


class Reference:
    """One layer of Caffe's. `shapes` refuses what its set-up refuses; `forward` computes what it computes, in float32.

    `weights` are the parameters it has, known after `shapes`; `values` are their arrays, given before `forward`; `seen`
    are the shapes of the bottoms that it is set up for.
    `forks` names the fields, added by forks to Caffe's own messages, that it minds.
    """

    field: ClassVar[str] = ""
    bottoms: ClassVar[Count] = (1, 1)
    tops: ClassVar[Count] = (1, 1)
    paired: ClassVar[bool] = False
    loss: ClassVar[bool] = False
    inplace: ClassVar[bool] = True
    forks: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.weights: list[Weight] = []
        self.values: list[np.ndarray] = []
        self.seen: tuple[Shape, ...] | None = None
        self.phase = layer.proto.phase
        self.rng = np.random.default_rng(0)

    @property
    def param(self) -> Message | None:
        """The layer's parameter message, with the schema's defaults where the file has none."""
        if not self.field:
            return None
        return getattr(self.layer.proto if hasattr(self.layer.proto, self.field) else self.layer.fork, self.field)

    @property
    def overwrites(self) -> bool:
        """Whether the first top is the first bottom."""
        return self.layer.bottoms[:1] == self.layer.tops[:1]

    def shapes(self, *bottoms: Shape) -> Sequence[Shape | None]:
        """The shapes of the tops for those of the bottoms; None for one that only data can tell.

        Raises:
            LayerError: Caffe refuses the parameters or the shapes.
        """
        raise NotImplementedError

    def forward(self, *bottoms: np.ndarray) -> Sequence[np.ndarray]:
        """The tops for the bottoms, of the shapes that `shapes` said."""
        raise NotImplementedError

    def here(self) -> bool:
        """Whether the layer can make its tops; else whoever runs the net feeds them."""
        return True

    def work(self) -> int:
        """About how many multiplications `forward` does, for layers that do many."""
        return 0

    def scratch(self) -> int:
        """About how many numbers `forward` holds besides its bottoms and tops."""
        return 0

    def count_bottoms(self) -> Count:
        """How many bottoms the layer takes, at least and at most."""
        return self.bottoms

    def count_tops(self) -> Count:
        """How many tops the layer gives, at least and at most."""
        return self.tops

    def default_spec(self) -> Message:
        """The ParamSpec of a parameter that the file gives none for."""
        return caffe_pb2.ParamSpec()

    def error(self, what: str, name: str = "") -> LayerError:
        """The error of this layer; `name` is a field of its parameter message."""
        return self.layer.error(what, f"{self.field}.{name}" if name and self.field else name)

    def expect(self, condition: bool, what: str, name: str = "") -> None:
        """Raises the layer's error unless `condition` holds."""
        if not condition:
            raise self.error(what, name)

    def axis(self, axis: int, shape: Shape, name: str = "axis") -> int:
        """The index of an axis that may count from the end."""
        self.expect(-len(shape) <= axis < len(shape), f"axis {axis} is out of range for {shape_text(shape)}", name)
        return axis % len(shape)

    def legacy(self, shape: Shape, index: int = 0) -> Shape:
        """The shape as (num, channels, height, width), ones behind; Caffe's old accessors take no more than 4 axes."""
        self.expect(len(shape) <= 4, f"bottom {index} has {len(shape)} axes; at most 4 are allowed", "bottom")
        return shape + (1,) * (4 - len(shape))

    def weight(self, shape: Sequence[int], filler: Message | None = None) -> None:
        """Declares the layer's next parameter."""
        self.weights.append(Weight(tuple(shape), filler))

    def count_checked(self) -> None:
        """Refuses a wrong number of bottoms or tops."""
        bottoms, tops = self.layer.bottoms, self.layer.tops
        self._counted(len(bottoms), self.count_bottoms(), "bottom")
        self._counted(len(tops), self.count_tops(), "top")
        self.expect(
            not self.paired or len(bottoms) == len(tops),
            f"gives one top for each bottom, but has {len(bottoms)} bottom(s) and {len(tops)} top(s)",
            "top",
        )
        if not self.inplace and set(bottoms) & set(tops):
            raise self.layer.error(f"{self.layer.type} cannot work in place; give its top another name", "top")

    def _counted(self, found: int, allowed: Count, what: str) -> None:
        low, high = allowed
        if found < low or (high is not None and found > high):
            wanted = f"{low}" if low == high else f"at least {low}" if high is None else f"{low} to {high}"
            raise self.layer.error(f"{self.layer.type} takes {wanted} {what}(s), not {found}", what)


def checked(reference: Reference, bottoms: Sequence[Shape]) -> tuple[Shape | None, ...]:
    """The shapes of the tops of a layer, every check of Caffe's set-up done.

    Raises:
        LayerError: Caffe refuses the layer, or a blob would have a negative size or 2^31 numbers or more.
    """
    reference.weights, reference.seen = [], tuple(bottoms)
    tops = tuple(shape if shape is None else tuple(map(int, shape)) for shape in reference.shapes(*bottoms))
    for what, shapes in (("top", tops), ("parameter", [weight.shape for weight in reference.weights])):
        for index, shape in enumerate(shapes):
            _sized(reference, f"{what} {index}", shape)
    for index, weight in enumerate(reference.weights):
        if why := check_filler(weight.filler, weight.shape):
            raise reference.error(f"parameter {index} cannot be filled: {why}", "filler")
    layer = reference.layer
    for name, below, above in zip(layer.bottoms, bottoms, tops, strict=False):
        if name in layer.tops and above is not None and math.prod(above) != math.prod(below):
            what = f"works in place, but changes the shape of {name!r} from {shape_text(below)} to {shape_text(above)}"
            raise reference.error(what, "top")
    return tops


def _sized(reference: Reference, what: str, shape: Shape | None) -> None:
    if shape is None:
        return
    if len(shape) > MOST_AXES:
        raise reference.error(f"{what} would have {len(shape)} axes; at most {MOST_AXES} are allowed")
    if any(dim < 0 for dim in shape) or math.prod(shape) > LARGEST:
        raise reference.error(f"{what} would have the shape {' x '.join(map(str, shape[:8]))}, which is not possible")


TYPES: dict[str, type[Reference]] = {}

_Class = TypeVar("_Class", bound=type[Reference])


def layer(*types: str, field: str = "", bottoms: Count | None = None, tops: Count | None = None):
    """Registers a Reference for layer types, with the parameter message it reads and its counts of blobs."""

    def register(cls: _Class) -> _Class:
        settings = {"field": field or cls.field, "bottoms": bottoms or cls.bottoms, "tops": tops or cls.tops}
        for name, value in settings.items():
            setattr(cls, name, value)
        TYPES.update(dict.fromkeys(types, cls))
        return cls

    return register


def constant(value: float) -> Message:
    """The filler that sets every number to `value`."""
    return caffe_pb2.FillerParameter(type="constant", value=value)
