"""Training of a model of translation: an encoder, a decoder, and descent along clipped gradients.

python -m caffe2.python.models.seq2seq.train --source-corpus a.txt --target-corpus b.txt ...
"""

from __future__ import annotations

import argparse
import importlib
import logging
import math
import os
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from caffe2.proto import caffe2_pb2
from caffe2.python import core, scope, workspace
from caffe2.python._misuse import demand
from caffe2.python.models.seq2seq import _arguments, seq2seq_util
from caffe2.python.models.seq2seq._batches import Batch, Pair, gen_batches, prepare_batch
from caffe2.python.models.seq2seq._clipping import norm_clipped_update
from caffe2.python.models.seq2seq.seq2seq_model_helper import Seq2SeqModelHelper

__all__ = ["Batch", "Seq2SeqModelCaffe2", "gen_batches", "main", "prepare_batch", "run_seq2seq_model"]

logger = logging.getLogger(__name__)

CPU = core.DeviceOption(caffe2_pb2.CPU)


class Seq2SeqModelCaffe2:
    """A model of translation in the current workspace.

    model_params: "attention" (none, regular or dot), "encoder_type" (see build_embedding_encoder),
        "decoder_layer_configs", "encoder_embedding_size", "decoder_embedding_size", "decoder_softmax_size",
        "batch_size", "optimizer_params" (with "learning_rate") and "max_gradient_norm".
    num_gpus: 0 for the CPU; the batch is shared among them. num_cpus: threads of the CPU.
    """

    def __init__(
        self,
        model_params: Mapping[str, Any],
        source_vocab_size: int,
        target_vocab_size: int,
        num_gpus: int = 1,
        num_cpus: int = 1,
    ) -> None:
        self.model_params = model_params
        self.encoder_type = "rnn"
        self.encoder_params = model_params["encoder_type"]
        self.source_vocab_size, self.target_vocab_size = source_vocab_size, target_vocab_size
        self.num_gpus, self.num_cpus = num_gpus, num_cpus
        self.batch_size = model_params["batch_size"]
        flags = ("log_level=0", "handle_executor_threads_exceptions=1", f"mkl_num_threads={num_cpus}")
        workspace.GlobalInit(["caffe2", *(f"--caffe2_{flag}" for flag in flags)])

    def __enter__(self) -> Seq2SeqModelCaffe2:
        return self

    def __exit__(self, *error: object) -> None:
        workspace.ResetWorkspace()

    def initialize_from_scratch(self) -> None:
        """Build the nets, and make the parameters."""
        self._build_model(init_params=True)
        workspace.RunNetOnce(self.model.param_init_net)
        for net in (self.model.net, self.forward_net):
            workspace.CreateNet(net, input_blobs=[str(blob) for blob in net.external_inputs])

    def _build_model(self, init_params: bool) -> None:
        model, forward_model = (self._with_embeddings(init_params) for _ in range(2))
        if self.num_gpus == 0:
            model.AddGradientOperators(self.model_build_fun(model))
            self.norm_clipped_grad_update(model, scope="norm_clipped_grad_update")
            self.forward_model_build_fun(forward_model)
        else:
            self._build_parallel(model, forward_model)
        self.norm_clipped_sparse_grad_update(model, scope="norm_clipped_sparse_grad_update")
        self.model, self.forward_net = model, forward_model.net

    def _build_parallel(self, model: Seq2SeqModelHelper, forward_model: Seq2SeqModelHelper) -> None:
        demand(self.batch_size % self.num_gpus == 0, f"{self.num_gpus} GPUs do not share {self.batch_size} pairs")
        parallelize = importlib.import_module("caffe2.python.data_parallel_model").Parallelize_GPU
        shared = {"input_builder_fun": lambda m: None, "devices": list(range(self.num_gpus))}
        parallelize(
            forward_model,
            forward_pass_builder_fun=self.forward_model_build_fun,
            param_update_builder_fun=None,
            **shared,
        )
        parallelize(
            model,
            forward_pass_builder_fun=self.model_build_fun,
            param_update_builder_fun=lambda m: self.norm_clipped_grad_update(m, scope="norm_clipped_grad_update"),
            **shared,
        )

    def _with_embeddings(self, init_params: bool) -> Seq2SeqModelHelper:
        model = Seq2SeqModelHelper(init_params=init_params)
        values = (
            ("learning_rate", float(self.model_params["optimizer_params"]["learning_rate"])),
            ("global_step", 0),
            ("start_time", time.time()),
        )
        with core.DeviceScope(CPU):
            self.learning_rate, self.global_step, self.start_time = (
                model.AddParam(name=name, init_value=value, trainable=False) for name, value in values
            )
            sizes = {"encoder": self.source_vocab_size, "decoder": self.target_vocab_size}
            self.encoder_embeddings, self.decoder_embeddings = (
                model.param_init_net.UniformFill(
                    [],
                    f"{side}_embeddings",
                    shape=[size, self.model_params[f"{side}_embedding_size"]],
                    min=-math.sqrt(3),
                    max=math.sqrt(3),
                )
                for side, size in sizes.items()
            )
            model.params.extend([self.encoder_embeddings, self.decoder_embeddings])
        return model

    def model_build_fun(
        self, model: Seq2SeqModelHelper, forward_only: bool = False, loss_scale: float | None = None
    ) -> list[core.BlobReference]:
        """Append the model: the loss, summed over words and divided by the batch's size."""
        prefix, net = scope.CurrentNameScope(), model.net
        given = Batch(*(net.AddExternalInput(prefix + name) for name in Batch._fields))
        outputs, size = self._decoded(model, given)
        logits = seq2seq_util.output_projection(
            model=model,
            decoder_outputs=outputs,
            decoder_output_size=size,
            target_vocab_size=self.target_vocab_size,
            decoder_softmax_size=self.model_params["decoder_softmax_size"],
        )
        targets, _ = net.Reshape([given.targets], ["targets", "targets_old_shape"], shape=[-1])
        weights, _ = net.Reshape([given.target_weights], ["target_weights", "target_weights_old_shape"], shape=[-1])
        names = ["OutputProbs_INVALID", "loss_per_word"]
        _, loss_per_word = net.SoftmaxWithLoss([logits, targets, weights], names, only_loss=True)
        num_words = net.SumElements([weights], "num_words")
        total = net.Mul([loss_per_word, num_words], "total_loss_scalar")
        return [net.Scale([total], "total_loss_scalar_weighted", scale=1.0 / self.batch_size)]

    def _decoded(self, model: Seq2SeqModelHelper, given: Batch) -> tuple[core.BlobReference, int]:
        """The decoder's outputs, and their size."""
        attention, configs = self.model_params["attention"], self.model_params["decoder_layer_configs"]
        demand(attention in ("none", "regular", "dot"), f"there is no attention {attention!r}")
        encoder_outputs, weighted, hidden_states, cell_states, units = seq2seq_util.build_embedding_encoder(
            model=model,
            encoder_params=self.encoder_params,
            num_decoder_layers=len(configs),
            inputs=given.encoder_inputs,
            input_lengths=given.encoder_lengths,
            vocab_size=self.source_vocab_size,
            embeddings=self.encoder_embeddings,
            embedding_size=self.model_params["encoder_embedding_size"],
            use_attention=attention != "none",
            num_gpus=self.num_gpus,
        )
        return seq2seq_util.build_embedding_decoder(
            model,
            decoder_layer_configs=configs,
            inputs=given.decoder_inputs,
            input_lengths=given.decoder_lengths,
            encoder_lengths=given.encoder_lengths,
            encoder_outputs=encoder_outputs,
            weighted_encoder_outputs=weighted,
            final_encoder_hidden_states=hidden_states,
            final_encoder_cell_states=cell_states,
            encoder_units_per_layer=units,
            vocab_size=self.target_vocab_size,
            embeddings=self.decoder_embeddings,
            embedding_size=self.model_params["decoder_embedding_size"],
            attention_type=attention,
            forward_only=False,
            num_gpus=self.num_gpus,
        )

    def forward_model_build_fun(
        self, model: Seq2SeqModelHelper, loss_scale: float | None = None
    ) -> list[core.BlobReference]:
        """Append the model, which is not trained."""
        return self.model_build_fun(model=model, forward_only=True, loss_scale=loss_scale)

    def norm_clipped_grad_update(self, model: Seq2SeqModelHelper, scope: str) -> None:
        """Take a step along the dense gradients, as long as max_gradient_norm at most."""
        rate = self.learning_rate if self.num_gpus == 0 else model.CopyCPUToGPU(self.learning_rate, "LR")
        norm_clipped_update(model, rate, scope, self.model_params["max_gradient_norm"], sparse=False)

    def norm_clipped_sparse_grad_update(self, model: Seq2SeqModelHelper, scope: str) -> None:
        """Take a step along the sparse gradients, as long as max_gradient_norm at most."""
        norm_clipped_update(model, self.learning_rate, scope, self.model_params["max_gradient_norm"], sparse=True)

    def total_loss_scalar(self) -> Any:
        """The loss of the last batch, summed over words."""
        if self.num_gpus == 0:
            return workspace.FetchBlob("total_loss_scalar")
        return sum(workspace.FetchBlob(f"gpu_{i}/total_loss_scalar") for i in range(self.num_gpus))

    def get_current_step(self) -> Any:
        """How many batches the model has been trained on."""
        return workspace.FetchBlob(self.global_step)[0]

    def inc_current_step(self) -> None:
        """Count a batch."""
        workspace.FeedBlob(self.global_step, np.array([self.get_current_step() + 1]))

    def step(self, batch: Sequence[Pair], forward_only: bool) -> Any:
        """The loss of a batch; and learn from it unless forward_only."""
        if self.num_gpus == 0:
            for name, value in zip(Batch._fields, prepare_batch(batch)):
                workspace.FeedBlob(name, value)
        for i in range(self.num_gpus):
            gpu = core.DeviceOption(workspace.GpuDeviceType, i)
            for name, value in zip(Batch._fields, prepare_batch(batch[i :: self.num_gpus])):
                device = CPU if name in ("encoder_inputs", "decoder_inputs") else gpu
                workspace.FeedBlob(f"gpu_{i}/{name}", value, device_option=device)
        workspace.RunNet(self.forward_net if forward_only else self.model.net)
        if not forward_only:
            self.inc_current_step()
        return self.total_loss_scalar()

    def save(self, checkpoint_path_prefix: str, current_step: int) -> str:
        """Store all parameters in the database PREFIX-STEP, whose path a file `checkpoint` beside it tells."""
        path = f"{checkpoint_path_prefix}-{current_step}"
        store = {"absolute_path": True, "db": path, "db_type": "minidb"}
        workspace.RunOperatorOnce(core.CreateOperator("Save", self.model.GetAllParams(), [], **store))
        with open(os.path.join(os.path.dirname(checkpoint_path_prefix), "checkpoint"), "w") as file:
            file.write(f'model_checkpoint_path: "{path}"\nall_model_checkpoint_paths: "{path}"\n')
        logger.info("Saved checkpoint file to %s", path)
        return path


