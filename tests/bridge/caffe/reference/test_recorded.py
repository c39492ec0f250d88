"""The reference equals recorded forward passes of BVLC Caffe."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from caffe2.bridge.caffe import read_net, reference
from tests.bridge.caffe.files import RECORDED

CASES = sorted(path.name for path in RECORDED.iterdir() if (path / "blobs.npz").exists())
STATES = {"stage_deploy_level1": {"level": 1, "stages": ("deploy",)}}
NEEDS = {"HDF5Data__wrap": "h5py", "lmdb_crop_center": "lmdb", "leveldb_single_mean": "plyvel"}


@pytest.mark.parametrize("case", CASES)
def test_every_blob(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec(NEEDS.get(case, "numpy")) is None:
        pytest.skip(f"needs {NEEDS[case]}")
    monkeypatch.chdir(RECORDED / case)
    net = read_net("deploy.prototxt", "weights.caffemodel", **STATES.get(case, {}))
    got = reference.run(net, dict(np.load("input.npz")))
    compared = 0
    for name, want in np.load("blobs.npz").items():
        if "_split_" not in name:
            assert got[name].shape == want.shape == net.shapes[name], name
            np.testing.assert_allclose(got[name], want, rtol=1e-4, atol=1e-4 * np.abs(want).max() + 1e-7, err_msg=name)
            compared += 1
    assert compared >= len(net.outputs) > 0


def test_inner_blobs_come_layer_by_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(RECORDED / "LRN__inplace")
    net = read_net("deploy.prototxt")
    given = dict(np.load("input.npz"))
    values = [tops[0] for _, tops in reference.steps(net, given)]
    assert np.array_equal(values[0], given["x"]) and not np.array_equal(values[1], values[0])
