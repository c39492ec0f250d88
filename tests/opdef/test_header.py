"""Headers: what they say, and what they refuse."""

from __future__ import annotations

import pytest

from caffe2.opdef.errors import SchemaError
from caffe2.opdef.header import parse


def test_reads_back_as_written():
    for text in ("Conv: X filter bias? -> Y", "WeightedSum: *(X weight) -> Y", "Make: -> queue", "Print: X ->"):
        assert str(parse(text)) == text


def test_optional_blobs_are_given_from_the_left():
    side = parse("F: A B? C? D -> Y").inputs
    assert side.assign(["a", "d"]) == {"A": "a", "B": None, "C": None, "D": "d"}
    assert side.assign(["a", "b", "d"]) == {"A": "a", "B": "b", "C": None, "D": "d"}
    assert (side.least, side.most) == (2, 4)


def test_runs_take_what_is_left():
    side = parse("Enqueue: queue *blobs -> *blobs").inputs
    assert side.assign(["q", "x", "y"]) == {"queue": "q", "blobs": ["x", "y"]}
    assert side.assign(["q"]) == {"queue": "q", "blobs": []}
    assert not parse("Sum: +X -> Y").inputs.accepts(0)


def test_groups_repeat_whole():
    side = parse("WeightedSum: *(X w) -> Y").inputs
    assert side.accepts(4) and not side.accepts(3)


@pytest.mark.parametrize("text", ["Relu X -> Y", "Relu: X", "F: *a *b -> Y", "F: X ! -> Y"])
def test_refuses_what_is_no_header(text: str):
    with pytest.raises(SchemaError):
        parse(text)
