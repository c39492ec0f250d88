import pytest

from caffe2.python import control, core, workspace


@pytest.fixture
def counting():
    """A counter, a net that counts up, and one whose condition is that the count is below 4."""
    init, count, below = core.Net("init"), core.Net("count"), core.Net("below")
    counter = init.CreateCounter([], init_count=0)
    four = init.ConstantFill([], shape=[], value=4, dtype=core.DataType.INT64)
    now = count.AddExternalInput("now")
    init.ConstantFill([], now, shape=[], value=0, dtype=core.DataType.INT64)
    count.CountUp([counter])
    count.RetrieveCount([counter], now)
    below.AddExternalOutput(below.LT([now, four]))
    return init, count, below


def run(init, step):
    plan = core.Plan("plan")
    plan.AddStep(control.Do("init", init))
    plan.AddStep(step)
    workspace.RunPlan(plan)
    return int(workspace.FetchBlob("now"))


@pytest.mark.parametrize("wrapped", [False, True], ids=["net", "step"])
@pytest.mark.parametrize("loop, expected", [("For", 3), ("While", 4), ("DoWhile", 4)])
def test_loops(counting, wrapped, loop, expected):
    init, count, below = counting
    body = control.Do("body", count) if wrapped else count
    make = getattr(control, loop)
    step = make("loop", body, 3) if loop == "For" else make("loop", below, body)
    assert run(init, step) == expected


@pytest.mark.parametrize("loop", ["Until", "DoUntil"])
def test_loops_until(counting, loop):
    init, count, below = counting
    reached, _ = control.NotNet(below)
    both = control.MergeConditionNets("both", [below, reached], "Or")
    assert both.Proto().op[-1].type == "Or"
    step = getattr(control, loop)(
        "loop", core.BlobReference(str(reached.external_outputs[-1])), [count, below, reached]
    )
    init.ConstantFill([], reached.external_outputs[-1], shape=[], value=False, dtype=core.DataType.BOOL)
    assert run(init, step) == 4


@pytest.mark.parametrize(
    "make, holds, expected",
    [
        ("If", True, 1),
        ("If", False, 2),
        ("IfNot", True, 2),
        ("IfNot", False, 1),
    ],
)
def test_branches(counting, make, holds, expected):
    init, count, _ = counting
    flag = control.BoolNet(("flag", holds))
    step = getattr(control, make)("branch", flag, count, control.Do("twice", [count, count]))
    assert run(init, step) == expected


@pytest.mark.parametrize("make, expected", [("Switch", 1), ("SwitchNot", 2)])
def test_switches(counting, make, expected):
    init, count, _ = counting
    flags = control.BoolNet([("yes", True), ("no", False)])
    cases = ("yes", count), ("no", [count, count])
    step = control.Do("all", control.Do("flags", flags), getattr(control, make)("cases", *cases))
    assert run(init, step) == expected


def test_conditions_combine():
    yes, no = control.BoolNet(("yes", True)), control.BoolNet(("no", False))
    both = control.CombineConditions("both", [yes, no], "And")
    alone = control.CombineConditions("alone", [yes], "And")
    workspace.RunPlan(control.Do("all", yes, no, both, alone))
    assert [bool(workspace.FetchBlob(n.external_outputs[-1])) for n in (both, alone)] == [False, True]
    assert control.CombineConditions("none", [], "And") is None
    with pytest.raises(ValueError, match="list of nets"):
        control.CombineConditions("one", yes, "And")


def test_steps_run_at_once():
    steps = [control.Do("each", control.BoolNet((name, True))) for name in "ab"]
    made = control.DoParallel("both", *steps)
    workspace.RunPlan(made)
    assert made.Proto().concurrent_substeps and control.DoParallel("one", steps[0]) is steps[0]


def test_nothing_is_no_sequence():
    with pytest.raises(ValueError, match="cannot be empty"):
        control.Do("nothing")
    with pytest.raises(AssertionError, match="at least one external output"):
        control.GetConditionBlobFromNet(core.Net("silent"))
