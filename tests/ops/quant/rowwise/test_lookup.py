"""Look-ups in fused tables: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet
from caffe2.ops.quant.rowwise import fused
from caffe2.ops.quant.rowwise.lookup import LAYOUTS, REDUCERS, bag
from tests.sample import Sample, floats, samples

INDICES = np.array([4, 0, 1, 1, 3])
LENGTHS = np.array([2, 0, 3], np.int32)
MAPPING = np.array([2, -1, 0, 3, 1], np.int32)
NONE = np.zeros(1, np.int32)
CASES = [(bits, reducer) for bits in LAYOUTS for reducer in REDUCERS]


def table(rng: np.random.Generator, bits: int, rows: int = 5) -> np.ndarray:
    return fused.pack(torch.from_numpy(floats(rng, rows, 8)), LAYOUTS[bits]).numpy()


@samples(*(f"SparseLengths{reducer}Fused{bits}BitRowwise" for bits, reducer in CASES))
def _(rng):
    for bits, reducer in CASES:
        for indices, lengths in ((INDICES, LENGTHS), (INDICES[:0].astype(np.int32), LENGTHS[:0])):
            weights = (floats(rng, len(indices)),) if reducer == "WeightedSum" else ()
            yield Sample(f"SparseLengths{reducer}Fused{bits}BitRowwise", (table(rng, bits), *weights, indices, lengths))


@samples(*(f"SparseLengths{reducer}{bits}BitRowwiseSparse" for bits, reducer in CASES))
def _(rng):
    for bits, reducer in CASES:
        weights = (floats(rng, 5),) if reducer == "WeightedSum" else ()
        for indices, mapping in ((INDICES, MAPPING), (INDICES.astype(np.int32), NONE)):
            given = (table(rng, bits), *weights, indices, LENGTHS, mapping)
            yield Sample(f"SparseLengths{reducer}{bits}BitRowwiseSparse", given)


@samples("SparseLengthsSumSparseLookup")
def _(rng):
    yield Sample("SparseLengthsSumSparseLookup", (INDICES, LENGTHS, MAPPING), outputs=2)
    yield Sample("SparseLengthsSumSparseLookup", (INDICES, LENGTHS, MAPPING, floats(rng, 5)), outputs=3)
    yield Sample("SparseLengthsSumSparseLookup", (INDICES[:0], LENGTHS[:0], MAPPING), outputs=2)


@samples("GatherFused8BitRowwise")
def _(rng):
    yield [table(rng, 8), INDICES], {}
    yield [table(rng, 8), INDICES[:0].astype(np.int32)], {}


@pytest.mark.parametrize("bits, reducer", CASES)
def test_look_ups_are_those_of_the_floats(run, bits, reducer):
    rng = np.random.default_rng(5)
    packed, weights = table(rng, bits), floats(rng, 5)
    rows = fused.unpack(torch.from_numpy(packed), LAYOUTS[bits]).numpy()
    given = (weights,) if reducer == "WeightedSum" else ()
    wanted = run(f"SparseLengths{reducer}", rows, *given, INDICES, LENGTHS)
    made = run(f"SparseLengths{reducer}Fused{bits}BitRowwise", packed, *given, INDICES, LENGTHS)
    assert np.allclose(made, wanted, atol=1e-5)
    pruned = np.where(MAPPING[:, None] >= 0, rows[MAPPING], 0)
    wanted = run(f"SparseLengths{reducer}", pruned, *given, INDICES, LENGTHS)
    made = run(f"SparseLengths{reducer}{bits}BitRowwiseSparse", packed, *given, INDICES, LENGTHS, MAPPING)
    assert np.allclose(made, wanted, atol=1e-5)


@pytest.mark.parametrize("bits", LAYOUTS)
@pytest.mark.parametrize("mapping", [None, MAPPING, NONE])
def test_tensor_operations_do_what_the_kernels_do(monkeypatch, bits, mapping):
    rng = np.random.default_rng(6)
    given = [torch.from_numpy(x) for x in (table(rng, bits), INDICES, LENGTHS, floats(rng, 5))]
    mapping = None if mapping is None else torch.from_numpy(mapping)
    fast = bag(given[0], LAYOUTS[bits], *given[1:], mapping, True)
    monkeypatch.setattr("caffe2.ops.demand.readable", lambda x: False)
    assert torch.allclose(bag(given[0], LAYOUTS[bits], *given[1:], mapping, True), fast, atol=1e-5)


def test_what_is_pruned_is_left_out(run):
    made = run("SparseLengthsSumSparseLookup", INDICES, LENGTHS, MAPPING, np.arange(5, dtype=np.float32), outputs=3)
    assert [x.tolist() for x in made] == [[1, 2, 3], [2, 0, 1], [0, 1, 4]]


def test_rows_are_gathered(run):
    packed = table(np.random.default_rng(7), 8)
    made = run("GatherFused8BitRowwise", packed, INDICES)
    assert np.allclose(made, run("Fused8BitRowwiseQuantizedToFloat", packed)[INDICES])


def test_what_does_not_fit_is_refused(run):
    packed = table(np.random.default_rng(8), 4)
    with pytest.raises(EnforceNotMet, match="add up to 5, not 4"):
        run("SparseLengthsSumFused4BitRowwise", packed, INDICES[:4], LENGTHS)
    with pytest.raises(EnforceNotMet, match="out of bounds"):
        run("SparseLengthsSumFused4BitRowwise", packed, INDICES + 1, LENGTHS)
    with pytest.raises(EnforceNotMet, match="rows -1 to 9 of DATA, which has 5"):
        run("SparseLengthsSum4BitRowwiseSparse", packed, INDICES, LENGTHS, MAPPING + np.int32(6) * (MAPPING == 3))
    with pytest.raises(EnforceNotMet, match="indexes 5 rows"):
        run("SparseLengthsSum4BitRowwiseSparse", packed, INDICES + 1, LENGTHS, MAPPING)
    with pytest.raises(EnforceNotMet, match="at least one number"):
        run("SparseLengthsSumFused4BitRowwise", packed[:, :4], INDICES, LENGTHS)
    with pytest.raises(EnforceNotMet, match="a weight for each of 5"):
        run("SparseLengthsWeightedSumFused4BitRowwise", packed, np.ones(4, np.float32), INDICES, LENGTHS)
