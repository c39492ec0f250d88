"""The arguments that training and translating have in common."""

from __future__ import annotations

import argparse
from typing import Any

SIZES = (
    ("encoder-cell-num-units", 512, "Number of cell units per encoder layer"),
    ("encoder-num-layers", 2, "Number of encoder layers"),
    ("decoder-cell-num-units", 512, "Number of cell units in a decoder layer"),
    ("decoder-num-layers", 2, "Number of decoder layers"),
    ("encoder-embedding-size", 256, "Size of the embeddings of source words"),
    ("decoder-embedding-size", 512, "Size of the embeddings of target words"),
    ("decoder-softmax-size", None, "Size that the decoder's outputs are brought to before the softmax"),
)


def parser(description: str) -> argparse.ArgumentParser:
    """A parser of the arguments that describe corpora and model."""
    made = argparse.ArgumentParser(description=description)
    for side in ("source", "target"):
        made.add_argument(f"--{side}-corpus", required=True, help=f"The {side} corpus: a text, a sentence a line")
    made.add_argument(
        "--unk-threshold", type=int, default=50, help="Words that are not more frequent are unknown words"
    )
    made.add_argument(
        "--use-bidirectional-encoder", action="store_true", help="Read in both directions in the encoder's first layer"
    )
    made.add_argument("--use-attention", action="store_true", help="Let the decoder attend to the encoder's outputs")
    for name, default, meaning in SIZES:
        made.add_argument(f"--{name}", type=int, default=default, help=meaning)
    return made


def model_params(args: argparse.Namespace) -> dict[str, Any]:
    """The description of a model, from parsed arguments. Raises ValueError for an odd size in two directions."""
    encoder = [{"num_units": args.encoder_cell_num_units} for _ in range(args.encoder_num_layers)]
    if args.use_bidirectional_encoder:
        if args.encoder_cell_num_units % 2:
            raise ValueError(f"two directions share {args.encoder_cell_num_units} units, which is odd")
        encoder[0]["num_units"] //= 2
    return {
        "attention": "regular" if args.use_attention else "none",
        "decoder_layer_configs": [{"num_units": args.decoder_cell_num_units} for _ in range(args.decoder_num_layers)],
        "encoder_type": {
            "encoder_layer_configs": encoder,
            "use_bidirectional_encoder": args.use_bidirectional_encoder,
        },
        "encoder_embedding_size": args.encoder_embedding_size,
        "decoder_embedding_size": args.decoder_embedding_size,
        "decoder_softmax_size": args.decoder_softmax_size,
    }
