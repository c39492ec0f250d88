"""Stacks of LSTMs and GRUs over whole sequences, whose parameters are one blob laid out as cuDNN does."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from caffe2.opdef import NONE, EnforceNotMet, Gradient, Op, Site, gradient, op

GATES = {"lstm": 4, "gru": 3}
PARAMETERS = {"input_gate": 0, "forget_gate": 1, "cell": 2, "output_gate": 3}


class Stack(Op):
    """The arguments that say what the stack is, and the layout that follows from them.

    The layout of the parameters: for every layer the input's weights (gates * H, size), then the state's (gates * H,
    H); after those of all layers, for every layer the input's biases (gates * H), then the state's.

    hidden_size: H, the size of a state.
    num_layers: L, how many layers.
    bidirectional: 0 or 1: D = 1 or 2 directions, each a layer of the layout.
    rnn_mode: lstm, with the gates i f g o, or gru, with the gates r u n.
    input_mode: linear, or skip, where the first layer has no weights for its input, which is of size H and counts for
        every gate as it is.
    all_params, weight: the parameters: for every layer the input's weights (gates * H, size), then the state's (gates *
        H, H); after those of all layers, for every layer the input's biases (gates * H), then the state's.
    """

    hidden_size: int = 0
    num_layers: int = 0
    bidirectional: int = 0
    rnn_mode: str = ""
    input_mode: str = ""

    def bind(self, site: Site) -> None:
        for name, held, known in (
            ("rnn_mode", self.rnn_mode, GATES),
            ("input_mode", self.input_mode, ("linear", "skip")),
            ("bidirectional", self.bidirectional, (0, 1)),
        ):
            if held not in known:
                raise EnforceNotMet(f"{site.op.type}: {name} is one of {', '.join(map(str, known))}, not {held!r}")
        if self.hidden_size <= 0 or self.num_layers <= 0:
            raise EnforceNotMet(
                f"{site.op.type}: hidden_size {self.hidden_size} and num_layers {self.num_layers} must be positive"
            )
        self.directions = 1 + self.bidirectional
        self.layers = self.num_layers * self.directions
        self.rows = GATES[self.rnn_mode] * self.hidden_size

    def chunks(self, x: Tensor, weight: Tensor) -> dict[tuple[str, int, int], Tensor]:
        """The parts of the parameters as views [rows, columns], by kind (w or b), layer, and side: input, then state.

        Raises EnforceNotMet where x is not [T, N, size] or the weight has another size than the layout.
        """
        if x.dim() < 3:
            raise EnforceNotMet(f"the input of a recurrent stack is [T, N, size], got {[*x.shape]}")
        if self.layers > weight.numel():
            raise EnforceNotMet(f"num_layers is {self.num_layers}, and weight holds {weight.numel()} numbers")
        sizes = {key: self.rows * self._columns(x.shape[2], *key) for key in self._keys()}
        if sum(sizes.values()) != weight.numel():
            raise EnforceNotMet(
                f"a stack of {self.num_layers} {self.rnn_mode} layers of {self.hidden_size} on inputs of"
                f" {x.shape[2]} has {sum(sizes.values())} parameters, and weight holds {weight.numel()}"
            )
        parts = weight.reshape(-1).split(list(sizes.values()))
        return {key: part.view(self.rows, -1) for key, part in zip(sizes, parts) if part.numel()}

    def _keys(self) -> Iterator[tuple[str, int, int]]:
        return ((kind, layer, side) for kind in "wb" for layer in range(self.layers) for side in (0, 1))

    def _columns(self, width: int, kind: str, layer: int, side: int) -> int:
        if kind == "b":
            return 1
        if side == 1:
            return self.hidden_size
        if layer >= self.directions:
            return self.hidden_size * self.directions
        if self.input_mode == "linear":
            return width
        if width != self.hidden_size:
            raise EnforceNotMet(f"an input that skips its weights has the size {self.hidden_size}, not {width}")
        return 0


class DroppingStack(Stack):
    """A stack with dropout between its layers.

    dropout: the probability that an output of a layer is 0 for the next one, the others being scaled by 1 / (1 -
        dropout); 0 and 1 mean no dropout.
    seed: the seed of what dropout draws.
    is_test: without dropout.
    """

    dropout: float = 1.0
    seed: int = 0
    is_test: bool = False

    @property
    def drops(self) -> bool:
        """Whether anything is dropped."""
        return 0 < self.dropout < 1 and not self.is_test

    def over(self, x: Tensor, hidden: Tensor, cell: Tensor, weight: Tensor, seed: int) -> tuple[Tensor, ...]:
        """The outputs of the last layer, and the states of all layers after the last step."""
        chunks, of_state = self.chunks(x, weight), (self.layers, x.shape[1], self.hidden_size)
        for state in (hidden, cell):
            if state.numel() != math.prod(of_state):
                raise EnforceNotMet(f"the states of a recurrent stack are {[*of_state]}, got {[*state.shape]}")
        states = [state.reshape(of_state) for state in (hidden, cell)]
        draws = torch.Generator(x.device).manual_seed(seed) if self.drops else None
        each = self.directions if self.drops else self.layers
        ends = []
        for start in range(0, self.layers, each):
            if start:
                keep = torch.empty_like(x).bernoulli_(1 - self.dropout, generator=draws)
                x = x * keep / (1 - self.dropout)
            x, *end = self._layers(x, [s[start : start + each] for s in states], chunks, start, each)
            ends.append(end)
        return x, *(torch.cat(parts) for parts in zip(*ends))

    def _layers(self, x: Tensor, states: list[Tensor], chunks: dict, start: int, count: int) -> tuple[Tensor, ...]:
        """Layers of the layout from `start`, one over the other."""
        flat = []
        for layer in range(start, start + count):
            skipped = ("w", layer, 0) not in chunks
            first = self._identities(x) if skipped else chunks["w", layer, 0]
            flat += [first, chunks["w", layer, 1], chunks["b", layer, 0][:, 0], chunks["b", layer, 1][:, 0]]
        options = (True, count // self.directions, 0.0, False, bool(self.bidirectional), False)
        if self.rnn_mode == "lstm":
            return torch.lstm(x, states, flat, *options)
        return *torch.gru(x, states[0], flat, *options), states[1]

    def _identities(self, x: Tensor) -> Tensor:
        return torch.eye(self.hidden_size, dtype=x.dtype, device=x.device).repeat(GATES[self.rnn_mode], 1)


def _shape(
    x: Tensor, *blobs: Tensor, hidden_size: int = 0, num_layers: int = 0, bidirectional: int = 0
) -> tuple[Tensor, ...]:
    steps, batch = x.shape[:2]
    state = (num_layers * (1 + bidirectional), batch, hidden_size)
    outputs = (steps, batch, hidden_size * (1 + bidirectional))
    return x.new_empty(outputs), x.new_empty(state), x.new_empty(state), *_kept(x)


def _like_inputs(*blobs: Tensor) -> tuple[Tensor, ...]:
    return *(torch.empty_like(blob) for blob in blobs[:4]), *reversed(_kept(blobs[0]))


def _kept(x: Tensor) -> tuple[Tensor, Tensor]:
    return x.new_empty(1, dtype=torch.int64), x.new_empty(0, dtype=torch.float32)


@op(
    "Recurrent: input hidden_input cell_input weight -> output hidden_output cell_output rnn_scratch dropout_states",
    types="input hidden_input cell_input weight: floating",
    shape=_shape,
    host="rnn_scratch dropout_states",
    engines="CUDNN",
    differs="It runs on every device; the blobs that cuDNN keeps for itself hold a seed and nothing.",
)
class Recurrent(DroppingStack):
    """A stack of LSTMs or GRUs over sequences; a layer's outputs are the next one's inputs.

    input: (T, N, size).
    hidden_input, cell_input: the states at first, L * D * N * H elements.
    output: (T, N, D * H).
    hidden_output, cell_output: the states after the last step, (L * D, N, H); a GRU hands the cell state through.
    rnn_scratch: what the gradient needs besides: the seed of this run's dropout.
    dropout_states: nothing.
    """

    def bind(self, site: Site) -> None:
        super().bind(site)
        self.next_seed = self.seed

    def __call__(self, x: Tensor, hidden: Tensor, cell: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
        seed, self.next_seed = self.next_seed, self.next_seed + self.drops
        found = self.over(x, hidden, cell, weight, seed)
        return *found, torch.tensor([seed]), torch.zeros(0)


@gradient("Recurrent")
def _(g: Gradient) -> None:
    """What cuDNN keeps for itself is written again, in place."""
    g.op(
        "RecurrentGradient: input hidden_input cell_input weight rnn_scratch output doutput"
        " -> dinput dhidden_input dcell_input dweight"
    )
    g.ops[-1].output.extend([g.outputs["dropout_states"], g.outputs["rnn_scratch"]])


@op(
    "RecurrentGradient: input hidden_input cell_input weight rnn_scratch output doutput"
    " -> dinput dhidden_input dcell_input dweight dropout_states rnn_scratch",
    inplace="rnn_scratch -> rnn_scratch",
    types="input hidden_input cell_input weight doutput: floating",
    host="rnn_scratch dropout_states",
    engines="CUDNN",
    shape=_like_inputs,
)
class RecurrentGradient(DroppingStack):
    """The gradients of Recurrent, from that of the outputs of all steps; those of the last states are ignored.

    rnn_scratch: as Recurrent made it.
    dropout_states: nothing.
    """

    def __call__(
        self, x: Tensor, hidden: Tensor, cell: Tensor, weight: Tensor, scratch: Tensor, y: Tensor, dy: Tensor
    ) -> tuple[Tensor, ...]:
        leaves = [blob.detach().requires_grad_() for blob in (x, hidden, cell, weight)]
        with torch.enable_grad():
            found = self.over(*leaves, seed=int(scratch) if self.drops else 0)[0]
        grads = torch.autograd.grad(found, leaves, dy.reshape(found.shape), allow_unused=True, materialize_grads=True)
        return *grads, torch.zeros(0), scratch.clone()


class Parameter(Stack):
    """Which of the parameters is meant.

    layer: the layer, counted from 0, each direction of a layer being one.
    param_type: input_gate_w, forget_gate_w, cell_w or output_gate_w, or one of these with _b for _w. As in the original
        the gates of a GRU go by these names in order: for the input r, u, n are input_gate, forget_gate, cell; for the
        state r is output_gate with the input_type input, and u, n are input_gate, forget_gate with recurrent.
    input_type: input or recurrent: whether the parameter acts on the input or on the state.
    """

    param_type: str = ""
    input_type: str = ""
    layer: int = 0

    def part(self, x: Tensor, weight: Tensor) -> Tensor:
        """The parameter as a view of the weight, [H, columns]."""
        name, _, kind = self.param_type.rpartition("_")
        if name not in PARAMETERS or kind not in ("w", "b"):
            raise EnforceNotMet(f"no parameter is of type {self.param_type!r}")
        side, gate = divmod(PARAMETERS[name] + 4 * (self.input_type == "recurrent"), GATES[self.rnn_mode])
        chunk = self.chunks(x, weight).get((kind, self.layer, side))
        if chunk is None:
            raise EnforceNotMet(
                f"layer {self.layer} of {self.layers} has no {self.input_type} parameter {self.param_type}"
            )
        return chunk[gate * self.hidden_size : (gate + 1) * self.hidden_size]


@op(
    "RecurrentParamGet: input all_params -> param",
    types="all_params: floating",
    gradient=NONE,
    engines="CUDNN",
)
class RecurrentParamGet(Parameter):
    """A copy of one parameter of a stack.

    input: any tensor of the shape of Recurrent's input.
    param: (1, H, columns).
    """

    def __call__(self, x: Tensor, weight: Tensor) -> Tensor:
        return self.part(x, weight).unsqueeze(0).clone()


@op(
    "RecurrentParamSet: input all_params param -> all_params",
    inplace="all_params => all_params",
    types="all_params=param: floating",
    gradient=NONE,
    mutates=True,
    like="all_params",
    engines="CUDNN",
)
class RecurrentParamSet(Parameter):
    """Writes one parameter of a stack.

    input: any tensor of the shape of Recurrent's input.
    param: the parameter, with as many elements.
    """

    def __call__(self, x: Tensor, weight: Tensor, given: Tensor) -> Tensor:
        part = self.part(x, weight)
        if part.numel() != given.numel():
            raise EnforceNotMet(f"{self.param_type} of layer {self.layer} is {[*part.shape]}, got {[*given.shape]}")
        part.copy_(given.reshape(part.shape))
        return weight
