import logging

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet, registry
from caffe2.proto import caffe2_pb2
from caffe2.runtime.flags import Flags, flags
from caffe2.runtime.workspace import Workspace


def divide(by):
    ws = Workspace()
    ws.feed("a", np.float32([1]))
    ws.feed("b", np.float32([by]))
    ws.run_operator_once(caffe2_pb2.OperatorDef(type="Div", input=["a", "b"], output=["c"]))
    return ws.fetch("c")[0]


@pytest.fixture
def throwing():
    flags.read(["program", "--caffe2_operator_throw_if_fp_exceptions=1"])
    yield
    flags.read(["program", "--caffe2_operator_throw_if_fp_exceptions", "false"])


def test_exceptions_of_floating_point(throwing):
    assert divide(2) == 0.5
    with pytest.raises(EnforceNotMet, match="floating-point exception"):
        divide(0)


def test_without_the_flag_a_division_by_zero_is_infinite():
    assert np.isinf(divide(0))


def test_levels_of_the_log():
    log = logging.getLogger("caffe2")
    before = log.level
    try:
        Flags().read(["program", "--caffe2_log_level=2", "--caffe2_of_no_meaning=3", "argument"])
        assert log.level == logging.ERROR
    finally:
        log.setLevel(before)


def test_threads_are_those_of_torch():
    before = torch.get_num_threads()
    try:
        Flags().read(["program", "--caffe2_omp_num_threads=3"])
        assert torch.get_num_threads() == 3
        Flags().read(["program", "--caffe2_mkl_num_threads=0"])
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    "argument",
    ["--nosuch=1", "--caffe2_log_level=x", "--caffe2_omp_num_threads=x", "--caffe2_operator_throw_if_fp_exceptions=x"],
)
def test_flags_that_do_not_fit(argument):
    with pytest.raises(EnforceNotMet, match="flag"):
        Flags().read(["program", argument])


def test_engines_are_tried_in_order():
    chosen, conv = Flags(), registry["Conv"]
    op = caffe2_pb2.OperatorDef(type="Conv", engine="NOSUCH,NNPACK")
    assert chosen.engine(op, conv, "cpu") == "NNPACK"
    op.engine = ""
    assert chosen.engine(op, conv, "cpu") == ""
    chosen.prefer({caffe2_pb2.PROTO_CPU: {"": ["NNPACK"]}})
    assert (chosen.engine(op, conv, "cpu"), chosen.engine(op, conv, "cuda")) == ("NNPACK", "")
    with pytest.raises(EnforceNotMet, match="device types"):
        chosen.prefer({99: {}})
