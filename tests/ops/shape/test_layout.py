"""Transposing, broadcasting and repeating: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from tests.sample import Sample, floats, samples

OPEN = {law: "the shape is data" for law in ("shape", "compile")}


def number(value: int, kind: type = np.int32) -> np.ndarray:
    return np.array([value], kind)


@samples("Transpose")
def _(rng):
    yield [floats(rng, 2, 3, 4)], {}
    yield [floats(rng, 2, 3, 4)], {"axes": [2, 0, 1]}
    yield [floats(rng, 1, 3)], {"axes": [1, 0]}
    yield [floats(rng, 2, 0)], {}
    yield [floats(rng, 3)], {"axes": [0]}


@samples("Expand")
def _(rng):
    for x, shape in ((floats(rng, 3, 1), [2, 1, 4]), (floats(rng, 2, 3), [-1, 3]), (floats(rng, 2), [2])):
        yield Sample("Expand", (x, np.array(shape)), except_=OPEN)


@samples("ExpandGradient")
def _(rng):
    yield [floats(rng, 2, 3, 4), floats(rng, 3, 1)], {}
    yield [np.ones((2, 3), np.int32), np.ones((2, 3), np.int32)], {}


@samples("Tile")
def _(rng):
    yield [floats(rng, 2, 3)], {"tiles": 2, "axis": 1}
    yield [floats(rng, 2, 3)], {"tiles": 3, "axis": -2}
    yield Sample("Tile", (floats(rng, 2, 3), number(2)), {"axis": 1}, except_=OPEN)
    yield Sample("Tile", (floats(rng, 2, 3), number(2), number(1)), except_=OPEN)


@samples("TileGradient")
def _(rng):
    yield [floats(rng, 2, 6)], {"tiles": 2, "axis": 1}
    yield [floats(rng, 2, 6)], {"tiles": 1, "axis": 0}
    yield Sample("TileGradient", (floats(rng, 2, 6), number(2), number(1)), except_=OPEN)


@samples("NumpyTile")
def _(rng):
    for times in ([2, 1], [0, 3]):
        yield Sample("NumpyTile", (floats(rng, 2, 3), np.array(times)), except_=OPEN)


def test_tiles_of_int64_mean_the_first_axis(run):
    x = np.array([[1, 2]], np.int32)
    assert run("Tile", x, number(2, np.int64), axis=1).tolist() == [[1, 2], [1, 2]]
    assert run("Tile", x, number(2), axis=1).tolist() == [[1, 2, 1, 2]]


def test_strings_are_tiled(run):
    assert run("NumpyTile", np.array([b"a", b"b"], object), np.array([2])).tolist() == [b"a", b"b"] * 2


def test_axes_permute(run):
    with pytest.raises(EnforceNotMet, match="permut"):
        run("Transpose", np.zeros((2, 3), np.float32), axes=[0, 0])
    with pytest.raises(EnforceNotMet, match="X has 2"):
        run("Transpose", np.zeros((2, 3), np.float32), axes=[0, 2, 1])


def test_tile_needs_to_know_how_often(run):
    with pytest.raises(EnforceNotMet, match="tiles is missing"):
        run("Tile", np.zeros(3, np.float32), axis=0)


@pytest.mark.parametrize("x", [np.arange(3, dtype=np.uint8), np.ones(3, np.float16), np.array([b"a", b"b"], object)])
def test_tiles_of_other_types(run, x):
    tiled = run("Tile", x, tiles=2, axis=0)
    assert [str(v) for v in tiled.tolist()] == [str(v) for v in np.tile(x, 2).tolist()]
