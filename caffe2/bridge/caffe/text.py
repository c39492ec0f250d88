"""A prototxt read into a message of Caffe's schema, with the place of every layer and whatever no schema knows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from caffe2.bridge.caffe.errors import Position, Problem, TextError
from caffe2.bridge.caffe.forks import V1_TYPES, ForkLayerParameter, ForkSolverParameter
from caffe2.bridge.caffe.tokens import decode
from caffe2.bridge.caffe.tree import Field, Scalar, parse
from caffe2.bridge.caffe.tree import Message as Tree
from caffe2.bridge.caffe.values import convert, is_repeated, is_required, shown

_MOST_HINTS = 50
_ENGINES = ("MKL2017", "MKLDNN")
"""Libraries that Intel's fork lets a layer be computed by; they compute the same."""
_FORKS = {
    "caffe.LayerParameter": ForkLayerParameter,
    "caffe.V1LayerParameter": ForkLayerParameter,
    "caffe.SolverParameter": ForkSolverParameter,
}


@dataclass
class Text:
    """A message read from text: `tree` is the file, `problems` its unknown fields."""

    message: Message
    tree: Tree
    path: str
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class _Where:
    layer: str = ""
    type: str = ""
    prefix: str = ""


def read_text(data: bytes, message: Message, path: str) -> Text:
    """Reads the prototxt `data` into `message`; fields that only forks know become unknown fields of the message.

    Raises:
        TextError: whatever Caffe's parser refuses, apart from unknown fields, which `Text.problems` lists.
    """
    text = Text(message, parse(decode(data), path), path)
    _Reader(text).fill(message, None, text.tree, _Where())
    return text


@cache
def _fields(descriptor: Descriptor) -> dict[str, FieldDescriptor]:
    return dict(descriptor.fields_by_name)


@cache
def _required(descriptor: Descriptor) -> tuple[str, ...]:
    return tuple(item.name for item in descriptor.fields if is_required(item))


class _Reader:
    def __init__(self, text: Text) -> None:
        self.path, self.problems = text.path, text.problems

    def fill(self, message: Message, shadow: Message | None, tree: Tree, where: _Where) -> None:
        """Writes the fields of `tree` to `message`, or to `shadow`, its fork's rest, where only that knows the name."""
        name = message.DESCRIPTOR.full_name
        if fork := _FORKS.get(name):
            shadow = fork()
            where = _Where() if name == "caffe.SolverParameter" else _layer(tree)
        known, extra = _fields(message.DESCRIPTOR), _fields(shadow.DESCRIPTOR) if shadow is not None else {}
        seen: set[str] = set()
        for item in tree.fields:
            if item.name in known:
                self.set(message, known[item.name], item, shadow, where, seen)
            elif item.name in extra:
                self.set(shadow, extra[item.name], item, None, where, seen)
            else:
                self.unknown(item, where, [*known, *extra])
        for missing in _required(message.DESCRIPTOR):
            if missing not in seen:
                raise self.error(TextError("a required field is missing"), tree.token.at(self.path), where, missing)
        if fork:
            message.MergeFromString(shadow.SerializePartialToString())

    def set(
        self,
        message: Message,
        field: FieldDescriptor,
        item: Field,
        shadow: Message | None,
        where: _Where,
        seen: set[str],
    ) -> None:
        """Writes the values of `item` to `field` of `message`."""
        place = item.token.at(self.path)
        if not is_repeated(field):
            if item.listed:
                raise self.error(TextError("takes one value, not a list"), place, where, item.name)
            if item.name in seen:
                raise self.error(TextError("is given twice, and takes one value"), place, where, item.name)
        seen.add(item.name)
        for value in item.values:
            try:
                self.put(message, field, value, shadow, where)
            except TextError as error:
                if error.position.path:
                    raise
                token = value.token
                raise self.error(error, token.at(self.path), where, item.name) from None

    def put(
        self, message: Message, field: FieldDescriptor, value: Scalar | Tree, shadow: Message | None, where: _Where
    ) -> None:
        """Writes one value to `field`, nested messages with what `shadow` has under the same name."""
        name = field.name
        if field.message_type is None:
            if isinstance(value, Tree):
                raise TextError("takes a value, not a message in braces")
            if field.full_name == "caffe.V1LayerParameter.type" and value.text in V1_TYPES:
                shadow.v1_type = V1_TYPES[value.text]
            elif name == "engine" and value.text in _ENGINES:
                return
            elif is_repeated(field):
                getattr(message, name).append(convert(field, value))
            else:
                setattr(message, name, convert(field, value))
            return
        if isinstance(value, Scalar):
            raise TextError(f"takes a message in braces, not {shown(value)}")
        nested = getattr(message, name).add() if is_repeated(field) else getattr(message, name)
        nested.SetInParent()
        rest = shadow.DESCRIPTOR.fields_by_name.get(name) if shadow is not None else None
        self.fill(
            nested, getattr(shadow, name) if rest else None, value, replace(where, prefix=f"{where.prefix}{name}.")
        )

    def unknown(self, item: Field, where: _Where, names: list[str]) -> None:
        close = get_close_matches(item.name, names, 1) if len(self.problems) < _MOST_HINTS else []
        what = f'unknown field; did you mean "{close[0]}"?' if close else "unknown field"
        self.problems.append(Problem(where.layer, where.type, where.prefix + item.name, item.token.at(self.path), what))

    def error(self, error: TextError, position: Position, where: _Where, name: str) -> TextError:
        return TextError(error.what, layer=where.layer, field=where.prefix + name, position=position)


def _layer(tree: Tree) -> _Where:
    """The name and type of the layer that `tree` is, a V0 layer's being one level down."""
    for inner in (value for item in tree.named("layer") for value in item.values if isinstance(value, Tree)):
        return _Where(inner.string("name"), inner.string("type"))
    return _Where(tree.string("name"), tree.string("type"))
