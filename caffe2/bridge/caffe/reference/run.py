"""A whole net computed layer by layer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from caffe2.bridge.caffe.errors import NetError, Position, TranslatorError
from caffe2.bridge.caffe.layers import Layer, Param, Shape
from caffe2.bridge.caffe.reference.base import checked
from caffe2.bridge.caffe.reference.fillers import fill

if TYPE_CHECKING:
    from caffe2.bridge.caffe.net import Net


MOST_BYTES = 16 << 30
MOST_WORK = 10**14


def steps(
    net: Net,
    inputs: Mapping[str, np.ndarray] | None = None,
    seed: int = 0,
    *,
    most_bytes: int = MOST_BYTES,
    most_work: int = MOST_WORK,
) -> Iterator[tuple[Layer, Sequence[np.ndarray]]]:
    """Each layer of `net` with its tops, computed from `inputs` (blob: array), random numbers by `seed`.

    Raises:
        NetError: an input is missing or has another shape than the net's; or the net needs more than `most_bytes` of
            memory or `most_work` multiplications.
        TranslatorError: a value that a layer refuses, such as a label that names no class.
    """
    net.require()
    _check_cost(net, most_bytes, most_work)
    inputs = dict(inputs or {})
    rng = np.random.default_rng(seed)
    blobs: dict[str, np.ndarray] = {}
    values: dict[int, np.ndarray] = {}
    for layer in net.layers:
        reference = layer.reference
        reference.rng = rng
        reference.values = [_value(param, values, rng) for param in layer.params]
        with np.errstate(all="ignore"):
            tops = _given(layer, inputs)
            if tops is None:
                tops = _forward(layer, [blobs[name] for name in layer.bottoms])
        tops = [np.asarray(top, np.float32) for top in tops]
        blobs.update(zip(layer.tops, tops, strict=True))
        yield layer, tops


def run(
    net: Net, inputs: Mapping[str, np.ndarray] | None = None, seed: int = 0, **limits: int
) -> dict[str, np.ndarray]:
    """Every blob of `net` after one forward pass; one written in place has its last value.

    Raises:
        NetError, TranslatorError: as `steps`.
    """
    blobs: dict[str, np.ndarray] = {}
    for layer, tops in steps(net, inputs, seed, **limits):
        blobs.update(zip(layer.tops, tops, strict=True))
    return blobs


def _check_cost(net: Net, most_bytes: int, most_work: int) -> None:
    known = [layer for layer in net.layers if layer.checked]
    tops = sum(math.prod(shape) for layer in known for shape in layer.top_shapes if shape is not None)
    params = sum(math.prod(param.shape) for layer in known for param in layer.params if not param.owner)
    needed = 4 * (tops + params + max((layer.reference.scratch() for layer in known), default=0))
    if needed > most_bytes:
        what = (
            f"computing this net takes about {needed / 2**30:,.1f} GiB, more than the {most_bytes / 2**30:,.1f} allowed"
        )
        raise NetError(what, position=Position(net.path))
    work = sum(layer.reference.work() for layer in known)
    if work > most_work:
        what = f"computing this net takes about {work:.1e} multiplications, more than the {most_work:.1e} allowed"
        raise NetError(what, position=Position(net.path))


def _forward(layer: Layer, bottoms: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    """The tops of a layer; what NumPy refuses, such as blobs without numbers, is the layer's error.

    A layer is set up anew for bottoms of other shapes, as in Caffe: fewer regions may be proposed than were asked for.
    """
    shapes = tuple(bottom.shape for bottom in bottoms)
    if layer.reference.seen != shapes:
        checked(layer.reference, shapes)
    try:
        return layer.reference.forward(*bottoms)
    except TranslatorError:
        raise
    except (ValueError, LookupError, ArithmeticError, MemoryError) as error:
        told = ", ".join(map(str, shapes))
        raise layer.error(f"cannot be computed from bottoms of shape {told}: {error}") from error


def _given(layer: Layer, inputs: dict[str, np.ndarray]) -> list[np.ndarray] | None:
    """The tops of a layer without bottoms as far as `inputs` has them all; None if it has to make them."""
    if layer.bottoms or not layer.tops or not all(name in inputs for name in layer.tops):
        if layer.type == "Input":
            missing = [name for name in layer.tops if name not in inputs]
            raise layer.error(f"no value is given for input {', '.join(missing)}", "top", NetError)
        return None
    return [_array(layer, name, inputs[name], shape) for name, shape in zip(layer.tops, layer.top_shapes, strict=True)]


def _array(layer: Layer, name: str, value: np.ndarray, shape: Shape | None) -> np.ndarray:
    array = np.asarray(value, np.float32)
    if shape is None or array.shape == shape:
        return array
    if array.size == 1 and set(shape) <= {1}:
        return array.reshape(shape)
    raise layer.error(f"input {name} has the shape {array.shape}, not {shape}", "top", NetError)


def _value(param: Param, values: dict[int, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """The numbers of a parameter, the same for all that share them."""
    root = param.root
    if id(root) not in values:
        filled = root.blob.array if root.blob else fill(root.filler, root.shape, rng)
        values[id(root)] = np.asarray(filled, np.float32)
    return values[id(root)].reshape(param.shape)
