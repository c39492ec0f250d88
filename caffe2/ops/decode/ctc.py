"""Labels decoded from the outputs of connectionist temporal classification, greedily or by a beam of prefixes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from caffe2.opdef import REFUSED, UNKNOWN, EnforceNotMet, op
from caffe2.ops import demand
from caffe2.ops.native import Kernel

COMPILED = Kernel("labels", "beam_search", "pp qqqqq f ppp")

Prefix = tuple[int, ...]


def _lengths(x: Tensor, lengths: Tensor | None) -> Tensor:
    """How many steps each sequence of INPUTS has. Raises EnforceNotMet where they do not fit."""
    demand.rank(x, 3, "INPUTS")
    steps, batch, _ = x.shape
    if lengths is None:
        return torch.full((batch,), steps, dtype=torch.int32, device=x.device)
    if lengths.shape != (batch,):
        raise EnforceNotMet(f"SEQ_LEN holds {tuple(lengths.shape)} lengths for {batch} sequences")
    if demand.concrete(lengths) and bool(((lengths < 0) | (lengths > steps)).any()):
        raise EnforceNotMet(f"SEQ_LEN holds lengths from 0 to {steps}, not {lengths.tolist()}")
    return lengths


@op(
    "CTCGreedyDecoder: INPUTS SEQ_LEN? -> OUTPUT_LEN VALUES",
    types="INPUTS: float, SEQ_LEN: int32",
    gradient=REFUSED,
    shape=UNKNOWN,
)
def ctc_greedy_decoder(x: Tensor, seq_len: Tensor | None = None, *, merge_repeated: bool = True) -> tuple[Tensor, ...]:
    """The likeliest label of every step, without the blank, which is label 0 (Graves et al., 2006).

    INPUTS: (steps, batch, labels).
    SEQ_LEN: (batch), int32: the steps of each sequence; all unless given.
    OUTPUT_LEN: (batch), int32: how many labels each sequence has.
    VALUES: (sum of OUTPUT_LEN), int32: the labels, one sequence after another.
    merge_repeated: a label counts once however often it follows itself.
    """
    lengths = _lengths(x, seq_len)
    if not x.shape[2]:
        raise EnforceNotMet(f"INPUTS has no labels: {tuple(x.shape)}")
    labels = x.max(2).indices.t()
    kept = (labels != 0) & (torch.arange(x.shape[0], device=x.device) < lengths[:, None])
    if merge_repeated:
        kept[:, 1:] &= labels[:, 1:] != labels[:, :-1]
    return kept.sum(1).int(), labels[kept].int()


@op(
    "CTCBeamSearchDecoder: INPUTS SEQ_LEN? -> OUTPUT_LEN VALUES OUTPUT_PROB?",
    types="INPUTS: float, SEQ_LEN: int32",
    gradient=REFUSED,
    shape=UNKNOWN,
    differs="OUTPUT_PROB may be left out; SEQ_LEN is checked",
)
def ctc_beam_search_decoder(
    x: Tensor,
    seq_len: Tensor | None = None,
    *,
    beam_width: int = 10,
    num_candidates: int = 1,
    prune_threshold: float = 0.001,
) -> tuple[Tensor, ...]:
    """The likeliest sequences of labels, the probabilities of all ways to align each with the steps summed up.

    Hannun et al., First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent DNNs, 2014.

    INPUTS: (steps, batch, labels): probabilities; label 0 is the blank.
    SEQ_LEN: (batch), int32: the steps of each sequence; all unless given.
    OUTPUT_LEN: (batch * num_candidates), int32: how many labels each has; 0 where there are no more candidates.
    VALUES: (sum of OUTPUT_LEN), int32: the labels, one sequence after another.
    OUTPUT_PROB: (batch * num_candidates): their probabilities.
    beam_width: how many prefixes are carried from step to step.
    num_candidates: how many sequences are answered for each of the batch.
    prune_threshold: labels whose probability is not above it are left out at a step, unless all are.
    """
    if beam_width < 1 or num_candidates < 1:
        raise EnforceNotMet(f"beam_width and num_candidates must be positive: {beam_width}, {num_candidates}")
    lengths = _lengths(x, seq_len)
    if not x.shape[2]:
        raise EnforceNotMet(f"INPUTS has no labels: {tuple(x.shape)}")
    if COMPILED.serves(x, lengths):
        return _compiled(x, lengths, beam_width, num_candidates, prune_threshold)
    steps = x.detach().cpu().numpy()
    found: list[tuple[Prefix, float]] = []
    for k, length in enumerate(lengths.tolist()):
        best = search(steps[:length, k], beam_width, num_candidates, prune_threshold)
        found += best + [((), 0.0)] * (num_candidates - len(best))
    values = [label for prefix, _ in found for label in prefix]
    sizes = torch.tensor([len(prefix) for prefix, _ in found], dtype=torch.int32)
    chances = torch.tensor([chance for _, chance in found], dtype=torch.float32)
    return sizes.to(x.device), torch.tensor(values, dtype=torch.int32).to(x.device), chances.to(x.device)


def _compiled(x: Tensor, lengths: Tensor, width: int, candidates: int, threshold: float) -> tuple[Tensor, ...]:
    steps, batch, labels = x.shape
    sizes = torch.zeros(batch * candidates, dtype=torch.int32)
    chances = torch.zeros(batch * candidates)
    values = torch.empty(batch * candidates, steps, dtype=torch.int32)
    COMPILED(x, lengths, steps, batch, labels, width, candidates, threshold, sizes, chances, values)
    return sizes, values[torch.arange(steps) < sizes[:, None]], chances


class Beam(NamedTuple):
    """The prefixes carried from step to step, and how likely they are after it."""

    prefixes: list[Prefix]
    chances: np.ndarray  # [2, prefixes]: of ending in a blank, of ending in the last label
    longer: np.ndarray  # [2, prefixes, labels]: the same of each prefix with one label more, in the beam or not


def search(steps: np.ndarray, width: int, candidates: int, threshold: float) -> list[tuple[Prefix, float]]:
    """The likeliest prefixes after all steps, [steps, labels], with their probabilities, the likeliest first."""
    labels = steps.shape[1]
    beam = Beam([()], np.array([[1], [0]], np.float32), np.zeros((2, 1, labels), np.float32))
    best: list[tuple[Prefix, float]] = []
    for t, p in enumerate(steps, 1):
        kept = p > threshold
        same, longer, scores = _follow(beam, p, kept if kept.any() else np.ones_like(kept))
        chosen = _first(scores, beam.prefixes, labels, max(width, candidates) if t == len(steps) else width)
        best = [(prefix, float(scores[place])) for prefix, place in chosen]
        beam = _next(beam.prefixes, same, longer, chosen)
    return best[:candidates]


def _follow(beam: Beam, p: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The chances, after a step, of the prefixes themselves, of those one label longer, and the scores of all."""
    blank, ended = beam.chances
    rows, last = np.arange(len(beam.prefixes)), np.array([prefix[-1] if prefix else 0 for prefix in beam.prefixes])
    heard, some = kept & (np.arange(len(p)) > 0), last > 0
    grown = (blank + ended)[:, None] * p
    grown[rows[some], last[some]] = (blank * p[last])[some]  # a label after itself needs a blank between
    same = np.stack([p[0] * (blank + ended) * kept[0], p[last] * ended * heard[last]])
    longer = np.stack([p[0] * beam.longer.sum(0), p * beam.longer[1] + grown]) * heard
    alive, apart = kept[0] | heard[last], np.repeat(heard[None], len(rows), 0)
    for k, shorter, label in _shortened(beam.prefixes, beam.prefixes):
        same[1, k] += grown[shorter, label] * heard[label]
        alive[k] |= heard[label]
        longer[:, shorter, label], apart[shorter, label] = same[:, k], False
    found = np.where(alive, same.sum(0), -np.inf), np.where(apart, longer.sum(0), -np.inf).ravel()
    return same, longer, np.concatenate(found)


