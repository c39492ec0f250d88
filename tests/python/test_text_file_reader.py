"""Records read from text files."""

from __future__ import annotations

import numpy as np
import pytest

from caffe2.python import core, schema, workspace
from caffe2.python.text_file_reader import TextFileReader


def test_columns(tmp_path):
    path = tmp_path / "table.txt"
    path.write_text("a\t1.5\nb\t2.5\nc\t3.5\n")
    init, net = core.Net("init"), core.Net("read")
    record = schema.Struct(("name", schema.Scalar(np.dtype("S"))), ("value", schema.Scalar(np.float32)))
    reader = TextFileReader(init, filename=str(path), schema=record, batch_size=2)
    stop, columns = reader.read(net)
    workspace.RunNetOnce(init)
    workspace.CreateNet(net)
    seen = []
    for _ in range(3):
        workspace.RunNet(net)
        seen.append((bool(workspace.FetchBlob(stop)), *(workspace.FetchBlob(c).tolist() for c in columns)))
    assert seen == [(False, [b"a", b"b"], [1.5, 2.5]), (False, [b"c"], [3.5]), (True, [], [])]


@pytest.mark.parametrize("fields", [schema.Scalar(np.float32), schema.Struct(("l", schema.List(schema.Scalar())))])
def test_fields_are_scalars(fields):
    with pytest.raises(AssertionError, match="Schema must be|Only scalar fields"):
        TextFileReader(core.Net("init"), filename="t", schema=fields)
