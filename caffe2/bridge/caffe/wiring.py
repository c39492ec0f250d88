"""How the layers of a net hang together: every bottom made before, every top made once, as Caffe demands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from caffe2.bridge.caffe.errors import NetError
from caffe2.bridge.caffe.layers import AUTOMATIC, Layer


def check_wiring(layers: Sequence[Layer]) -> list[str]:
    """The names of the blobs that no layer consumes, sorted.

    Raises:
        NetError: an unknown bottom, a top made twice, or a blob overwritten in place while another layer reads it.
    """
    uses = _uses(layers)
    maker: dict[str, tuple[int, int]] = {}
    free: set[str] = set()
    for index, layer in enumerate(layers):
        _check_propagate_down(layer)
        for j, name in enumerate(layer.bottoms):
            if name not in maker:
                raise layer.error(
                    f'unknown bottom blob "{name}" (bottom {j}); no layer above makes it', "bottom", NetError
                )
            free.discard(name)
        for j, name in enumerate(layer.tops):
            if name == AUTOMATIC and j >= len(layer.proto.top):
                continue
            if name in maker:
                _check_in_place(layer, j, name, uses[maker[name]], layers[maker[name][0]])
            maker[name] = (index, j)
            free.add(name)
    return sorted(free)


def _check_propagate_down(layer: Layer) -> None:
    given = len(layer.proto.propagate_down)
    if given not in (0, len(layer.bottoms)):
        what = f"give no propagate_down, or one for each of the {len(layer.bottoms)} bottom(s), not {given}"
        raise layer.error(what, "propagate_down", NetError)


def _check_in_place(layer: Layer, index: int, name: str, uses: int, maker: Layer) -> None:
    if layer.bottoms[index : index + 1] != (name,):
        what = f'top blob "{name}" is also made by layer "{maker.name}"; give one of them another name'
        raise layer.error(what, "top", NetError)
    if uses > 1:
        what = (
            f'overwrites "{name}" in place, which other layers read as layer "{maker.name}" makes it; '
            "Caffe refuses that: give this top another name"
        )
        raise layer.error(what, "top", NetError)


def _uses(layers: Sequence[Layer]) -> Counter[tuple[int, int]]:
    """How often each top (layer index, top index) is read, being a loss counting as once: when Caffe would split it."""
    maker: dict[str, tuple[int, int]] = {}
    uses: Counter[tuple[int, int]] = Counter()
    for index, layer in enumerate(layers):
        uses.update(maker[name] for name in layer.bottoms if name in maker)
        maker.update((name, (index, j)) for j, name in enumerate(layer.proto.top))
        for name, weight in zip(layer.proto.top, layer.proto.loss_weight, strict=False):
            uses[maker[name]] += bool(weight)
    return uses
