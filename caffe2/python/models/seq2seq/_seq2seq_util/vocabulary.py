"""Vocabularies: the numbers of words."""

from __future__ import annotations

import collections
from collections.abc import Mapping
from typing import Any

PAD_ID, GO_ID, EOS_ID, UNK_ID = range(4)
PAD, GO, EOS, UNK = "<PAD>", "<GO>", "<EOS>", "<UNK>"


def gen_vocab(corpus: Any, unk_threshold: int) -> dict[str, int]:
    """The numbers of the words that a file holds more than `unk_threshold` times, after those of the four marks.

    A word that is asked for and not there is given the next number.
    """
    vocab: dict[str, int] = collections.defaultdict(lambda: len(vocab))
    with open(corpus) as file:
        counts = collections.Counter(token for sentence in file for token in sentence.split())
    for token in (PAD, GO, EOS, UNK, *(token for token, count in counts.items() if count > unk_threshold)):
        vocab[token]
    return vocab


def get_numberized_sentence(sentence: str, vocab: Mapping[str, int]) -> list[int]:
    """The numbers of a sentence's words; UNK's for those that the vocabulary lacks."""
    return [vocab[token] if token in vocab else vocab[UNK] for token in sentence.split()]