def _shortened(prefixes: list[Prefix], among: list[Prefix]) -> Iterator[tuple[int, int, int]]:
    """The places of prefixes which, but for their last label, stand among others; the places there; these labels."""
    where = {prefix: k for k, prefix in enumerate(among)}
    for k, prefix in enumerate(prefixes):
        if prefix and prefix[:-1] in where:
            yield k, where[prefix[:-1]], prefix[-1]


def _first(scores: np.ndarray, prefixes: list[Prefix], labels: int, count: int) -> list[tuple[Prefix, int]]:
    """The prefixes with the best scores, each with its place; of equal ones the first in the order of their labels."""
    usable = np.flatnonzero(scores > -np.inf)
    if len(usable) > count:
        usable = np.flatnonzero(scores >= np.partition(scores, -count)[-count])
    named = []
    for place in usable.tolist():
        row, label = divmod(place - len(prefixes), labels)
        named.append((-scores[place], prefixes[place] if row < 0 else (*prefixes[row], label), place))
    return [(prefix, place) for _, prefix, place in sorted(named)[:count]]


def _next(prefixes: list[Prefix], same: np.ndarray, longer: np.ndarray, chosen: list[tuple[Prefix, int]]) -> Beam:
    """The beam of those chosen."""
    everything = np.concatenate([same, longer.reshape(2, -1)], 1)
    places = np.array([place for _, place in chosen], int)
    stayed = places < len(prefixes)
    known = np.zeros((2, len(chosen), longer.shape[2]), np.float32)
    known[:, stayed] = longer[:, places[stayed]]
    names = [prefix for prefix, _ in chosen]
    for k, shorter, label in _shortened(prefixes, names):
        known[:, shorter, label] = same[:, k]
    return Beam(names, everything[:, places], known)