def run_seq2seq_model(args: argparse.Namespace, model_params: Mapping[str, Any]) -> None:
    """Train a model on two corpora for some epochs, evaluate it on two others after each, and store it."""
    source_vocab, target_vocab = (
        seq2seq_util.gen_vocab(corpus, args.unk_threshold) for corpus in (args.source_corpus, args.target_corpus)
    )
    shared = (source_vocab, target_vocab, model_params["batch_size"], args.max_length)
    batches = gen_batches(args.source_corpus, args.target_corpus, *shared)
    batches_eval = gen_batches(args.source_corpus_eval, args.target_corpus_eval, *shared)
    logger.info("%d words to %d, %d batches", len(source_vocab), len(target_vocab), len(batches))
    with Seq2SeqModelCaffe2(
        model_params, len(source_vocab), len(target_vocab), num_gpus=args.num_gpus, num_cpus=os.cpu_count() or 1
    ) as model:
        model.initialize_from_scratch()
        for epoch in range(args.epochs):
            learned = sum(model.step(batch, forward_only=False) for batch in batches)
            checked = sum(model.step(batch, forward_only=True) for batch in batches_eval)
            logger.info("Epoch %d: training loss %s, eval loss %s", epoch, learned, checked)
            if args.checkpoint is not None:
                model.save(args.checkpoint, epoch)


