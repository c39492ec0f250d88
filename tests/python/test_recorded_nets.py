"""Models are built of the same operators, blobs and arguments as the original's, which are recorded."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from tests.python.recorded import layers, nets, rnn, seq2seq, text


def _recorded(module: ModuleType) -> dict[str, list[str]]:
    blocks = Path(module.__file__).with_suffix(".txt").read_text().split("== ")[1:]
    return {name: lines for name, *lines in (block.rstrip("\n").split("\n") for block in blocks)}


RECORDED = {module: _recorded(module) for module in (nets, layers, rnn, seq2seq)}


@pytest.mark.parametrize("module", RECORDED, ids=lambda module: module.__name__)
def test_every_program_is_recorded(module: ModuleType) -> None:
    assert list(module.PROGRAMS) == list(RECORDED[module])


@pytest.mark.parametrize("module, name", [(module, name) for module in RECORDED for name in module.PROGRAMS])
def test_nets_equal_the_originals(module: ModuleType, name: str) -> None:
    assert text.run(module.PROGRAMS, name) == RECORDED[module][name]
