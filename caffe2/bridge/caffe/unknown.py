"""What to say of layers whose type nothing here knows, and what to do about them."""

from __future__ import annotations

from caffe2.bridge.caffe.layers import Layer

_INSTEAD = {
    "ProposalLayer": "the layer type Proposal computes what it does: put its parameters into a proposal_param",
    "SpatialDropoutLayer": "it passes its bottom on in the phase TEST: delete it and rename its bottom",
}
"""What to do about Python layers that many nets have."""


def unknown_type(layer: Layer) -> str:
    """Why a layer of no known type cannot be translated, and what its user can do."""
    if layer.type != "Python":
        what = f'unknown layer type "{layer.type}"'
    else:
        code = layer.proto.python_param
        run = f"{code.module}.{code.layer} is not run: " if code.layer else ""
        what = f"{run}Python layers run code, which a translation never does"
        what += f"; {_INSTEAD.get(code.layer, 'write a translator for this layer')}"
    if layer.bottoms or not layer.tops:
        return what
    return f"{what}; or give the shapes of {', '.join(layer.tops)} to feed them"
