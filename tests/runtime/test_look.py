"""What is looked at before an operator runs: the kinds of values that its body's annotations name."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet
from caffe2.runtime.blob import Int8Tensor
from caffe2.runtime.workspace import Workspace
from tests.runtime.nets import operator

X = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("kind", "outputs", "values", "word"),
    [
        ("BatchMatMul", "y", [X, b"bytes"], "takes a tensor but i1 is bytes"),
        ("Concat", "y info", [X, object()], "takes a tensor or a tensor of strings but i1 is object"),
        ("StringPrefix", "y", [X], "takes a tensor of strings but i0 is float32[2,3]"),
        ("Int8Relu", "y", [b"bytes"], "takes a quantized tensor or a tensor but i0 is bytes"),
        ("FC", "y", [X, X, Int8Tensor(torch.zeros(2), 1.0, 0)], "but i2 is quantized float32[2]"),
        ("CloseBlobsQueue", "", [X], "takes a BlobsQueue but i0 is float32[2,3]"),
    ],
)
def test_a_value_of_another_kind_is_refused(kind: str, outputs: str, values: list, word: str):
    workspace = Workspace()
    for k, value in enumerate(values):
        workspace.feed(f"i{k}", value)
    made = operator(kind, " ".join(workspace.names()), outputs)
    with pytest.raises(EnforceNotMet, match=kind) as told:
        workspace.run_operator_once(made)
    assert word in str(told.value)
    assert len(workspace.names()) == len(values)


def test_an_operator_that_cannot_be_made_says_which():
    workspace = Workspace()
    workspace.feed("x", X)
    made = operator("Relu", "x", "y")
    made.device_option.device_type = 77
    with pytest.raises(EnforceNotMet, match=r"(?s)Relu: X -> Y.*77.*x float32\[2,3\]"):
        workspace.run_operator_once(made)


def test_an_error_of_torch_stays_the_cause():
    workspace = Workspace()
    workspace.feed("x", X)
    with pytest.raises(EnforceNotMet) as told:
        workspace.run_operator_once(operator("ATen", "x", "y", operator="t_that_is_not"))
    assert told.value.__cause__ is None
    with pytest.raises(EnforceNotMet) as told:
        workspace.run_operator_once(operator("ATen", "x", "y", operator="cholesky"))
    assert isinstance(told.value.__cause__, RuntimeError)
