"""Linear-chain conditional random fields: the loss of a sequence's labels, and predictions that the best path corrects.

A path's score is the sum of the predictions, [words, classes], of its labels and of the transitions between them; the
loss is the logarithm of the sum of exp(score) over all paths, less the score of the labels (J. Lafferty et al., 2001).
Two classes are added, numbers n and n + 1 of n, where every sentence begins and ends. One sentence at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe2.python import brew, core, recurrent
from caffe2.python.core import BlobReference, Net
from caffe2.python.model_helper import ModelHelper

IMPOSSIBLE = -1000.0
"""The score of a label where it cannot stand."""


class CRFWithLoss:
    """The parameter of a random field, the transitions from class to class, and the operators that use it."""

    def __init__(self, model: ModelHelper, num_classes: int, transitions_blob: Any = None) -> None:
        self.model = model
        self.num_classes = num_classes
        self.num_classes_padded = num_classes + 2
        self.transitions = transitions_blob or model.param_init_net.UniformFill(
            [],
            [core.ScopedBlobReference("crf_transitions")],
            shape=[self.num_classes_padded, self.num_classes_padded],
            min=-1.0,
            max=1.0,
        )
        model.params.append(self.transitions)

    def crf_loss(self, predictions: Any, labels: Any, seq_lengths: Any = None) -> BlobReference:
        """The loss, a scalar, of labels [words] under predictions [words, classes]."""
        net, init_net = self.model.net, self.model.param_init_net
        # Parallel updates may change the transitions between the operators that read them.
        transitions = net.Copy(self.transitions, core.ScopedBlobReference("transitions_snapshot"))
        of_labels = self._gather_entries_sum(predictions, labels, self.num_classes)
        predictions = self.pad_predictions(predictions, init_net, net, self.num_classes)
        labels = self.pad_labels(labels, init_net, net, self.num_classes)
        of_moves = self._path_binary_scores(labels, transitions, seq_lengths)
        of_path = net.Add([of_moves, of_labels], core.ScopedBlobReference("path_total"))
        first = init_net.ConstantFill([], shape=[1], value=0)
        initial = net.Gather([predictions, first], core.ScopedBlobReference("rnn_initial"), dense_gradient=True)
        following, _ = net.RemovePadding([predictions], padding_width=1, end_padding_width=0, outputs=2)
        following = net.ExpandDims([following], core.ScopedBlobReference("rnn_input_data"), dims=[1])
        transitions = net.Copy(transitions, core.ScopedBlobReference("transitions_copy"))
        of_all = self._crf_forward(following, initial, transitions)
        return net.Sub([of_all, of_path], core.ScopedBlobReference("crf_loss"))

    def _path_binary_scores(self, labels: Any, transitions: Any, seq_lengths: Any = None) -> BlobReference:
        """The sum of the transitions along labels: gathered from the matrix as a vector, there being no 2-D gather."""
        net = self.model.net
        columns, _ = net.RemovePadding([labels], outputs=2, padding_width=1, end_padding_width=0)
        rows, _ = net.RemovePadding([labels], outputs=2, padding_width=0, end_padding_width=1)
        width = net.ConstantFill([rows], value=self.num_classes_padded)
        places = net.Add([net.Mul([rows, width]), columns])
        entries = net.Gather([net.FlattenToVec([transitions]), places], dense_gradient=True)
        return self.model.ReduceFrontSum(entries)

    def _gather_entries_sum(self, in_data: Any, indices: Any, index_size: int) -> BlobReference:
        """The sum over n of in_data[n, indices[n]]."""
        net = self.model.net
        indices = net.Cast([indices], to="int64")
        size = self.model.param_init_net.ConstantFill([], shape=[1], value=index_size)
        wanted = net.FlattenToVec(net.OneHot([indices, size]))
        return net.ReduceFrontSum([net.DotProduct([wanted, net.FlattenToVec(in_data)])])

    def _crf_forward(
        self, input_blob: Any, initial_state: Any, transitions_copy: Any, seq_lengths: Any = None
    ) -> BlobReference:
        """log sum exp of the scores of all paths, by the forward algorithm."""
        net = self.model.net
        last = self.build_crf_net(input_blob, initial_state, transitions_copy)
        last, _ = net.Reshape([last], outputs=2, shape=(self.num_classes_padded,))
        together = self.model.param_init_net.ConstantFill(
            [], value=0, shape=[self.num_classes_padded], dtype=core.DataType.INT32
        )
        total, _ = net.Reshape(net.SortedSegmentRangeLogSumExp([last, together]), outputs=2, shape=())
        return total

    def build_crf_net(self, input_blob: Any, initial_state: Any, transitions: Any) -> BlobReference:
        """Append the recurrence s'[j] = log sum over i of exp(s[i] + transitions[i, j] + input[j]); its last state.

        input_blob: [steps, 1, classes]; initial_state: [1, classes].
        """
        step = ModelHelper(name="crf_step", param_model=self.model)
        state, following = self._step(step, transitions)
        _, last = recurrent.recurrent_net(
            net=self.model.net,
            cell_net=step.net,
            inputs=[(step.net.external_inputs[0], input_blob)],
            initial_cell_inputs=[(state, initial_state)],
            links={state: following},
            scope="crf_net",
            outputs_with_grads=(1,),
        )
        return last

    def _step(self, step: ModelHelper, transitions: Any) -> tuple[BlobReference, BlobReference]:
        """Fill the step's net; the state before it and the state after it."""
        width = self.num_classes_padded
        made = {name: f"crf_net/{name}" for name in STEP_BLOBS}
        given, before, _ = step.net.AddExternalInputs(
            core.ScopedBlobReference("input_t"), core.ScopedBlobReference("cell_t_prev"), transitions
        )
        together = step.param_init_net.ConstantFill(
            [], [made["zero_segment_id"]], value=0, shape=[width], dtype=core.DataType.INT32
        )
        step.param_init_net.AddExternalOutput(together)
        column = brew.transpose(step, before, [made["prev_transpose"]], axes=(0, 2, 1))
        column = step.net.Tile(column, [made["prev_tiled"]], tiles=width, axis=2)
        row = step.net.Tile(given, [made["input_t_tiled"]], tiles=width, axis=1)
        scores = step.net.Add([column, row], [made["input_with_prev"]])
        scores = step.net.Add([scores, transitions], [made["prev_with_transitions"]], broadcast=1, use_grad_hack=1)
        scores, _ = step.net.Reshape(
            scores, [made["all_with_transitions_reshaped"], made["all_with_transitions_orig"]], shape=(width, width)
        )
        after = step.net.SortedSegmentRangeLogSumExp([scores, together], [made["cell_t"]])
        step.net.AddExternalOutputs(after)
        return before, after

    def update_predictions(self, classes: Any) -> BlobReference:
        """predictions [words, classes] with the greatest score of each word given to its class on the best path."""
        return best_path_first(
            self.model.param_init_net,
            self.model.net,
            self.transitions,
            classes,
            self.num_classes,
            core.ScopedBlobReference("post_crf_classes"),
        )

    @staticmethod
    def pad_labels(labels: Any, init_net: Net, net: Net, num_classes: int) -> BlobReference:
        """Labels, int64, between those of the beginning and of the end."""
        begin = init_net.ConstantFill([], shape=[1], value=num_classes)
        end = init_net.ConstantFill([], shape=[1], value=num_classes + 1)
        padded, _ = net.Concat([begin, net.Cast([labels], to="int64"), end], axis=0, outputs=2)
        return padded

    @staticmethod
    def pad_predictions(predictions: Any, init_net: Net, net: Net, num_classes: int) -> BlobReference:
        """Predictions with a word before and a word after them, and the two classes that only these may have."""
        begin, end = np.full((2, 1, num_classes + 2), IMPOSSIBLE, np.float32)
        begin[0, num_classes], end[0, num_classes + 1] = 0, 0
        begin = init_net.GivenTensorFill([], "b_scores", shape=[1, num_classes + 2], values=begin)
        end = init_net.GivenTensorFill([], "e_scores", shape=[1, num_classes + 2], values=end)
        first = net.ConstantFill([], shape=[1], value=0)
        words = net.Cast(net.Gather([net.Shape([predictions]), first]), to="int32")
        column = net.ConstantFill([net.LengthsRangeFill(words)], value=IMPOSSIBLE)
        column = net.ExpandDims(column, dims=[1])
        wider, _ = net.Concat([predictions, column, column], outputs=2, axis=1)
        longer, _ = net.Concat([begin, wider, end], outputs=2, axis=0)
        return longer


STEP_BLOBS = """zero_segment_id prev_transpose prev_tiled input_t_tiled input_with_prev prev_with_transitions
all_with_transitions_reshaped all_with_transitions_orig cell_t""".split()


def best_path_first(
    init_net: Net, net: Net, transitions: Any, predictions: Any, num_classes: int, *output: Any
) -> BlobReference:
    """Append operators that find the best path and exchange each word's best score with that of its class on it."""
    padded = CRFWithLoss.pad_predictions(predictions, init_net, net, num_classes)
    path = net.ViterbiPath([padded, transitions])
    swapped = net.SwapBestPath([padded, path])
    inner = net.RemovePadding([swapped], padding_width=1, end_padding_width=1)
    starts = net.GivenTensorIntFill([], shape=[2], values=[0, 0])
    ends = net.GivenTensorIntFill([], shape=[2], values=[-1, -3])
    return net.Slice([inner, starts, ends], *output)
