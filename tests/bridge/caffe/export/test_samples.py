"""On every sample of an operator that may go to Caffe, it is refused with a reason, or the files compute the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from caffe2.bridge.caffe.export import InexpressibleError, export, exporters, proof, write
from caffe2.opdef import lookup
from caffe2.proto import caffe2_pb2
from tests.sample import Sample, load_all, samples_of

load_all()
EQUALS = {"ArgMax"}
"""Operators that choose among equal numbers otherwise than Caffe: noise has none, their samples do."""


def values(sample: Sample) -> dict[str, np.ndarray] | None:
    """The inputs of a sample; None where one is no tensor, or holds nothing."""
    workspace = sample.workspace()
    found = {f"i{k}": workspace.fetch(f"i{k}") for k in range(len(sample.inputs))}
    full = all(isinstance(value, np.ndarray) and value.size for value in found.values())
    return found if full else None


@pytest.mark.parametrize("name", sorted(set(exporters) - EQUALS))
def test_refused_or_the_same(name: str, tmp_path: Path) -> None:
    assert lookup(name)
    for sample in samples_of(name):
        op, given = sample.definition(), values(sample)
        if given is None or not op.output:
            continue
        net = caffe2_pb2.NetDef(name="test", op=[op], external_output=op.output[:1])
        fed = {key: value for key, value in given.items() if key == "i0"}
        params = {key: value for key, value in given.items() if key != "i0"}
        try:
            made = export(params, net, inputs=fed)
        except InexpressibleError as error:
            assert all(obstacle.what for obstacle in error.obstacles)
            continue
        files = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
        write(made, *files)
        report = proof(made, *files)
        assert report.passed, f"{sample.args}\n{report.table()}"
