"""The table of layers in docs/caffe.md says what the translators do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from caffe2.bridge.caffe import reference
from caffe2.bridge.caffe.translate import translators
from caffe2.opdef import NONE, REFUSED, lookup

TEXT = (Path(__file__).parents[3] / "docs" / "caffe.md").read_text()
ROWS = [row for row in re.findall(r"^\| (\w+) \| (.+?) \| (yes|no|) \| ([a-z ]*?) ?\|$", TEXT, re.M)]


def test_every_layer_has_a_row() -> None:
    assert [row[0] for row in ROWS] == sorted(reference.TYPES, key=str.lower)
    assert set(translators) == set(reference.TYPES)


@pytest.mark.parametrize("layer, becomes, trains, by", ROWS, ids=[row[0] for row in ROWS])
def test_a_row_is_true(layer: str, becomes: str, trains: str, by: str) -> None:
    operators = [lookup(name) for name in re.findall(r"`(\w+)`", becomes)]
    assert operators or becomes in ("an input", "nothing", "refused")
    if trains == "yes":
        assert any(d.gradient not in (None, NONE, REFUSED) for d in operators)
