"""A layer of a net as the rest of the package sees it, and the parameters that it owns or shares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from google.protobuf.message import Message

from caffe2.bridge.caffe.blobs import Blob
from caffe2.bridge.caffe.errors import LayerError, Position, TranslatorError
from caffe2.bridge.caffe.source import field_position
from caffe2.bridge.caffe.tree import Message as Tree

if TYPE_CHECKING:
    from caffe2.bridge.caffe.reference.base import Reference

Shape = tuple[int, ...]
AUTOMATIC = "(automatic)"
"""The name that Caffe gives to the top of a loss layer that names none."""


@dataclass
class Param:
    """A parameter of a layer.

    `name` is the one that layers share it by ("" for none), `owner` the parameter that this one is another view of,
    `blob` its weights where a file has them, `filler` the FillerParameter that otherwise fills it (None: zeros).
    """

    shape: Shape
    filler: Message | None = None
    name: str = ""
    lr_mult: float = 1.0
    decay_mult: float = 1.0
    owner: Param | None = None
    blob: Blob | None = None

    @property
    def root(self) -> Param:
        """The parameter that holds the numbers: the owner, or this one."""
        return self.owner or self


@dataclass
class Layer:
    """A layer of a net; see the package's description."""

    proto: Message
    fork: Message
    path: str = ""
    tree: Tree | None = None
    tops: tuple[str, ...] = ()
    bottom_shapes: tuple[Shape | None, ...] = ()
    top_shapes: tuple[Shape | None, ...] = ()
    loss_weights: tuple[float, ...] = ()
    params: list[Param] = field(default_factory=list)
    reference: Reference | None = None

    @property
    def name(self) -> str:
        return self.proto.name

    @property
    def type(self) -> str:
        return self.proto.type

    @property
    def bottoms(self) -> tuple[str, ...]:
        return tuple(self.proto.bottom)

    @property
    def param(self) -> Message | None:
        """The message that this type reads its parameters from; None for a type that has none or is not known."""
        return self.reference.param if self.reference else None

    @property
    def checked(self) -> bool:
        """Whether the shapes of all bottoms are known, so that Caffe's checks could be done and `params` is filled."""
        return None not in self.bottom_shapes

    @property
    def position(self) -> Position:
        """Where the layer stands in its file."""
        return self.position_of("")

    def position_of(self, name: str) -> Position:
        """Where the dotted field `name` of the layer stands; the layer's place where the file does not give it."""
        return field_position(self.tree, name, self.path)

    def error(self, what: str, name: str = "", kind: type[TranslatorError] = LayerError) -> TranslatorError:
        """An error about this layer and its field `name`."""
        what = what if name or not self.type else f"{self.type}: {what}"
        return kind(what, layer=self.name, field=name, position=self.position_of(name))
