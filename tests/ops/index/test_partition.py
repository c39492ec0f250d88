"""Partitions: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet, gradient_ops
from tests.sample import Sample, floats, samples

KEYS = np.array([5, -1, 4, 0])


@samples("Partition")
def _(rng):
    yield Sample("Partition", (KEYS, floats(rng, 4, 2)), outputs=4)
    yield Sample("Partition", (np.array([[1, 2]], np.int32), floats(rng, 1, 2)), {"pack_first_input": 1}, outputs=6)


@samples("LengthsPartition")
def _(rng):
    yield Sample("LengthsPartition", (np.array([1, 0, 3], np.int32), KEYS, floats(rng, 4)), outputs=6)


@samples("GatherByKey")
def _(rng):
    yield [KEYS, floats(rng, 2, 3), floats(rng, 2, 3)], {}
    yield [KEYS[:0], floats(rng, 0, 3)], {}


def test_gathering_undoes_the_partition(run):
    rows = np.arange(8).reshape(4, 2)
    even_keys, even, odd_keys, odd = run("Partition", KEYS, rows, outputs=4)
    assert even_keys.tolist() == [4, 0] and odd_keys.tolist() == [5, -1]
    assert run("GatherByKey", KEYS, even, odd).tolist() == rows.tolist()


def test_keys_are_packed(run):
    assert [x.tolist() for x in run("Partition", KEYS, outputs=2, pack_first_input=1)] == [[2, 0], [2, -1]]


def test_lengths_follow_their_rows(run):
    parts = run("LengthsPartition", np.array([1, 0, 3], np.int32), KEYS, outputs=4)
    assert parts[0].tolist() == [0, 0, 2] and parts[2].tolist() == [1, 0, 1]


def test_strings_are_dealt_out(run):
    words = np.array([b"a", b"b", b"c", b"d"], object)
    parts = run("Partition", KEYS, words, outputs=4)
    assert parts[1].tolist() == [b"c", b"d"]
    assert run("GatherByKey", KEYS, parts[1], parts[3]).tolist() == words.tolist()


def test_what_does_not_fit_is_refused(run):
    with pytest.raises(EnforceNotMet, match="no multiple"):
        run("Partition", KEYS, KEYS, outputs=3)
    with pytest.raises(EnforceNotMet, match="shape of the keys"):
        run("Partition", KEYS, KEYS[:2], outputs=2)
    with pytest.raises(EnforceNotMet, match="the keys ask for"):
        run("GatherByKey", KEYS, np.zeros(3), np.zeros(1))


def test_a_sparse_gradient_is_parted_with_its_indices():
    (op,), grads = gradient_ops(Sample("GatherByKey", (0, 0, 0)).definition(), [("rows", "g")])
    assert list(op.input) == ["i0", "rows", "g"]
    assert list(op.output)[:3] == ["_i1_grad_indices_keys", "i1_grad_indices", "i1_grad_values"]
    assert grads == [None, ("i1_grad_indices", "i1_grad_values"), ("i2_grad_indices", "i2_grad_values")]
