"""The nets of an installed model: this module, linked into a folder as its __init__, reads the two files there."""

from __future__ import annotations

import os
from typing import Any

from caffe2.proto import caffe2_pb2

_NETS = ("init_net", "predict_net")


def _parseFile(filename: str) -> caffe2_pb2.NetDef:
    with open(os.path.join(os.path.dirname(__file__), filename), "rb") as file:
        return caffe2_pb2.NetDef.FromString(file.read())


def __getattr__(name: str) -> Any:
    """init_net and predict_net, read when they are first asked for. Raises FileNotFoundError where there is no file."""
    if name not in _NETS:
        raise AttributeError(f"an installed model has {' and '.join(_NETS)}, not {name}")
    return globals().setdefault(name, _parseFile(f"{name}.pb"))
