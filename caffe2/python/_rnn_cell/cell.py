"""Cells: what is done at each step of a sequence."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from caffe2.python import core, recurrent, scope, utils
from caffe2.python.model_helper import ModelHelper
from caffe2.python.modeling.initializers import Initializer

Blob = core.BlobReference
ExtraInputs = Sequence[tuple[Any, int]] | None
"""Blobs that are read at each step besides the input, with their sizes."""


def _RectifyName(blob_reference_or_name: Any) -> Blob | None:
    """A reference for a name in the current scope; references and None as they are."""
    if blob_reference_or_name is None or isinstance(blob_reference_or_name, core.BlobReference):
        return blob_reference_or_name
    if isinstance(blob_reference_or_name, str):
        return core.ScopedBlobReference(blob_reference_or_name)
    raise TypeError(f"a blob is a reference or a name, not {blob_reference_or_name!r}")


def _RectifyNames(blob_references_or_names: Sequence[Any] | None) -> list[Blob | None] | None:
    return None if blob_references_or_names is None else [_RectifyName(blob) for blob in blob_references_or_names]


class RNNCell:
    """A cell: apply_override gives the states after a step; the output is one of them.

    name: a scope for the cell's blobs and parameters.
    forward_only: there is no gradient.
    initializer: makes the states before the first step, by `create_states(model)`.
    """

    def __init__(self, name: str | None = None, forward_only: bool = False, initializer: Any = None) -> None:
        self.name = name
        self.recompute_blobs: list[Any] = []
        self.forward_only = forward_only
        self._initializer = initializer

    @property
    def initializer(self) -> Any:
        """Makes the states before the first step."""
        return self._initializer

    @initializer.setter
    def initializer(self, value: Any) -> None:
        self._initializer = value

    def scope(self, name: str) -> str:
        """A name under the cell's."""
        return name if self.name is None else f"{self.name}/{name}"

    def apply_over_sequence(
        self,
        model: ModelHelper,
        inputs: Any,
        seq_lengths: Any = None,
        initial_states: Sequence[Any] | None = None,
        outputs_with_grads: Sequence[int] | None = None,
    ) -> tuple[Blob, tuple[Blob, ...]]:
        """Run the cell over a sequence [T, batch, ...]: the outputs, and for each state its values and its last value.

        seq_lengths: the lengths of the sequences of the batch. initial_states: by default the initializer's.
        outputs_with_grads: positions of the values that gradients come from, by default those of the outputs.
        """
        if initial_states is None:
            initial_states = self._create_states(model)
        prepared = self.prepare_input(model, inputs)
        step_model = ModelHelper(name=self.name, param_model=model)
        input_t, timestep = step_model.net.AddScopedExternalInputs("input_t", "timestep")
        names = self.get_state_names()
        utils.raiseIfNotEqual(
            len(initial_states),
            len(names),
            "Number of initial state values provided doesn't match the number of states",
        )
        before = step_model.net.AddScopedExternalInputs(*(f"{name}_prev" for name in names))
        after = self._apply(
            model=step_model, input_t=input_t, seq_lengths=seq_lengths, states=before, timestep=timestep
        )
        known = set(step_model.net.Proto().external_output)
        for state in after:
            if state not in known:
                step_model.net.AddExternalOutput(state)
        if outputs_with_grads is None:
            outputs_with_grads = [self.get_output_state_index() * 2]
        results = recurrent.recurrent_net(
            net=model.net,
            cell_net=step_model.net,
            inputs=[(input_t, prepared)],
            initial_cell_inputs=list(zip(before, initial_states)),
            links=dict(zip(before, after)),
            timestep=timestep,
            scope=self.name,
            forward_only=self.forward_only,
            outputs_with_grads=outputs_with_grads,
            recompute_blobs_on_backward=self.recompute_blobs,
        )
        return self._prepare_output_sequence(model, results), results

    def _create_states(self, model: ModelHelper) -> Sequence[Any]:
        if self.initializer is None:
            raise ValueError("Either initial states or initializer have to be set")
        with scope.NameScope(self.name):
            return self.initializer.create_states(model)

    def apply(
        self, model: ModelHelper, input_t: Any, seq_lengths: Any, states: Sequence[Any], timestep: Any
    ) -> tuple[Blob, Sequence[Blob]]:
        """Do one step: the output and the states after it."""
        states = self._apply(model, self.prepare_input(model, input_t), seq_lengths, states, timestep)
        return self._prepare_output(model, states), states

    def _apply(
        self,
        model: ModelHelper,
        input_t: Any,
        seq_lengths: Any,
        states: Sequence[Any],
        timestep: Any,
        extra_inputs: ExtraInputs = None,
    ) -> Sequence[Blob]:
        """Do one step on an input that is prepared: the states after it."""
        args = self._rectify_apply_inputs(input_t, seq_lengths, states, timestep, extra_inputs)
        with core.NameScope(self.name):
            return self.apply_override(model, *args)

    def _rectify_apply_inputs(
        self, input_t: Any, seq_lengths: Any, states: Sequence[Any], timestep: Any, extra_inputs: ExtraInputs
    ) -> list[Any]:
        """The arguments of apply_override, with references for names of the scope around."""
        input_t, seq_lengths, timestep = _RectifyNames([input_t, seq_lengths, timestep])
        rectified = [input_t, seq_lengths, _RectifyNames(states), timestep]
        if "extra_inputs" in inspect.signature(self.apply_override).parameters:
            rectified.append([(_RectifyName(blob), size) for blob, size in extra_inputs] if extra_inputs else None)
        return rectified

    def apply_override(
        self,
        model: ModelHelper,
        input_t: Blob,
        seq_lengths: Blob | None,
        states: Sequence[Blob],
        timestep: Blob,
        extra_inputs: ExtraInputs = None,
    ) -> Sequence[Blob]:
        """The states after a step; a subclass appends the operators here, within the cell's scope."""
        raise NotImplementedError(f"{type(self).__name__} does not say what a step is")

    def prepare_input(self, model: ModelHelper, input_blob: Any) -> Any:
        """What is done to the inputs of all steps at once."""
        return input_blob

    def get_output_state_index(self) -> int:
        """The position of the state that is the output."""
        return 0

    def get_state_names(self) -> Sequence[str]:
        """The names of the states, under the cell's."""
        return [self.scope(name) for name in self.get_state_names_override()]

    def get_state_names_override(self) -> Sequence[str]:
        """The names of the states, for a subclass to say."""
        raise NotImplementedError(f"{type(self).__name__} does not name its states")

    def get_output_dim(self) -> int:
        """The size of the output."""
        raise NotImplementedError(f"{type(self).__name__} does not say how large its output is")

    def _prepare_output(self, model: ModelHelper, states: Sequence[Blob]) -> Blob:
        """The output, from the states after a step."""
        return states[self.get_output_state_index()]

    def _prepare_output_sequence(self, model: ModelHelper, state_outputs: Sequence[Blob]) -> Blob:
        """The outputs of all steps, from each state's values and last value."""
        return state_outputs[2 * self.get_output_state_index()]


class LSTMInitializer:
    """States of an LSTM that are parameters, at first 0."""

    def __init__(self, hidden_size: int) -> None:
        self.hidden_size = hidden_size

    def create_states(self, model: ModelHelper) -> list[Blob]:
        """The parameters initial_hidden_state and initial_cell_state."""
        return [
            model.create_param(
                param_name=name, initializer=Initializer("ConstantFill", value=0.0), shape=[self.hidden_size]
            )
            for name in ("initial_hidden_state", "initial_cell_state")
        ]
