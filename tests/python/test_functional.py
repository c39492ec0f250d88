import numpy as np
import pytest

from caffe2.python import workspace
from caffe2.python.functional import Functional, namedtupledict


def test_operators_are_functions():
    blobs = workspace.Blobs()
    out = Functional.Relu(np.float32([-1, 2]))
    assert out[0].tolist() == out["output_0"].tolist() == out.output_0.tolist() == [0, 2]
    assert workspace.Blobs() == blobs


def test_numbers_of_outputs():
    result, split = Functional.Concat(np.float32([1]), np.float32([2, 3]), axis=0)
    assert result.tolist() == [1, 2, 3] and split.tolist() == [1, 2]
    parts = Functional.Split(np.float32([1, 2, 3]), axis=0, split=[1, 2], num_output=2)
    assert [p.tolist() for p in parts] == [[1], [2, 3]]


def test_outputs_that_overwrite_their_inputs():
    (updated,) = Functional.ScatterAssign(np.float32([0, 0]), np.int32([1]), np.float32([5]))
    assert updated.tolist() == [0, 5]


@pytest.mark.parametrize(
    "call, error, text",
    [
        (lambda: Functional.Relu(), ValueError, "Relu takes 1 to 1 inputs, not 0"),
        (lambda: Functional.Split(np.zeros(2)), ValueError, "pass num_output"),
        (lambda: Functional.Relu(np.zeros(1), num_output=2), ValueError, "not 2 with 1 inputs"),
        (lambda: Functional.Reluu, AttributeError, "Did you mean"),
    ],
)
def test_refusals(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_names_that_are_no_identifiers():
    made = namedtupledict("Out", ["0", "x"])(1, 2)
    assert (made["0"], made["x"], made[0], made._0) == (1, 2, 1, 1)
