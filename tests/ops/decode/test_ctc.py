"""Greedy and beam search decoding of connectionist temporal classification."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet
from caffe2.ops.decode import ctc
from caffe2.ops.decode.ctc import ctc_beam_search_decoder, ctc_greedy_decoder
from tests.sample import Sample, samples


def probabilities(rng, *shape):
    weights = np.exp(2 * rng.standard_normal(shape))
    return (weights / weights.sum(-1, keepdims=True)).astype(np.float32)


@samples("CTCGreedyDecoder")
def _(rng):
    lengths = np.array([5, 0, 3], np.int32)
    yield [probabilities(rng, 5, 3, 4), lengths], {}
    yield [probabilities(rng, 5, 3, 4)], {"merge_repeated": 0}
    yield [probabilities(rng, 0, 2, 4)], {}


@samples("CTCBeamSearchDecoder")
def _(rng):
    yield [probabilities(rng, 6, 2, 5), np.array([6, 2], np.int32)], {"beam_width": 4}
    yield Sample("CTCBeamSearchDecoder", (probabilities(rng, 4, 1, 3),), {"num_candidates": 3}, outputs=3)
    yield Sample("CTCBeamSearchDecoder", (probabilities(rng, 0, 1, 3),), {}, outputs=2)


def collapsed(path):
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol)


@pytest.mark.parametrize("steps, symbols", [(1, 3), (4, 3), (6, 2), (5, 4)])
def test_a_wide_beam_finds_the_likeliest_labels(steps, symbols):
    """With nothing cut off, the search sums over all alignments."""
    p = probabilities(np.random.default_rng(steps), steps, 1, symbols)
    sums: dict[tuple, float] = {}
    for path in itertools.product(range(symbols), repeat=steps):
        chance = np.prod([p[t, 0, s] for t, s in enumerate(path)])
        sums[collapsed(path)] = sums.get(collapsed(path), 0.0) + chance
    best = sorted(sums, key=lambda labels: -sums[labels])[:2]
    sizes, values, chances = ctc_beam_search_decoder(
        torch.from_numpy(p), beam_width=1000, num_candidates=2, prune_threshold=0.0
    )
    assert sizes.tolist() == [len(labels) for labels in best]
    assert values.tolist() == [*itertools.chain(*best)]
    np.testing.assert_allclose(chances, [sums[labels] for labels in best], rtol=1e-5)


def recorded_search(frames, width, threshold):
    """The search as it is usually written: two maps from prefixes to probabilities a frame."""
    blank, label, beam = {(): 1.0}, {}, [()]
    for frame in frames:
        kept = [c for c, p in enumerate(frame) if p > threshold] or range(len(frame))
        blank2, label2 = {}, {}

        def add(to, prefix, chance):
            to[prefix] = to.get(prefix, 0.0) + chance

        for l in beam:
            both = blank.get(l, 0.0) + label.get(l, 0.0)
            for c in kept:
                if c == 0:
                    add(blank2, l, frame[0] * both)
                    continue
                longer = (*l, c)
                if l and c == l[-1]:
                    add(label2, longer, frame[c] * blank.get(l, 0.0))
                    add(label2, l, frame[c] * label.get(l, 0.0))
                else:
                    add(label2, longer, frame[c] * both)
                if longer not in beam:
                    add(blank2, longer, frame[0] * (blank.get(longer, 0.0) + label.get(longer, 0.0)))
                    add(label2, longer, frame[c] * label.get(longer, 0.0))
        blank, label = blank2, label2
        score = {l: blank.get(l, 0.0) + label.get(l, 0.0) for l in {*blank, *label}}
        beam = sorted(score, key=lambda l: (-score[l], l))[:width]
    return beam[0], score[beam[0]]


@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.9])
@pytest.mark.parametrize("seed", range(4))
def test_a_narrow_beam(width, threshold, seed):
    p = probabilities(np.random.default_rng(seed), 12, 1, 4)
    labels, chance = recorded_search(p[:, 0].tolist(), width, threshold)
    _, values, found = ctc_beam_search_decoder(torch.from_numpy(p), beam_width=width, prune_threshold=threshold)
    assert values.tolist() == list(labels)
    np.testing.assert_allclose(found, [chance], rtol=1e-4)


def test_greedy():
    best = [1, 1, 0, 1, 2, 2, 0]
    scores = torch.eye(3)[best][:, None]
    sizes, values = ctc_greedy_decoder(scores)
    assert sizes.tolist() == [3] and values.tolist() == [1, 1, 2]
    sizes, values = ctc_greedy_decoder(scores, torch.tensor([5], dtype=torch.int32), merge_repeated=False)
    assert sizes.tolist() == [4] and values.tolist() == [1, 1, 1, 2]


@pytest.mark.parametrize("decoder", [ctc_greedy_decoder, ctc_beam_search_decoder])
@pytest.mark.parametrize("lengths", [[5, 1], [-1, 1], [1]])
def test_lengths_are_checked(decoder, lengths):
    with pytest.raises(EnforceNotMet, match="SEQ_LEN holds"):
        decoder(torch.rand(4, 2, 3), torch.tensor(lengths, dtype=torch.int32))


def test_inputs_are_checked():
    with pytest.raises(EnforceNotMet, match="INPUTS has 3 dimensions"):
        ctc_greedy_decoder(torch.rand(4, 2))
    with pytest.raises(EnforceNotMet, match="no labels"):
        ctc_beam_search_decoder(torch.rand(4, 2, 0))
    with pytest.raises(EnforceNotMet, match="positive"):
        ctc_beam_search_decoder(torch.rand(4, 2, 3), beam_width=0)


@pytest.mark.parametrize("seed", range(6))
def test_the_compiled_search_is_the_other_one(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    p = torch.from_numpy(np.round(probabilities(rng, 20, 3, 6), 2))
    given = p, torch.tensor([20, 0, 13], dtype=torch.int32)
    settings = dict(beam_width=1 + 2 * seed, num_candidates=3, prune_threshold=0.02)
    if not ctc.COMPILED.serves(p):
        pytest.skip("no compiler")
    found = ctc_beam_search_decoder(*given, **settings)
    monkeypatch.setattr(ctc.Kernel, "serves", lambda *_: False)
    for a, b in zip(found, ctc_beam_search_decoder(*given, **settings)):
        torch.testing.assert_close(a, b)
