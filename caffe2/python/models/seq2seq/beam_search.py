"""Beam search: a recurrent net that extends the best hypotheses, word by word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from caffe2.python import core
from caffe2.python.models.seq2seq.seq2seq_model_helper import Seq2SeqModelHelper
from caffe2.python.models.seq2seq.seq2seq_util import GO_ID

Blob = core.BlobReference
INT32, INT64, FLOAT = core.DataType.INT32, core.DataType.INT64, core.DataType.FLOAT


class LinkConfig(NamedTuple):
    """A blob of the step, and the part of the state's sequence that it is: `window` rows, `offset` after the step's."""

    blob: Any
    offset: int
    window: int


class StateConfig(NamedTuple):
    """A state: its value at first, how a step reads it, and how a step writes it."""

    initial_value: Any
    state_prev_link: LinkConfig
    state_link: LinkConfig


class BeamSearchForwardOnly:
    """A beam search. Its step is built in two parts: the caller's, from get_previous_tokens to scores, then apply.

    beam_size: how many hypotheses there are. post_eos_penalty: added to the scores that follow an end of sentence.
    """

    LinkConfig = LinkConfig
    StateConfig = StateConfig

    def __init__(
        self,
        beam_size: int,
        model: Seq2SeqModelHelper,
        eos_token_id: int,
        go_token_id: int = GO_ID,
        post_eos_penalty: float | None = None,
    ) -> None:
        self.beam_size = beam_size
        self.model = model
        self.step_model = Seq2SeqModelHelper(name="step_model", param_model=model)
        self.go_token_id = go_token_id
        self.eos_token_id = eos_token_id
        self.post_eos_penalty = post_eos_penalty
        net = self.step_model.net
        self.timestep, self.scores_t_prev, self.tokens_t_prev, self.hypo_t_prev, self.attention_t_prev = (
            net.AddExternalInputs("timestep", "scores_t_prev", "tokens_t_prev", "hypo_t_prev", "attention_t_prev")
        )
        tokens = net.Cast(self.tokens_t_prev, "tokens_t_prev_int32", to=INT32)
        self.tokens_t_prev_int32_flattened = self._reshape(tokens, tokens, "input_t_int32_old_shape", [1, -1])

    def get_step_model(self) -> Seq2SeqModelHelper:
        """The model of a step."""
        return self.step_model

    def get_previous_tokens(self) -> Blob:
        """The hypotheses' last words: [1, beam_size]."""
        return self.tokens_t_prev_int32_flattened

    def get_timestep(self) -> Blob:
        """The number of the step."""
        return self.timestep

    def apply(
        self,
        inputs: Any,
        length: Any,
        log_probs: Any,
        attentions: Any,
        state_configs: Sequence[StateConfig],
        data_dependencies: Sequence[Any],
        word_rewards: Any = None,
        possible_translation_tokens: Any = None,
        go_token_id: Any = None,
    ) -> tuple[Blob, Blob, Blob, Blob]:
        """Finish the step, and run it `length` times.

        inputs: the encoder's words. log_probs: [beam_size, words]. attentions: [beam_size, encoder_length, 1].
        state_configs: the decoder's states. data_dependencies: blobs that must be there before the search begins.
        word_rewards: added to the scores, by word. possible_translation_tokens: the words that log_probs is about.
        go_token_id: a blob with the first word.
        Returns words, the hypotheses they extend, scores and attention, [length + 1, beam_size, ...] each.
        """
        first = self._initial_step()
        if self.post_eos_penalty is not None:
            log_probs = self._penalized(log_probs, first)
        scores, words = self._best_of_each(log_probs, possible_translation_tokens, word_rewards)
        scores_t, best, hypo, hypo_t = self._best_of_all(scores, first)
        attention_t, tokens_t = self._extended(attentions, words, best, hypo)
        states = [
            *(self._chosen(config, hypo) for config in state_configs),
            *self._own_states(inputs, go_token_id, scores_t, tokens_t, hypo_t, attention_t),
        ]
        names = [str(blob) for blob in (scores_t, tokens_t, hypo_t, attention_t)]
        found = self._search(length, states, [f"{name}_all" for name in names], data_dependencies)
        net = self.model.net
        return (
            net.Cast(found[1], "output_token_beam_list", to=INT32),
            net.Cast(found[2], "output_prev_index_beam_list", to=INT32),
            net.Alias(found[0], "output_score_beam_list"),
            net.Alias(found[3], "output_attention_weights_beam_list"),
        )

    def _constant(self, name: str, value: float, dtype: Any, size: int = 1) -> Blob:
        return self.model.param_init_net.ConstantFill([], name, shape=[size], value=value, dtype=dtype)

    def _reshape(self, blob: Any, name: Any, old_shape: str, shape: Sequence[int]) -> Blob:
        return self.step_model.net.Reshape([blob], [name, old_shape], shape=shape)[0]

    def _initial_step(self) -> Blob:
        self.zero = self._constant("ZERO", 0, INT32)
        return self.step_model.net.EQ([self.zero, self.timestep], "on_initial_step")

    def _penalized(self, log_probs: Any, first: Blob) -> Blob:
        """The scores, less those of hypotheses that have ended."""
        net = self.step_model.net
        end = self._constant("eos_token", self.eos_token_id, INT32, self.beam_size)
        penalty = self._constant("finished_penalty", float(self.post_eos_penalty), FLOAT)
        none = self._constant("ZERO_FLOAT", 0.0, FLOAT)
        penalty = net.Conditional([first, none, penalty], "possible_finished_penalty")
        flat = net.FlattenToVec(self.tokens_t_prev, "tokens_t_flat")
        tokens = net.Cast(flat, "tokens_t_flat_int", to=INT32)
        ended = net.Cast(net.EQ([tokens, end], "predecessor_is_eos"), "predecessor_is_eos_float", to=FLOAT)
        lost = net.Mul([ended, penalty], "predecessor_is_eos_penalty", broadcast=1)
        return net.Add([log_probs, lost], "log_probs_penalized", broadcast=1, axis=0)

    def _best_of_each(self, log_probs: Any, possible: Any, rewards: Any) -> tuple[Blob, Blob]:
        """Each hypothesis's best extensions: scores [beam_size * beam_size] and words [beam_size, beam_size]."""
        net = self.step_model.net
        names = ["best_scores_per_hypo", "best_tokens_per_hypo_indices"]
        best, words = net.TopK(log_probs, names, k=self.beam_size)
        if possible:
            words = net.Gather([possible, words], ["best_tokens_per_hypo"])
        shape = [self.beam_size]
        before = self._reshape(self.scores_t_prev, "scores_t_prev_squeezed", "scores_t_prev_old_shape", shape)
        scores = net.Add([best, before], "output_scores", broadcast=1, axis=0)
        if rewards is not None:
            reward = net.Gather([rewards, words], "word_rewards_for_best_tokens_per_hypo")
            scores = net.Add([scores, reward], "output_scores")
        return self._reshape(scores, scores, "output_scores_old_shape", [-1]), words

    def _best_of_all(self, scores: Blob, first: Blob) -> tuple[Blob, Blob, Blob, Blob]:
        """The best extensions: scores, indices, and the hypotheses they extend as integers and floats.

        At first there is one hypothesis, of which all others are copies.
        """
        net, size = self.step_model.net, self.beam_size
        all_of_them = self.model.param_init_net.ConstantFill([], "MINUS_ONE_INT32", value=-1, shape=[1], dtype=INT32)
        beam = self._constant("beam_size", size, INT32)
        end = net.Conditional([first, beam, all_of_them], ["slice_end"])
        part = net.Slice([scores, self.zero, end], "output_scores_flattened_slice")
        part = self._reshape(part, part, "output_scores_flattened_slice_old_shape", [1, -1])
        scores_t, best = net.TopK(part, ["scores_t", "best_indices"], k=size)
        divisor = self.model.param_init_net.Cast(beam, "BEAM_SIZE_64", to=INT64)
        hypo = net.Div([best, divisor], "hypo_t_int32", broadcast=1)
        return scores_t, best, hypo, net.Cast(hypo, "hypo_t", to=FLOAT)

    def _extended(self, attentions: Any, words: Blob, best: Blob, hypo: Blob) -> tuple[Blob, Blob]:
        """The attention of the hypotheses that are extended, and the words that extend them."""
        net = self.step_model.net
        attention = net.Gather([attentions, hypo], "attention_t")
        attention = self._reshape(attention, attention, "attention_t_old_shape", [1, self.beam_size, -1])
        flat = self._reshape(words, "best_tokens_per_hypo_flatten", "best_tokens_per_hypo_old_shape", [-1])
        return attention, net.Cast(net.Gather([flat, best], "tokens_t_int32"), "tokens_t", to=FLOAT)

    def _chosen(self, config: StateConfig, hypo: Blob) -> StateConfig:
        """A state of which the hypotheses that are extended go on."""
        link = config.state_link
        flat = self._reshape(link.blob, link.blob, link.blob + "_old_shape", [self.beam_size, -1])
        chosen = self.step_model.net.Gather([flat, hypo], f"{link.blob}_chosen_per_hypo")
        return config._replace(state_link=link._replace(blob=chosen))

    def _own_states(self, inputs: Any, go: Any, *following: Blob) -> list[StateConfig]:
        """The search's states: scores, words, hypotheses and attention."""
        net = self.model.net
        initial = [self._constant("initial_scores", 0.0, FLOAT)]
        initial.append(
            net.Copy([go], "initial_tokens") if go else self._constant("initial_tokens", float(self.go_token_id), FLOAT)
        )
        initial.append(self._constant("initial_hypo", 0.0, FLOAT))
        flat, _ = net.Reshape(inputs, ["encoder_inputs_flattened", "encoder_inputs_old_shape"], shape=[-1])
        initial.append(net.ConstantFill(flat, "init_attention", value=0.0, dtype=FLOAT))
        before = (self.scores_t_prev, self.tokens_t_prev, self.hypo_t_prev, self.attention_t_prev)
        return [
            StateConfig(value, LinkConfig(prev, 0, 1), LinkConfig(after, 1, 1))
            for value, prev, after in zip(initial, before, following)
        ]

    def _search(
        self, length: Any, states: Sequence[StateConfig], outputs: list[str], dependencies: Sequence[Any]
    ) -> Sequence[Blob]:
        """Append the operator that runs the steps; the sequences of the last four states."""
        shape = {"input_as_shape": True, "extra_shape": [self.beam_size, 1]}
        steps = self.model.net.ConstantFill(length, "beam_search_fake_input", **shape, value=0.0, dtype=FLOAT)
        params, values = self.step_model.params, [state.initial_value for state in states]
        inputs = [steps, *params, *values, *dependencies]
        names = [f"{state.state_prev_link.blob}_states" for state in states]
        links = [
            (str(link.blob), name, link.offset, link.window)
            for state, name in zip(states, names)
            for link in (state.state_prev_link, state.state_link)
        ]
        internal, external, offset, window = zip(*links)
        return self.model.net.RecurrentNetwork(
            inputs,
            [*outputs, "step_workspaces"],
            param=[inputs.index(param) for param in params],
            alias_src=names[-4:],
            alias_dst=outputs,
            alias_offset=[0] * 4,
            recurrent_states=names,
            initial_recurrent_state_ids=[inputs.index(value) for value in values],
            link_internal=internal,
            link_external=external,
            link_offset=offset,
            link_window=window,
            backward_link_internal=[],
            backward_link_external=[],
            backward_link_offset=[],
            step_net=self.step_model.net.Proto(),
            timestep=str(self.timestep),
            outputs_with_grads=[],
            enable_rnn_executor=1,
            rnn_executor_debug=0,
        )[:4]
