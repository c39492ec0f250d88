"""Strings, maps and indices: samples, and what is particular."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet
from caffe2.ops.index_table import IndexTable
from caffe2.ops.map import Map
from caffe2.runtime.serialize import deserialize, serialize
from tests.sample import samples

WORDS = np.array([b"alpha", b"be", b""], dtype=object)


@samples("StringPrefix", "StringSuffix")
def _(rng):
    yield [WORDS], {"length": 2}
    yield [WORDS[:0]], {}


@samples("StringStartsWith", "StringEndsWith", "StringEquals")
def _(rng):
    yield [WORDS], {"prefix": "a", "suffix": "e", "text": "be"}


@samples("StringJoin")
def _(rng):
    yield [WORDS], {}
    yield [np.arange(6, dtype=np.float32).reshape(2, 3) / 7], {"axis": 1, "delimiter": "-"}


@samples("CreateMap")
def _(rng):
    yield [], {"key_dtype": 10}


@samples("KeyValueToMap")
def _(rng):
    yield [np.array([3, 1], np.int64), np.array([5, 6], np.int32)], {}


@samples("MapToKeyValue")
def _(rng):
    yield [lambda: Map(torch.int32, torch.int64)], {}


@samples("IntIndexCreate", "LongIndexCreate", "StringIndexCreate")
def _(rng):
    yield [], {"max_elements": 4}


def table() -> IndexTable:
    made = IndexTable(torch.int64, 10)
    made.look_up(torch.tensor([5, 7]))
    return made


@samples("IndexGet", "IndexLoad")
def _(rng):
    yield [table, np.array([7, 9], np.int64)], {}


@samples("IndexFreeze", "IndexStore", "IndexSize")
def _(rng):
    yield [table], {}


def test_numbers_are_joined_as_they_print_in_cpp(run):
    assert run("StringJoin", np.array([[1 / 3, 2], [1e9, 4]], np.float32)).tolist() == [b"0.333333,2,", b"1e+09,4,"]


def test_a_map_survives_serialization():
    held = Map(torch.int64, torch.int32)
    held.entries |= {4: 5, -1: 7}
    again = deserialize(serialize(held, "m"))
    assert again.entries == held.entries and (again.key, again.value) == (torch.int64, torch.int32)


def test_an_index_numbers_keys_as_they_come_until_it_is_frozen(run):
    index = table()
    assert run("IndexGet", lambda: index, np.array([7, 9, 5], np.int64)).tolist() == [2, 3, 1]
    run("IndexFreeze", lambda: index)
    assert run("IndexGet", lambda: index, np.array([1, 9], np.int64)).tolist() == [0, 3]


def test_an_index_refuses_keys_of_another_type_and_more_than_it_holds(run):
    with pytest.raises(EnforceNotMet, match="int64"):
        run("IndexGet", table, np.array([1], np.int32))
    with pytest.raises(EnforceNotMet, match="full"):
        run("IndexGet", lambda: IndexTable(torch.int32, 2), np.array([1, 2], np.int32))
