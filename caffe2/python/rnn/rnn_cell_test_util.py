"""Recurrent layers on random data, for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from caffe2.python import core, scope, workspace
from caffe2.python.model_helper import ModelHelper


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x))."""
    return 1.0 / (1.0 + np.exp(-x))


def tanh(x: np.ndarray) -> np.ndarray:
    """2 sigmoid(2x) - 1."""
    return 2.0 * sigmoid(2.0 * x) - 1


def _prepare_rnn(
    t: int,
    n: int,
    dim_in: int,
    create_rnn: Callable[..., tuple[Any, ...]],
    outputs_with_grads: Sequence[int],
    forget_bias: float,
    memory_optim: bool = False,
    forward_only: bool = False,
    drop_states: bool = False,
    T: int | None = None,
    two_d_initial_states: bool | None = None,
    dim_out: Sequence[int] | None = None,
    num_states: int = 2,
    **kwargs: Any,
) -> tuple[tuple[Any, ...], core.Net, list[Any]]:
    """A layer over t steps of n sequences: its results, its net, and the blobs of its initial states and its input.

    Parameters, states and lengths are random and in the workspace; the input is not.
    two_d_initial_states: states of shape [n, d], otherwise [1, n, d]; by default either, at random.
    num_states: states of a layer. dim_out: the layers' sizes. T: the steps, to write them out.
    """
    sizes = [dim_in] if dim_out is None else dim_out
    flat = np.random.randint(2) if two_d_initial_states is None else two_d_initial_states
    model = ModelHelper(name="external")
    states = []
    for layer, size in enumerate(sizes):
        for i in range(num_states):
            states.append(model.net.AddExternalInput(f"state_{i}/layer_{layer}"))
            shape = (n, size) if flat else (1, n, size)
            workspace.FeedBlob(states[-1], np.random.randn(*shape).astype(np.float32))
    with scope.NameScope("test_name_scope"):
        input_blob, seq_lengths = model.net.AddScopedExternalInputs("input_blob", "seq_lengths")
        outputs = create_rnn(
            model,
            input_blob,
            seq_lengths,
            states,
            dim_in=dim_in,
            dim_out=sizes,
            scope="external/recurrent",
            outputs_with_grads=outputs_with_grads,
            memory_optimization=memory_optim,
            forget_bias=forget_bias,
            forward_only=forward_only,
            drop_states=drop_states,
            static_rnn_unroll_size=T,
            **kwargs,
        )
    workspace.RunNetOnce(model.param_init_net)
    workspace.FeedBlob(seq_lengths, np.random.randint(1, t + 1, size=(n,)).astype(np.int32))
    return outputs, model.net, [*states, input_blob]
