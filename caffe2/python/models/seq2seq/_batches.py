"""Batches of pairs of sentences."""

from __future__ import annotations

import collections
import random
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from caffe2.python.models.seq2seq.seq2seq_util import EOS_ID, GO_ID, PAD_ID, get_numberized_sentence

Pair = tuple[list[int], list[int]]

Batch = collections.namedtuple(
    "Batch", ["encoder_inputs", "encoder_lengths", "decoder_inputs", "decoder_lengths", "targets", "target_weights"]
)
"""The arrays of a batch: words [T, batch], lengths [batch], and for each word that is to be found its weight."""


def _padded(sentences: Sequence[list[int]]) -> np.ndarray:
    """Sentences as columns, filled up with padding."""
    return np.array(list(zip_longest(*sentences, fillvalue=PAD_ID)), np.int32).reshape(-1, len(sentences))


def prepare_batch(batch: Sequence[Pair]) -> Batch:
    """Pairs of numbered sentences as arrays: the source reversed, the target after GO and, to be found, before EOS.

    Padding weighs nothing, nor does a pair of empty sentences.
    """
    sources, found = [source for source, _ in batch], [[*target, EOS_ID] for _, target in batch]
    decoded = [[GO_ID, *target] for _, target in batch]
    targets = _padded(found)
    holds_words = np.array([len(source) + len(target) > 0 for source, target in batch])
    return Batch(
        encoder_inputs=_padded([source[::-1] for source in sources]),
        encoder_lengths=np.array([len(source) for source in sources], np.int32),
        decoder_inputs=_padded(decoded),
        decoder_lengths=np.array([len(words) for words in decoded], np.int32),
        targets=targets,
        target_weights=((targets != PAD_ID) & holds_words).astype(np.float32),
    )


def gen_batches(
    source_corpus: Any,
    target_corpus: Any,
    source_vocab: Mapping[str, int],
    target_vocab: Mapping[str, int],
    batch_size: int,
    max_length: int | None,
) -> list[list[Pair]]:
    """Pairs of two files' lines, none empty or longer than max_length, of like length in a batch; batches shuffled.

    The last batch is filled up with its last pair.
    """
    with open(source_corpus) as sources, open(target_corpus) as targets:
        pairs = [
            (get_numberized_sentence(source, source_vocab), get_numberized_sentence(target, target_vocab))
            for source, target in zip(sources, targets)
        ]
    kept = [p for p in pairs if all(p) and (max_length is None or max(map(len, p)) <= max_length)]
    kept.sort(key=lambda pair: (len(pair[0]), len(pair[1])))
    kept += kept[-1:] * (-len(kept) % batch_size)
    batches = [kept[i : i + batch_size] for i in range(0, len(kept), batch_size)]
    random.shuffle(batches)
    return batches
