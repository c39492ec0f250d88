"""The last touches to drafted layers: blobs written over where they were in Caffe2, and names of layers."""

from __future__ import annotations

from collections.abc import Sequence

from caffe2.bridge.caffe.export.draft import Draft, Drafted
from caffe2.bridge.caffe.export.names import rename

OVERWRITING = frozenset(
    "ReLU Sigmoid TanH ELU PReLU BNLL Power Exp Log Clip Dropout Scale Bias BatchNorm Softmax".split()
)
"""Layers of Caffe that compute the same in place."""
PARTS = ("_w", "_slope", "_mean", "_rm")
"""What names of parameters end in, behind that of their layer."""


def overwrite(layers: Sequence[Drafted], draft: Draft) -> None:
    """Let layers write over their bottom where the operators did, nobody else reads it, and Caffe computes the same."""
    program = draft.program
    for layer in layers:
        if not layer.proto.bottom or len(layer.proto.top) != 1:
            continue
        below, above = layer.proto.bottom[0], layer.proto.top[0]
        readers = sum(list(other.proto.bottom).count(below) for other in layers if below not in other.proto.top)
        allowed = layer.proto.type in OVERWRITING or above in draft.overwriting
        alone = readers == 1 and below not in program.outputs and below not in program.constants
        if below != above and draft.origin(below) == draft.origin(above) and allowed and alone:
            old, new = (above, below) if below in program.inputs else (below, above)
            rename(program.net, old, new)
            program.held[new] = program.held.get(above, above)
            for other in layers:
                other.reads(old, new)


def name_layers(layers: Sequence[Drafted]) -> None:
    """Give every layer a name of its own: its parameters' without an ending, its top's, or in place top_type."""
    taken: set[str] = set()
    for layer in layers:
        stem, k = layer.name or _stem(layer), 1
        name = stem
        while name in taken:
            name, k = f"{stem}_{k}", k + 1
        taken.add(name)
        layer.proto.name = name


def _stem(layer: Drafted) -> str:
    proto = layer.proto
    stems = [w.stem.removesuffix(end) for w in layer.weights for end in PARTS if w.stem.endswith(end)]
    top = next(iter([*proto.top, *proto.bottom]))
    return stems[0] if stems else f"{top}_{proto.type.lower()}" if top in proto.bottom else top
