"""Observers, benchmarks, costs."""

import math

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet
from caffe2.runtime.cost import operator_cost
from caffe2.runtime.errors import NetError
from caffe2.runtime.observe import attach, benchmark, detach, profile, watching
from caffe2.runtime.workspace import Workspace
from tests.runtime.nets import net, operator


@pytest.fixture
def workspace():
    made = Workspace()
    made.feed("x", np.ones((2, 3), dtype=np.float32))
    made.feed("go", np.array(True))
    inner = net("inner", operator("Relu", "y", "z"), operator("Relu", "z", "z"))
    made.cell("y"), made.cell("z")
    made.create_net(net("n", operator("Relu", "x", "y"), operator("If", "go", "", then_net=inner)))
    return made


def test_counting(workspace):
    observer = attach(workspace.net("n"), "RunCountObserver")
    workspace.run_net("n", 3)
    assert observer.debug_info() == "This operator runs 12 times."
    detach(observer)
    workspace.run_net("n")
    assert observer.count == 12


def test_time(workspace):
    observer = attach(workspace.net("n"), "TimeObserver")
    assert math.isnan(observer.average_time()) and observer.average_time_children() == 0
    workspace.run_net("n", 3)
    times = observer.operator_times()
    assert len(times) == 2 and all(t > 0 for t in times)
    assert observer.average_time() >= sum(times)
    assert observer.average_time_children() == pytest.approx(sum(times) / 2)
    assert "If" in observer.debug_info()


def test_without_observers_nothing_is_left(workspace):
    plain = workspace.net("n")
    one, other = attach(plain, "TimeObserver"), attach(plain, "RunCountObserver")
    assert watching(plain) == [one, other]
    detach(one)
    workspace.run_net("n")
    assert one.runs == 0 and other.count == 4
    detach(other)
    assert watching(plain) == [] and "run" not in vars(plain)
    workspace.run_net("n", 2)
    assert plain._seen == workspace.changes.count


def test_a_failing_net_is_observed_too(workspace):
    observer = attach(workspace.net("n"), "TimeObserver")
    workspace.feed("go", np.ones(2, dtype=bool))
    with pytest.raises(EnforceNotMet, match="operator 1 of net 'n'"):
        workspace.run_net("n")
    assert observer.runs == 1 and not workspace.changes.watchers


@pytest.mark.parametrize("kind", ["simple", "dag"])
def test_concurrent_operators_are_counted(kind):
    workspace = Workspace()
    workspace.feed("x", np.ones(2, dtype=np.float32))
    ops = [operator("Relu", "x", f"y{k}") for k in range(3)]
    workspace.create_net(net("n", *ops, kind=kind, workers=2))
    observer = attach(workspace.net("n"), "RunCountObserver")
    workspace.run_net("n", 2)
    assert observer.count == 6


def test_benchmark(workspace):
    plain = workspace.net("n")
    whole, *each = benchmark(plain, 1, 2, True)
    assert whole > 0 and len(each) == 2 and all(t > 0 for t in each)
    assert benchmark(plain, 0, 1, False)[1:] == [0, 0]
    table = profile(plain, whole, each).splitlines()
    assert table[0].startswith("net 'n'") and len(table) == 4
    with pytest.raises(NetError, match="not -1 and 1"):
        benchmark(plain, -1, 1, False)


def test_unknown_observer(workspace):
    with pytest.raises(NetError, match="did you mean TimeObserver"):
        attach(workspace.net("n"), "TimeObserve")


@pytest.mark.parametrize(
    "kind, shapes, args, cost",
    [
        ("Relu", [(2, 3)], {}, (0, 24)),
        ("Add", [(2, 3), (2, 3)], {}, (6, 24)),
        ("Sum", [(2, 3)] * 3, {}, (12, 24)),
        ("FC", [(2, 3), (4, 3), (4,)], {}, (56, 32)),
        ("Conv", [(2, 3, 8, 8), (4, 3, 3, 3), (4,)], {"kernel": 3}, (15552, 1152)),
        ("Conv2D", [(1, 8, 8, 8), (1, 1, 3, 3)], {"kernel": 3, "pad": 1}, (1152, 256)),
    ],
)
def test_costs_of_the_original(kind, shapes, args, cost):
    op = operator(kind, " ".join(f"i{k}" for k in range(len(shapes))), "y", **args)
    assert operator_cost(op, [torch.zeros(shape) for shape in shapes]) == cost
