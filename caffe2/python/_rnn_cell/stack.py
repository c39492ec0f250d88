"""Cells made of cells: dropout on a cell's output, and stacks of cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from caffe2.python import brew, core
from caffe2.python._misuse import demand
from caffe2.python._rnn_cell.cell import Blob, ExtraInputs, RNNCell, _RectifyName
from caffe2.python.model_helper import ModelHelper


class DropoutCell(RNNCell):
    """A cell whose output loses elements at random; `is_test` is to be given."""

    def __init__(
        self, internal_cell: RNNCell, dropout_ratio: float | None = None, use_cudnn: bool = False, **kwargs: Any
    ) -> None:
        self.internal_cell = internal_cell
        self.dropout_ratio = dropout_ratio
        demand("is_test" in kwargs, "DropoutCell needs the argument is_test")
        self.is_test = kwargs.pop("is_test")
        self.use_cudnn = use_cudnn
        super().__init__(**kwargs)
        self.prepare_input = internal_cell.prepare_input
        self.get_output_state_index = internal_cell.get_output_state_index
        self.get_state_names = internal_cell.get_state_names
        self.get_output_dim = internal_cell.get_output_dim
        self.mask = 0

    def _apply(
        self,
        model: ModelHelper,
        input_t: Any,
        seq_lengths: Any,
        states: Sequence[Any],
        timestep: Any,
        extra_inputs: ExtraInputs = None,
    ) -> Sequence[Blob]:
        return self.internal_cell._apply(model, input_t, seq_lengths, states, timestep, extra_inputs)

    def _prepare_output(self, model: ModelHelper, states: Sequence[Blob]) -> Blob:
        return self._apply_dropout(model, self.internal_cell._prepare_output(model, states))

    def _prepare_output_sequence(self, model: ModelHelper, state_outputs: Sequence[Blob]) -> Blob:
        return self._apply_dropout(model, self.internal_cell._prepare_output_sequence(model, state_outputs))

    def _apply_dropout(self, model: ModelHelper, output: Blob) -> Blob:
        if not self.dropout_ratio or self.forward_only:
            return output
        name = f"{output}_with_dropout_mask{self.mask}"
        self.mask += 1
        ratio = float(self.dropout_ratio)
        with core.NameScope(self.name or ""):
            return brew.dropout(model, output, name, ratio=ratio, is_test=self.is_test, use_cudnn=self.use_cudnn)


class MultiRNNCellInitializer:
    """The states that the cells' initializers make, each in its layer's scope."""

    def __init__(self, cells: Sequence[RNNCell]) -> None:
        self.cells = cells

    def create_states(self, model: ModelHelper) -> list[Blob]:
        """The states of all cells before the first step."""
        states: list[Blob] = []
        for i, cell in enumerate(self.cells):
            with core.NameScope(f"layer_{i}"):
                states.extend(cell._create_states(model))
        return states


class MultiRNNCell(RNNCell):
    """A stack of cells, each of whose outputs is the input of the next.

    residual_output_layers: layers i, counted from 0, whose input is added to their output for the next layer; the
        output of the stack is that of the last layer plus those of the layers below that are so connected with it.
    """

    def __init__(
        self, cells: Sequence[RNNCell], residual_output_layers: Sequence[int] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.cells = cells
        self.residual_output_layers = residual_output_layers or []
        last = len(cells) - 1
        connected = last
        while connected > 0 and connected in self.residual_output_layers:
            connected -= 1
        self.output_connected_layers = list(range(connected, last + 1))
        starts = [sum(self._states_per_layer()[:i]) for i in range(len(cells))]
        self.output_indices = [starts[i] + cells[i].get_output_state_index() for i in self.output_connected_layers]
        self.state_names = [self.layer_scoper(i)(n) for i, cell in enumerate(cells) for n in cell.get_state_names()]
        self.initializer = MultiRNNCellInitializer(cells)

    def _states_per_layer(self) -> list[int]:
        return [len(cell.get_state_names()) for cell in self.cells]

    def _by_layer(self, blobs: Sequence[Any], each: int = 1) -> Iterator[Sequence[Any]]:
        """The blobs of each layer, of which there are `each` a state."""
        start = 0
        for count in self._states_per_layer():
            yield blobs[start : start + each * count]
            start += each * count

    def layer_scoper(self, layer_id: int) -> Callable[[str], str]:
        """The function that puts a name under a layer's."""
        return lambda name: f"{self.name}/layer_{layer_id}/{name}"

    def prepare_input(self, model: ModelHelper, input_blob: Any) -> Any:
        input_blob = _RectifyName(input_blob)
        with core.NameScope(self.name or ""):
            return self.cells[0].prepare_input(model, input_blob)

    def _apply(
        self,
        model: ModelHelper,
        input_t: Any,
        seq_lengths: Any,
        states: Sequence[Any],
        timestep: Any,
        extra_inputs: ExtraInputs = None,
    ) -> Sequence[Blob]:
        input_t, seq_lengths, states, timestep, extra_inputs = self._rectify_apply_inputs(
            input_t, seq_lengths, states, timestep, extra_inputs
        )
        demand(len(states) == sum(self._states_per_layer()), f"{len(states)} states are not those of the cells")
        following: list[Blob] = []
        layer_input = input_t
        for i, (cell, before) in enumerate(zip(self.cells, self._by_layer(states))):
            with core.NameScope(self.name), core.NameScope(f"layer_{i}"):
                prepared = cell.prepare_input(model, layer_input) if i > 0 else layer_input
                extra = None if i > 0 else extra_inputs
                after = cell._apply(model, prepared, seq_lengths, before, timestep, extra_inputs=extra)
                if i < len(self.cells) - 1:
                    output = cell._prepare_output(model, after)
                    if i > 0 and i in self.residual_output_layers:
                        output = brew.sum(model, [output, layer_input], self.scope(f"residual_output_{i}"))
                    layer_input = output
            following.extend(after)
        return following

    def get_state_names(self) -> Sequence[str]:
        return self.state_names

    def get_output_state_index(self) -> int:
        return sum(self._states_per_layer()[:-1]) + self.cells[-1].get_output_state_index()

    def _sum_outputs(self, model: ModelHelper, outputs: list[Blob], name: str) -> Blob:
        return brew.sum(model, outputs, self.scope(name)) if len(outputs) > 1 else outputs[0]

    def _prepare_output(self, model: ModelHelper, states: Sequence[Blob]) -> Blob:
        layers = list(self._by_layer(states))
        outputs = [self.cells[i]._prepare_output(model, layers[i]) for i in self.output_connected_layers]
        return self._sum_outputs(model, outputs, "residual_output")

    def _prepare_output_sequence(self, model: ModelHelper, states: Sequence[Blob]) -> Blob:
        layers = list(self._by_layer(states, each=2))
        outputs = [self.cells[i]._prepare_output_sequence(model, layers[i]) for i in self.output_connected_layers]
        return self._sum_outputs(model, outputs, "residual_output_sequence")
