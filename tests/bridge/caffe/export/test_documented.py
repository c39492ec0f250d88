"""The table of operators in docs/caffe.md names operators that go to Caffe, and layers that Caffe or a fork has."""

from __future__ import annotations

import re
from pathlib import Path

from caffe2.bridge.caffe import reference
from caffe2.bridge.caffe.export import FORKS, exporters

TEXT = (Path(__file__).parents[4] / "docs" / "caffe.md").read_text()
SECTION = TEXT.split("## Back to Caffe")[1].split("\n## ")[0]
ROWS = re.findall(r"^\| (.*`[A-Z]\w+`.*?) \| (.*) \|$", SECTION, re.M)


def test_the_operators_are_written() -> None:
    named = {name for operators, _ in ROWS for name in re.findall(r"`([A-Z]\w+)`", operators)}
    assert len(named) > 50 and named <= set(exporters)


def test_layers_of_forks_are_known() -> None:
    assert set(FORKS) <= set(reference.TYPES)
