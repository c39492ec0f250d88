"""Ragged data: where segments and their rows are."""

from __future__ import annotations

import torch

from caffe2.ops import ragged

LENGTHS = torch.tensor([2, 0, 3], dtype=torch.int32)


def test_segments_and_places():
    assert ragged.starts(LENGTHS).tolist() == [0, 2, 2]
    assert ragged.segments(LENGTHS, 5).tolist() == [0, 0, 2, 2, 2]
    assert ragged.places(LENGTHS, 5).tolist() == [0, 1, 0, 1, 2]
    assert ragged.places(LENGTHS, 5, torch.tensor([7, 0, 1])).tolist() == [7, 8, 1, 2, 3]
    assert ragged.places(LENGTHS[:0], 0).tolist() == []
