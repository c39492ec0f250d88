"""Pretrained models: found where they are kept, and an error that says why they are not to be had."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from urllib.error import URLError

import pytest

from caffe2.proto import caffe2_pb2
from caffe2.python.models import download


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    def refuse(url: str) -> None:
        raise URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setenv("CAFFE2_MODELS", str(tmp_path))
    return tmp_path


def test_a_model_that_is_here_is_not_downloaded(offline: Path) -> None:
    folder = offline / "tiny"
    folder.mkdir()
    for name in ("init", "predict"):
        (folder / f"{name}_net.pb").write_bytes(caffe2_pb2.NetDef(name="old").SerializeToString())
    (folder / "value_info.json").write_text(json.dumps({"data": [1, [1, 3]]}))
    init, predict, info = download.ModelDownloader().get_c2_model("tiny")
    assert (init.name, predict.name, info) == ("tiny_init", "tiny", {"data": [1, [1, 3]]})


def test_offline_the_error_says_so_and_nothing_is_left(offline: Path) -> None:
    with pytest.raises(OSError, match="no network.*tiny/predict_net.pb"):
        download.ModelDownloader().get_c2_model("tiny")
    assert not (offline / "tiny").exists()


@pytest.mark.parametrize("name, valid", [("a/B_1-2", True), ("__init__", False), ("a.b", False), ("", False)])
def test_names(name: str, valid: bool) -> None:
    assert download.validModelName(name) == valid
