"""Buffers of the last rows, and of a sample of all."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from caffe2.opdef import EnforceNotMet
from caffe2.ops.map import create_map
from caffe2.ops.sync.atomic import Mutex
from caffe2.runtime.shapes import from_workspace
from caffe2.runtime.workspace import Workspace
from tests.runtime.nets import net, operator
from tests.sample import Sample, floats, samples


def int64_map():
    made = create_map()
    made.key = made.value
    return made


@samples("LastNWindowCollector")
def _(rng):
    why = {"wire": "it collects at every run"}
    start = np.array(1, np.int32)
    two = Sample(
        "LastNWindowCollector", (floats(rng, 2, 3), start, floats(rng, 3, 3)), {"num_to_collect": 4}, 2, except_=why
    )
    yield two
    visited = (floats(rng, 0), start, floats(rng, 3, 3), Mutex, np.array([7]))
    yield Sample("LastNWindowCollector", visited, {"num_to_collect": 2}, 3)


@samples("ReservoirSampling")
def _(rng):
    start, ids = (floats(rng, 0), np.array([0]), floats(rng, 3, 3), Mutex), np.array([4, 4, 5])
    yield Sample("ReservoirSampling", start, {"num_to_collect": 2}, 2)
    yield Sample("ReservoirSampling", (*start, ids, int64_map, np.zeros(0, np.int64)), {"num_to_collect": 2}, 4)


@pytest.fixture
def collect():
    """collect(kind, batches, n, *further): what is kept after each batch."""

    def run(kind, batches, n, place, *further):
        workspace = Workspace()
        workspace.cell("kept")
        workspace.feed("place", place)
        names = [f"f{k}" for k in range(len(further))]
        for name, value in zip(names, further):
            workspace.put(name, value) if not isinstance(value, np.ndarray) else workspace.feed(name, value)
        outputs = {0: "", 2: "f1", 4: "f2 f3"}.get(len(further), "")
        workspace.feed("data", batches[0])
        op = operator(kind, f"kept place data {' '.join(names)}", f"kept place {outputs}", num_to_collect=n)
        workspace.create_net(net("collect", op))
        seen = []
        for batch in batches:
            workspace.feed("data", batch)
            workspace.run_net("collect")
            seen.append(workspace.fetch("kept"))
        return seen, workspace

    return run


def test_the_last_rows_stay_in_a_ring(collect):
    batches = [np.array(b, dtype=np.int64) for b in ([1, 2, 3, 4], [5, 6, 7], [8, 9, 10, 11], [], range(20))]
    seen, workspace = collect(
        "LastNWindowCollector", batches, 6, np.array(0, np.int32), threading.Lock(), np.array([5])
    )
    expected = [[1, 2, 3, 4], [7, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 6], [7, 8, 9, 10, 11, 6], [14, 15, 16, 17, 18, 19]]
    assert [kept.tolist() for kept in seen] == expected
    assert workspace.fetch("f1").tolist() == [31] and workspace.fetch("place") == 0


def test_rows_of_strings(collect):
    batches = [np.array([b"a", b"b"], dtype=object), np.array([b"c"], dtype=object)]
    seen, _ = collect("LastNWindowCollector", batches, 2, np.array(0, np.int32))
    assert seen[-1].tolist() == [b"c", b"b"]


def test_a_shape_is_known_before(collect):
    workspace = Workspace()
    workspace.cell("kept")
    workspace.feed("place", np.array(0, np.int32))
    workspace.feed("data", np.zeros((3, 2), np.float32))
    op = operator("LastNWindowCollector", "kept place data", "kept place", num_to_collect=7)
    shapes = {s.name: list(s.dims) for s in from_workspace([net("n", op)], workspace).shapes}
    assert shapes["kept"] == [7, 2]


def test_a_sample_of_all_rows(collect):
    batches = [np.arange(k, k + 10, dtype=np.float32) for k in range(0, 1000, 10)]
    seen, workspace = collect("ReservoirSampling", batches, 50, np.array([0]), Mutex())
    kept = seen[-1]
    assert len(kept) == len(set(kept.tolist())) == 50 and workspace.fetch("place") == 1000
    assert kept.max() > 600 and kept.min() < 400


def test_one_row_an_object(collect):
    ids = np.array([3, 3, 4])
    batches = [np.array([1.0, 2.0, 3.0])] * 3
    seen, workspace = collect(
        "ReservoirSampling", batches, 5, np.array([0]), Mutex(), ids, int64_map(), np.zeros(0, np.int64)
    )
    assert seen[-1].tolist() == [1, 3] and workspace.fetch("place") == 2
    assert workspace.find("f2").value.entries == {3: 0, 4: 1} and workspace.fetch("f3").tolist() == [3, 4]


def test_refusals(run):
    rows, place = np.zeros((1, 2), np.float32), np.array(0, np.int32)
    with pytest.raises(EnforceNotMet, match="is collected with float32"):
        run("LastNWindowCollector", rows, place, rows[:, :1], outputs=2, num_to_collect=3)
    with pytest.raises(EnforceNotMet, match="num_to_collect is 0"):
        run("LastNWindowCollector", rows, place, rows, outputs=2, num_to_collect=0)
    with pytest.raises(EnforceNotMet, match="next is an int32 scalar"):
        run("LastNWindowCollector", rows, rows, rows, outputs=2, num_to_collect=3)
    with pytest.raises(EnforceNotMet, match="next is 5, and the buffer has 2 rows"):
        run("LastNWindowCollector", rows, place + 5, rows, outputs=2, num_to_collect=3)
    with pytest.raises(EnforceNotMet, match="2 rows have"):
        bad = (np.zeros(0), np.array([0]), np.zeros(2), Mutex(), np.array([1]), int64_map(), np.zeros(0, np.int64))
        run("ReservoirSampling", *bad, outputs=4, num_to_collect=3)
