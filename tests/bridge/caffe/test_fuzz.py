"""Damaged files: each is read or refused by an error of the package, in time and in bounds.

CAFFE_FUZZ=10000 runs that many of each kind instead of a few.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from caffe2.bridge.caffe import (
    TranslatorError,
    load_prototxt,
    load_solver,
    read_mean,
    read_net,
    read_weights,
    reference,
)
from caffe2.bridge.caffe.translate import translate
from tests.bridge.caffe.files import RECORDED, write
from tests.bridge.caffe.mutation import WORDS, mutated_bytes, mutated_text

COUNT = int(os.environ.get("CAFFE_FUZZ", "60"))
SECONDS = 10
NETS = sorted(RECORDED.glob("*/*.prototxt"))
VOCABULARY = sorted({word for path in NETS for word in WORDS.findall(path.read_bytes()) if word.strip()})


def net_and_run(path: str, weights: str | None = None) -> None:
    """Reads a net, translates it, and computes it as far as its size allows."""
    net = read_net(path, weights)
    translate(net)
    given = {name: np.zeros(shape, np.float32) for name, shape in net.inputs.items() if np.prod(shape) < 10**7}
    reference.run(net, given, most_bytes=1 << 28, most_work=10**8)


def every_number(path: str) -> None:
    """Reads the blobs of a weights file, the huge ones apart."""
    for layer in read_weights(path).layers:
        assert all(blob.array.size == blob.size for blob in layer.blobs if blob.size < 10**6)


def survives(action: object, *arguments: object) -> bool:
    """Whether `action` accepts its arguments, having refused them properly and in time if not."""
    start, accepted = time.monotonic(), True
    try:
        action(*arguments)
    except TranslatorError as error:
        accepted = False
        assert str(error).strip()
    assert time.monotonic() - start < SECONDS
    return accepted


@pytest.mark.parametrize("seed", range(COUNT))
def test_damaged_text(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    source = NETS[int(rng.integers(len(NETS)))]
    monkeypatch.chdir(source.parent)
    path = write(tmp_path, mutated_text(source.read_bytes(), rng, VOCABULARY))
    survives(net_and_run, path)
    survives(load_prototxt, path)
    survives(load_solver, path)


@pytest.mark.parametrize("seed", range(COUNT))
def test_damaged_weights(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    models = sorted(RECORDED.glob("*/weights.caffemodel"))
    source = models[int(rng.integers(len(models)))]
    monkeypatch.chdir(source.parent)
    path = write(tmp_path, mutated_bytes(source.read_bytes(), rng), "w.caffemodel")
    survives(read_weights, path)
    survives(net_and_run, "deploy.prototxt", path)
    survives(read_mean, path)


def test_the_undamaged_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    for path in RECORDED.glob("*/deploy.prototxt"):
        monkeypatch.chdir(path.parent)
        assert survives(load_prototxt, path) and survives(read_weights, path.parent / "weights.caffemodel")


def test_damaged_hdf5(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "good.h5", "w") as file:
        file.create_group("data/c").create_dataset("0", data=np.ones((3, 4), np.float32))
    data = (tmp_path / "good.h5").read_bytes()
    for seed in range(COUNT // 2):
        path = write(tmp_path, data[:8] + mutated_bytes(data[8:], np.random.default_rng(seed)), "w.h5")
        survives(every_number, path)
