"""Layers whose type nothing here knows: what to say of them, and what stands for Python layers that many nets have."""

from __future__ import annotations

import re
from ast import literal_eval
from typing import Any

from google.protobuf.message import Message

from caffe2.bridge.caffe.layers import Layer
from caffe2.proto.caffe_forks_pb2 import ForkLayerParameter

_INSTEAD = {
    "rpn.proposal_layer.ProposalLayer": "--replace_python (replace_python=True) puts a Proposal layer there",
    "spatial_dropout.SpatialDropoutLayer": "it passes its bottom on in the phase TEST: delete it and rename its bottom",
}
_PROPOSAL = {"feat_stride": "feat_stride", "scales": "scale", "ratios": "ratio"}
"""The parameters of py-faster-rcnn's ProposalLayer, and the fields of Proposal that they are."""
_TRAINING = {"pre_nms_topn": 12000, "post_nms_topn": 2000}


def unknown_type(layer: Layer) -> str:
    """Why a layer of no known type cannot be translated, and what its user can do."""
    if layer.type != "Python":
        what = f'unknown layer type "{layer.type}"'
    else:
        code = layer.proto.python_param
        name = f"{code.module}.{code.layer}"
        run = f"{name} is not run: " if code.layer else ""
        what = f"{run}Python layers run code, which a translation never does"
        what += f"; {_INSTEAD.get(name, 'write a translator for this layer')}"
    if layer.bottoms or not layer.tops:
        return what
    return f"{what}; or give the shapes of {', '.join(layer.tops)} to feed them"


def replace_python(layer: Message, training: bool) -> str:
    """Makes a Proposal of a LayerParameter that runs py-faster-rcnn's ProposalLayer; a note of it, else ""."""
    code = layer.python_param
    if layer.type != "Python" or (code.module, code.layer) != ("rpn.proposal_layer", "ProposalLayer"):
        return ""
    given = _parameters(code.param_str)
    if given is None or set(given) - set(_PROPOSAL):
        return ""
    fork = ForkLayerParameter()
    for name, value in ({} if not training else _TRAINING).items():
        setattr(fork.proposal_param, name, value)
    for name, value in given.items():
        if name == "feat_stride":
            fork.proposal_param.feat_stride = value
        else:
            getattr(fork.proposal_param, _PROPOSAL[name]).extend(value)
    name = f"{code.module}.{code.layer}"
    layer.type = "Proposal"
    layer.ClearField("python_param")
    layer.MergeFromString(fork.SerializePartialToString())
    return f'Proposal stands for {name} in layer "{layer.name}", with the settings of py-faster-rcnn'


def _parameters(text: str) -> dict[str, Any] | None:
    """The numbers and lists of a param_str, YAML as these layers have it; None for any other."""
    text = re.sub(r"!!python/\w+", "", text).strip().removeprefix("{").removesuffix("}")
    try:
        pairs = [literal_eval("{" + line + "}") for line in text.splitlines() if line.strip()]
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return {name: value for pair in pairs if isinstance(pair, dict) for name, value in pair.items()}
