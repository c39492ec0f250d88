"""Text files read in batches."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from caffe2.ops.io.text import TextFileReader
from caffe2.runtime.workspace import Workspace
from tests.runtime.nets import net, operator
from tests.sample import Sample, samples

FLOAT, INT32, STRING = 1, 2, 4
FOLDER = tempfile.TemporaryDirectory()
PATH = str(Path(FOLDER.name) / "rows")
Path(PATH).write_bytes(b"a\t1.5\n\t2\nc c\t-3\n")


@samples("CreateTextFileReader")
def _(rng):
    yield [], {"filename": PATH, "field_types": [STRING, FLOAT], "num_passes": 2}


@samples("TextFileReaderRead")
def _(rng):
    def reader():
        return TextFileReader(PATH, 1, (STRING, FLOAT))

    yield Sample("TextFileReaderRead", (reader,), {"batch_size": 2}, outputs=2)
    yield Sample("TextFileReaderRead", (reader,), {}, outputs=2)


@pytest.fixture
def read():
    """read(path, types, passes, batch): the columns of every batch until one is empty."""

    def run(path, types, passes=1, batch=2):
        workspace = Workspace()
        create = operator("CreateTextFileReader", "", "r", filename=str(path), field_types=types, num_passes=passes)
        workspace.run_operator_once(create)
        outputs = " ".join(f"c{k}" for k in range(len(types)))
        workspace.create_net(net("read", operator("TextFileReaderRead", "r", outputs, batch_size=batch)))
        batches = []
        while not batches or len(batches[-1][0]):
            workspace.run_net("read")
            batches.append([workspace.fetch(name) for name in outputs.split()])
        return batches

    return run


def test_batches(read):
    first, second, last = read(PATH, [STRING, FLOAT])
    assert first[0].tolist() == [b"a", b""] and first[1].tolist() == [1.5, 2]
    assert second[0].tolist() == [b"c c"] and second[1].dtype == np.float32
    assert last[0].dtype == object and last[1].dtype == np.float32 and last[1].shape == (0,)


def test_passes_follow_each_other(read):
    assert [len(batch[0]) for batch in read(PATH, [STRING, FLOAT], passes=2, batch=4)] == [4, 2, 0]


def test_a_last_line_without_an_end(read, tmp_path):
    (tmp_path / "x").write_bytes(b"1\n2")
    assert read(tmp_path / "x", [INT32])[0][0].tolist() == [1, 2]


@pytest.mark.parametrize(
    "content, types, message",
    [
        (b"1\t2\n3\n", [INT32, INT32], "row 2 of .* has 1 columns for 2 field types"),
        (b"1\nx\n", [FLOAT], "column 0 of .* is to be float"),
    ],
)
def test_damaged_rows(read, tmp_path, content, types, message):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(EnforceNotMet, match=message):
        read(tmp_path / "x", types)


def test_refusals(read, run):
    with pytest.raises(EnforceNotMet, match="there is no file '/no/such'"):
        read("/no/such", [FLOAT])
    with pytest.raises(EnforceNotMet, match="field_types is empty"):
        run("CreateTextFileReader", filename=PATH)
    with pytest.raises(EnforceNotMet, match="1 outputs for the 2 columns"):
        run("TextFileReaderRead", TextFileReader(PATH, 1, (STRING, FLOAT)), outputs=1)
    with pytest.raises(EnforceNotMet, match="takes a TextFileReader"):
        run("TextFileReaderRead", b"reader", outputs=1)
