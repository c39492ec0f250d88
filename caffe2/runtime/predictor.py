"""Predictors: a net with its parameters, fed with inputs and asked for outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from caffe2.opdef import EnforceNotMet, did_you_mean
from caffe2.proto import caffe2_pb2
from caffe2.runtime.workspace import Workspace


class Predictor:
    """Runs `init` once in a workspace of its own, and `predict` for every call.

    Its inputs are the external inputs of `predict`, in their order, of which `init` has made some already: its
    parameters, and often an input of zeros. Its outputs are the external outputs.
    """

    def __init__(self, init: caffe2_pb2.NetDef, predict: caffe2_pb2.NetDef) -> None:
        self.workspace = Workspace()
        self.workspace.run_net_once(init)
        self.inputs = list(predict.external_input)
        self.outputs = list(predict.external_output)
        for name in self.inputs:
            self.workspace.cell(name)
        self.net = self.workspace.bind_net(predict)

    def run(self, inputs: Sequence[Any] | Mapping[str, Any]) -> list[Any]:
        """The outputs, in order, for arrays or tensors by name or in the order of `inputs`.

        An input that is not given keeps what it holds. Raises EnforceNotMet for one that the net does not have.
        """
        if not isinstance(inputs, Mapping):
            if len(inputs) > len(self.inputs):
                raise EnforceNotMet(f"the predictor takes {len(self.inputs)} inputs {self.inputs}, not {len(inputs)}")
            inputs = dict(zip(self.inputs, inputs))
        for name, value in inputs.items():
            if name not in self.inputs:
                raise EnforceNotMet(f"the predictor has no input {name!r}{did_you_mean(name, self.inputs)}")
            self.workspace.feed(name, value)
        self.net.run()
        return [self.workspace.fetch(name) for name in self.outputs]
