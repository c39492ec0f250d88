"""Recurrent nets written out: the operators of every step, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from caffe2.proto import caffe2_pb2
from caffe2.python import core, scope
from caffe2.python._rnn_cell.cell import Blob, RNNCell
from caffe2.python.model_helper import ModelHelper
from caffe2.python.modeling.parameter_sharing import ParameterSharing


class UnrolledCell(RNNCell):
    """A cell whose steps, T of them, are added one by one, each in a scope of its own."""

    def __init__(self, cell: RNNCell, T: int) -> None:
        self.T = T
        self.cell = cell

    def apply_over_sequence(
        self,
        model: ModelHelper,
        inputs: Any,
        seq_lengths: Any = None,
        initial_states: Sequence[Any] | None = None,
        outputs_with_grads: Sequence[int] | None = None,
    ) -> tuple[Blob, tuple[Blob, ...]]:
        cell, net = self.cell, model.net
        inputs = cell.prepare_input(model, inputs)
        steps = net.Split(inputs, [f"{inputs}_timestep_{t}" for t in range(self.T)], axis=0)
        states = cell._create_states(model) if initial_states is None else initial_states
        history = []
        for t, input_t in enumerate(steps if self.T > 1 else [steps]):
            with ParameterSharing({f"timestep_{t}": ""}), scope.NameScope(f"timestep_{t}"):
                count = {"value": t, "shape": [1], "dtype": core.DataType.INT32}
                cpu = core.DeviceOption(caffe2_pb2.CPU)
                timestep = model.param_init_net.ConstantFill([], "timestep", **count, device_option=cpu)
                states = cell._apply(
                    model=model, input_t=input_t, seq_lengths=seq_lengths, states=states, timestep=timestep
                )
            history.append(states)
        joined = [self._join(net, values) for values in zip(*history)]
        outputs = tuple(blob for pair in zip(joined, states) for blob in pair)
        wanted = [2 * cell.get_output_state_index()] if outputs_with_grads is None else outputs_with_grads
        for i in range(len(outputs)):
            if i not in wanted:
                net.ZeroGradient(outputs[i], [])
        return cell._prepare_output_sequence(model, outputs), outputs

    @staticmethod
    def _join(net: core.Net, values: Sequence[Blob]) -> Blob:
        """A state's values of all steps as one blob."""
        name = str(values[0])[len("timestep_0/") :]
        return net.Concat(list(values), [f"{name}_concat", f"{name}_concat_info"], axis=0)[0]