def main() -> None:
    """Train a model as the command line says."""
    logging.basicConfig(level=logging.INFO)
    random.seed(31415)
    parser = _arguments.parser("Caffe2: Seq2Seq Training")
    for side in ("source", "target"):
        parser.add_argument(f"--{side}-corpus-eval", required=True, help=f"The {side} corpus that it is evaluated on")
    parser.add_argument("--max-length", type=int, help="Longer sentences are left out")
    parser.add_argument("--batch-size", type=int, default=32, help="Pairs of sentences in a batch")
    parser.add_argument("--epochs", type=int, default=10, help="Number of iterations over training data")
    parser.add_argument("--learning-rate", type=float, default=0.5, help="Learning rate")
    parser.add_argument("--max-gradient-norm", type=float, default=1.0, help="Longer gradients are scaled down to it")
    parser.add_argument("--num-gpus", type=int, default=0, help="Number of GPUs that share a batch; 0 for the CPU")
    parser.add_argument("--checkpoint", help="Where to store the model: a path, to which the epoch is added")
    args = parser.parse_args()
    run_seq2seq_model(
        args,
        {
            **_arguments.model_params(args),
            "batch_size": args.batch_size,
            "optimizer_params": {"learning_rate": args.learning_rate},
            "max_gradient_norm": args.max_gradient_norm,
        },
    )


if __name__ == "__main__":
    main()
