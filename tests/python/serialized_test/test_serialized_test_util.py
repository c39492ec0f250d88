"""Reference checks, recorded and compared with the record, and the strategies that they draw from."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from hypothesis import given

from caffe2.proto import caffe2_pb2
from caffe2.python import core, workspace
from caffe2.python import hypothesis_test_util as hu
from caffe2.python.serialized_test import serialized_test_util as serial

Op = caffe2_pb2.OperatorDef


class Case(serial.SerializedTestCase):
    @serial.given(X=hu.tensor(dtype=np.float32), **hu.gcs)
    def check(self, X, gc, dc):
        self.assertReferenceChecks(gc, core.CreateOperator("Relu", ["X"], ["Y"]), [X], lambda X: [np.maximum(X, 0)])

    def broken(self):
        op = core.CreateOperator("Relu", ["X"], ["Y"])
        self.assertReferenceChecks(hu.cpu_do, op, [np.ones(2, np.float32)], lambda X: [X + 1])


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(serial._output_context, "output_dir", str(tmp_path), raising=False)
    (tmp_path / "operator_test").mkdir()
    return tmp_path / "operator_test" / "test_serialized_test_util.check.zip"


def run(name: str) -> None:
    case = Case(name)
    case.setUp()
    try:
        getattr(case, name)()
    finally:
        case.tearDown()


def test_recorded_then_compared(records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("check")
    assert not records.exists()
    monkeypatch.setattr(serial._output_context, "should_generate_output", True, raising=False)
    run("check")
    assert records.exists()
    monkeypatch.setattr(serial._output_context, "should_generate_output", False)
    run("check")
    with ZipFile(records) as record:
        assert Op.FromString(record.read("op.pb")).type == "Relu" and "grad_0.pb" in record.namelist()


def test_what_differs_from_its_record(records: Path) -> None:
    op, x = core.CreateOperator("Relu", ["X"], ["Y"]), np.array([-1.0, 2.0], np.float32)
    grads = serial._getGradientOrNone(op)
    case = Case("check")
    case.serialize_test([x], [np.maximum(x, 0)], grads, op, hu.cpu_do)
    case.compare_test([x], [np.maximum(x, 0)], grads)
    case.compare_test([x + 1], [x], [])
    with pytest.raises(AssertionError):
        case.compare_test([x], [x], grads)
    with pytest.raises(AssertionError):
        case.compare_test([x], [np.maximum(x, 0)], [op])


def test_a_check_fails_where_the_reference_differs() -> None:
    with pytest.raises(AssertionError, match="Output Y is not matching the reference"):
        run("broken")
    assert workspace.CurrentWorkspace() == "default"


@given(hu.sparse_lengths_tensor(max_value=6, allow_empty=True))
def test_segments_fit_their_rows(drawn) -> None:
    data, indices, lengths = drawn
    assert lengths.dtype == np.int32 and lengths.sum() == len(indices)
    assert ((0 <= indices) & (indices < len(data))).all()


@given(hu.segmented_tensor(min_dim=1, max_dim=2))
def test_sorted_segments_are_consecutive(drawn) -> None:
    data, ids = drawn
    assert len(ids) == len(data) and ids[0] == 0 and set(np.diff(ids)) <= {0, 1}


@given(hu.arrays([3], elements=hu.floats(min_value=0.1, max_value=0.7)))
def test_elements_are_rounded_to_their_type(x) -> None:
    assert x.dtype == np.float32 and (x >= np.float32(0.1)).all() and (x <= np.float32(0.7)).all()
