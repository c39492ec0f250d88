"""What whoever runs a net feeds: shapes given for inputs and data layers, and data layers whose files are not here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from caffe2.bridge.caffe.errors import NetError
from caffe2.bridge.caffe.layers import Layer, Shape
from caffe2.bridge.caffe.reference import TYPES

if TYPE_CHECKING:
    from caffe2.bridge.caffe.net import Net


def override_inputs(net: Net, given: Mapping[str, Shape]) -> dict[str, Shape]:
    """Writes the shapes given for inputs into their layers; returns those for tops of data layers.

    A layer without bottoms that nothing here computes (its type or a field is unknown, or it runs Python) becomes an
    Input where shapes are given for all its tops.

    Raises:
        NetError: no layer without bottoms has a top of that name.
    """
    shapes = {name: tuple(shape) for name, shape in given.items()}
    fed = list(dict.fromkeys(name for layer in net.layers if not layer.proto.bottom for name in layer.proto.top))
    if unknown := sorted(set(shapes) - set(fed)):
        inputs = f"; there are {', '.join(fed)}" if fed else ""
        raise NetError(f"no input is called {', '.join(map(repr, unknown))}; it cannot be given a shape{inputs}")
    for layer in net.layers:
        if layer.proto.top and not layer.proto.bottom and set(layer.proto.top) <= set(shapes):
            _as_input(net, layer)
        if layer.type == "Input":
            _reshape(layer, shapes)
    return shapes


def _as_input(net: Net, layer: Layer) -> None:
    """Makes an Input of a layer that cannot be translated as what it is."""
    problems = [p for p in net.problems if (p.layer, p.type) == (layer.name, layer.type)]
    if layer.type in TYPES and not problems:
        return
    tops = ", ".join(layer.proto.top)
    net.notes.append(f'layer "{layer.name}" ({layer.type}) is an input here: feed {tops}')
    net.problems = [problem for problem in net.problems if problem not in problems]
    layer.proto.type = "Input"


def _reshape(layer: Layer, shapes: dict[str, Shape]) -> None:
    tops, old = list(layer.proto.top), [tuple(shape.dim) for shape in layer.proto.input_param.shape]
    if not set(tops) & set(shapes) or len(old) not in (0, 1, len(tops)):
        return
    old = old if len(old) == len(tops) else (old or [()]) * len(tops)
    del layer.proto.input_param.shape[:]
    for name, shape in zip(tops, old, strict=True):
        layer.proto.input_param.shape.add().dim.extend(shapes.pop(name, shape))


def given_shapes(layer: Layer, made: tuple[Shape | None, ...], given: dict[str, Shape]) -> tuple[Shape | None, ...]:
    """The shapes of a layer's tops, those given first; the others of a layer that is fed follow in batch size."""
    batches = [given[name][:1] for name in layer.tops if name in given]
    if not batches:
        return made
    follow = [shape if shape is None else (*batches[0], *shape[1:]) for shape in made]
    return tuple(given.get(name, shape) for name, shape in zip(layer.tops, follow, strict=True))


def tops_fed(net: Net) -> list[str]:
    """The blobs that whoever runs a net feeds, in order; those of data layers that nothing here understands too."""
    sources = [layer for layer in net.layers if not layer.bottoms and not (layer.reference and layer.reference.here())]
    return [name for layer in sources for name in layer.tops]


def note_missing(net: Net) -> None:
    """Notes the data layers whose files are not here: whoever runs the net feeds their tops."""
    for layer in net.layers:
        source = getattr(layer.reference, "source", "")
        if not source or layer.reference.here():
            continue
        shapes = zip(layer.tops, layer.top_shapes, strict=True)
        tops = ", ".join(f"{top} ({'x'.join(map(str, shape)) if shape else 'shape unknown'})" for top, shape in shapes)
        what = f'the files of layer "{layer.name}" ({layer.type}) are not here ({source})'
        net.notes.append(f"{what}: feed its tops, {tops}")
