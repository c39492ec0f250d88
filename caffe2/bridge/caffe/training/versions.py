"""Names for the values of blobs that layers write in place: gradients need those that were there before, too."""

from __future__ import annotations

from collections import Counter

from caffe2.bridge.caffe.layers import AUTOMATIC, Layer
from caffe2.bridge.caffe.net import Net


def name_versions(net: Net) -> None:
    """Gives every value of a blob of `net` a name of its own; the last one keeps the blob's.

    The first one does instead where a layer without bottoms makes it: whoever feeds it, or reads it from a file, goes
    by that name. Losses without a top are called after their layers.
    """
    left = Counter(top for layer in net.layers for top in layer.proto.top)
    fixed = {top for layer in net.layers if not layer.bottoms for top in layer.proto.top}
    now: dict[str, str] = {}
    for layer in net.layers:
        layer.proto.bottom[:] = [now.get(name, name) for name in layer.proto.bottom]
        for name in layer.proto.top:
            left[name] -= 1
            plain = name not in now if name in fixed else not left[name]
            now[name] = name if plain else _new(net, name)
        _put_tops(net, layer, [now[name] for name in layer.proto.top])


def _new(net: Net, name: str) -> str:
    count = 1
    while f"{name}_{count}" in net.shapes:
        count += 1
    net.shapes[f"{name}_{count}"] = None
    return f"{name}_{count}"


def _put_tops(net: Net, layer: Layer, tops: list[str]) -> None:
    layer.proto.top[:] = tops
    unnamed = [_new(net, f"{layer.name}_loss") for name in layer.tops[len(tops) :] if name == AUTOMATIC]
    layer.tops = (*tops, *unnamed)
    net.shapes.update(zip(layer.tops, layer.top_shapes, strict=True))
