"""Models are built of the same operators, blobs and arguments as the original's, which are recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.python.recorded import nets


def _recorded() -> dict[str, list[str]]:
    text = Path(nets.__file__).with_suffix(".txt").read_text()
    blocks = (block.rstrip("\n").split("\n") for block in text.split("== ")[1:])
    return {name: lines for name, *lines in blocks}


RECORDED = _recorded()


def test_every_program_is_recorded() -> None:
    assert list(nets.PROGRAMS) == list(RECORDED)


@pytest.mark.parametrize("name", nets.PROGRAMS)
def test_nets_equal_the_originals(name: str) -> None:
    assert nets.run(name) == RECORDED[name]
