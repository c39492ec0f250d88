"""A net on its way from file to newest format: its message, the tree of every layer, and what is to be said of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from google.protobuf.message import Message

from caffe2.bridge.caffe.errors import Position, Problem, TranslatorError
from caffe2.bridge.caffe.tree import Message as Tree


@dataclass
class Source:
    """A NetParameter with, for each entry of its `layer` (or `layers`), the tree that it was read from, if any."""

    net: Message
    path: str = ""
    trees: list[Tree | None] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    from_v0: bool = False

    def note(self, text: str) -> None:
        """Adds `text` to the notes for the user."""
        self.notes.append(text)

    def position(self, index: int, name: str = "") -> Position:
        """Where the layer `index`, or its field `name`, stands."""
        return field_position(self.trees[index], name, self.path)

    def error(self, kind: type[TranslatorError], index: int, what: str, name: str = "") -> TranslatorError:
        """An error of class `kind` about the layer `index` and its field `name`."""
        layer = (self.net.layers or self.net.layer)[index]
        inner = layer.layer if hasattr(layer, "layer") and layer.HasField("layer") else layer
        return kind(what, layer=inner.name, field=name, position=self.position(index, name))


def field_position(tree: Tree | None, name: str, path: str) -> Position:
    """Where the dotted field `name` of a layer stands, by its older spelling too; or else the layer's place."""
    if tree is None:
        return Position(path)
    found = _descend(tree, name.split(".")) or _search(tree, name.rsplit(".", 1)[-1]) if name else None
    return (found or tree).token.at(path)


def _descend(tree: Tree, names: Sequence[str]) -> object:
    for item in tree.named(names[0]):
        if len(names) == 1:
            return item
        for value in item.values:
            if isinstance(value, Tree) and (found := _descend(value, names[1:])):
                return found
    return None


def _search(tree: Tree, leaf: str) -> object:
    plain = leaf.replace("_", "")
    return next((item for item in _walk(tree) if item.name.replace("_", "") == plain), None)


def _walk(tree: Tree) -> Iterator[object]:
    for item in tree.fields:
        yield item
        for value in item.values:
            if isinstance(value, Tree):
                yield from _walk(value)
