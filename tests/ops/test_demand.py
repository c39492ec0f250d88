"""What operators demand: the errors say what, with what."""

from __future__ import annotations

import pytest
import torch

from caffe2.opdef import EnforceNotMet
from caffe2.ops import demand


def test_meta_values_cannot_be_looked_at():
    meta = torch.empty(2, device="meta", dtype=torch.int64)
    assert not demand.readable(meta) and not demand.concrete(meta)
    demand.in_range(meta, 1, "I")
    demand.lengths(meta, 1, "L")


@pytest.mark.parametrize(
    "check, text",
    [
        (lambda: demand.rank(torch.zeros(1, 2), 1, "X"), "X has 1 dimension, not 2: (1, 2)"),
        (lambda: demand.least_rank(torch.zeros(1), 2, "X"), "X has at least 2 dimensions, not 1"),
        (lambda: demand.in_range(torch.tensor([1, 3]), 3, "I"), "I holds 3; it indexes 3 rows, 0 to 2"),
        (lambda: demand.in_range(torch.tensor([-1, 9]), 3, "I"), "I holds -1; it indexes 3 rows, 0 to 2"),
        (lambda: demand.lengths(torch.tensor([2, -1]), None, "L"), "L holds the negative length -1"),
        (lambda: demand.lengths(torch.tensor([2, 1]), 4, "L"), "L add up to 3, not 4"),
        (lambda: demand.one_number(torch.zeros(2), "lr"), "lr holds one number, not 2"),
    ],
)
def test_errors_tell_values(check, text):
    with pytest.raises(EnforceNotMet) as error:
        check()
    assert text in str(error.value)
