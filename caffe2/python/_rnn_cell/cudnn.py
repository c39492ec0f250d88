"""LSTMs of cuDNN, whose parameters are one blob, and the parameters of LSTMs by gate."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from caffe2.python import core, workspace
from caffe2.python.model_helper import ModelHelper
from caffe2.python.modeling.initializers import Initializer
from caffe2.python.modeling.parameter_info import ParameterTags


def GetLSTMParamNames() -> dict[str, list[str]]:
    """The names of weights and biases by gate, in the order in which LSTMs hold them."""
    gates = ("input_gate", "forget_gate", "output_gate", "cell")
    return {"weights": [f"{gate}_w" for gate in gates], "biases": [f"{gate}_b" for gate in gates]}


def InitFromLSTMParams(
    lstm_pblobs: Mapping[str, Mapping[str, Any]], param_values: Mapping[str, Mapping[str, np.ndarray]]
) -> None:
    """Feed an LSTM's parameters from values by gate.

    lstm_pblobs: what LSTM with return_params gives: for "input" and "recurrent", the blobs of "weights" and "biases".
    param_values: for "input" and "recurrent", arrays by the names of GetLSTMParamNames.
    """
    for input_type, values in param_values.items():
        for kind, names in GetLSTMParamNames().items():
            blob = lstm_pblobs[input_type][kind]
            joined = np.concatenate([values[name].ravel() for name in names])
            workspace.FeedBlob(blob, joined.reshape(workspace.FetchBlob(blob).shape).astype(np.float32))


def cudnn_LSTM(
    model: ModelHelper,
    input_blob: Any,
    initial_states: Sequence[Any],
    dim_in: int,
    dim_out: int,
    scope: str,
    recurrent_params: Mapping[str, Any] | None = None,
    input_params: Mapping[str, Any] | None = None,
    num_layers: int = 1,
    return_params: bool = False,
) -> tuple[Any, ...]:
    """Run an LSTM of cuDNN over a sequence [T, batch, dim_in]: (hidden states, the last one, the last cell state).

    input_params, recurrent_params: blobs to begin with, by the names of GetLSTMParamNames; otherwise uniform.
    return_params: append the net that extracts the parameters by gate, and the blobs that it writes, by layer.
    """
    names = GetLSTMParamNames()
    arguments = {
        "hidden_size": dim_out,
        "rnn_mode": "lstm",
        "bidirectional": 0,
        "dropout": 1.0,
        "input_mode": "linear",
        "num_layers": num_layers,
        "engine": "CUDNN",
    }

    def size(layer: int, name: str, input_type: str) -> int:
        if name in names["biases"]:
            return dim_out
        return dim_out * (dim_in if layer == 0 and input_type == "input" else dim_out)

    every = [*names["weights"], *names["biases"]]
    kinds = {"input": input_params or {}, "recurrent": recurrent_params or {}}
    total = sum(size(layer, name, kind) for layer in range(num_layers) for name in every for kind in kinds)
    with core.NameScope(scope):
        uniform = Initializer("UniformFill")
        weights = model.create_param("lstm_weight", shape=[total], initializer=uniform, tags=ParameterTags.WEIGHT)
        extract_net = core.Net("lstm_param_extractor")
        extract_net.AddExternalInputs([input_blob, weights])
        mapping: dict[str, dict[str, dict[int, Any]]] = {kind: {} for kind in kinds}
        for kind, given in kinds.items():
            for name in every:
                for layer in range(num_layers):
                    which = {"layer": layer, "input_type": kind, "param_type": name, **arguments}
                    value = given.get(name) or model.param_init_net.UniformFill(
                        [], f"lstm_init_{kind}_{name}_{layer}", shape=[size(layer, name, kind)]
                    )
                    model.param_init_net.RecurrentParamSet([input_blob, weights, value], weights, **which)
                    extracted = extract_net.RecurrentParamGet(
                        [input_blob, weights], [f"lstm_{kind}_{name}_{layer}"], **which
                    )
                    mapping[kind].setdefault(name, {})[layer] = extracted
        output, *others = model.net.Recurrent(
            [input_blob, *initial_states, weights],
            [f"lstm_{n}" for n in ("output", "hidden_output", "cell_output", "rnn_scratch", "dropout_states")],
            seed=random.randint(0, 100000),
            **arguments,
        )
        model.net.AddExternalOutputs(*others)
    result = (output, *others[:2])
    return (*result, (extract_net, mapping)) if return_params else result
