"""Caffe's training loop: what happens when, test nets, the nets on their own, devices and seeds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2, caffe_pb2
from caffe2.python import workspace
from caffe2.python.caffe_translator import CaffeSolver, translate_solver
from tests.python.caffe_solver.byhand import batches, loss_and_gradients, net_text, parameters
from tests.python.caffe_solver.test_steps import PLAIN, begun, solver_of

NOISE = """name: "noise"
layer { name: "data" type: "DummyData" top: "data" top: "label" dummy_data_param {
  shape { dim: 4 dim: 3 } shape { dim: 4 }
  data_filler { type: "gaussian" } data_filler { type: "constant" value: 1 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param {
  num_output: 2 weight_filler { type: "gaussian" std: 0.1 } } }
layer { name: "drop" type: "Dropout" bottom: "ip" top: "ip" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


def noise(**options) -> CaffeSolver:
    """The solver of a net that needs no data."""
    workspace.ResetWorkspace()
    param = caffe_pb2.SolverParameter(**{**PLAIN, "snapshot_after_train": False, **options})
    if not {"train_net_param", "net_param"} & set(options):
        param.net_param.CopyFrom(net())
    return translate_solver(param)


def net() -> caffe_pb2.NetParameter:
    return text_format.Parse(NOISE, caffe_pb2.NetParameter())


def test_events_come_in_caffes_order(tmp_path: Path) -> None:
    options = {"max_iter": 4, "display": 2, "test_iter": [1], "test_interval": 2, "snapshot": 3, "average_loss": 2}
    prefix = str(tmp_path / "n")
    events = list(noise(**options, snapshot_prefix=prefix, snapshot_after_train=True).events())
    assert [(e.kind, e.iteration) for e in events] == [
        ("test", 0), ("display", 0), ("step", 0),
        ("step", 1),
        ("test", 2), ("display", 2), ("step", 2), ("snapshot", 3),
        ("step", 3),
        ("snapshot", 4), ("display", 4), ("test", 4), ("end", 4),
    ]  # fmt: skip
    losses = [e.loss for e in events if e.kind == "step"]
    shown = [e.loss for e in events if e.kind == "display"]
    assert shown[:2] == pytest.approx([losses[0], (losses[1] + losses[2]) / 2])
    assert events[7].files == (f"{prefix}_iter_3.caffemodel", f"{prefix}_iter_3.solverstate")


def test_the_initial_test_may_be_left_out() -> None:
    options = {"max_iter": 2, "test_iter": [1], "test_interval": 2, "test_initialization": False}
    assert [e.kind for e in noise(**options).events()] == ["step", "step", "test", "end"]


def test_a_stopped_training_saves_and_tells_no_more(tmp_path: Path) -> None:
    solver = noise(snapshot_prefix=str(tmp_path / "n"), snapshot_after_train=True, display=1)
    kinds = []
    for event in solver.events():
        kinds.append((event.kind, event.iteration))
        solver.save_now = event.kind == "step"
        solver.stop = event.kind == "snapshot"
    assert kinds == [
        ("display", 0), ("step", 0), ("snapshot", 1),
        ("snapshot", 1), ("end", 1),
    ]  # fmt: skip


def test_test_nets_use_the_parameters_of_the_training_and_average(tmp_path: Path) -> None:
    data = batches(3)
    solver = begun(solver_of(tmp_path, {"test_iter": [2], "test_interval": 9, "test_compute_loss": True}, data))
    before, w = solver.test(), parameters()
    want = [loss_and_gradients(w, batch)[0] for batch in data]
    assert before.loss == pytest.approx((want[0] + want[1]) / 2, rel=1e-5)
    assert list(before.outputs) == ["accuracy", "loss"] and before.outputs["loss"] == pytest.approx(before.loss)
    assert solver.step() == pytest.approx(want[2], rel=1e-5)


def test_nets_of_every_form() -> None:
    proto = net()
    forms = [
        {"train_net_param": proto, "test_net_param": [proto], "test_iter": [1], "test_interval": 1},
        {"net_param": proto, "test_net_param": [proto], "test_iter": [1, 1], "test_interval": 1},
    ]
    assert [len(noise(**form).test_nets) for form in forms] == [1, 2]


def test_states_choose_layers() -> None:
    proto = net()
    proto.layer[2].include.add(stage=["wet"])
    for state, want in ((caffe_pb2.NetState(), False), (caffe_pb2.NetState(stage=["wet"]), True)):
        solver = noise(net_param=proto, train_state=state)
        assert ("Dropout" in [op.type for op in solver.train_net.op]) == want


def test_a_seed_makes_trainings_alike() -> None:
    def losses(seed: int) -> list[float]:
        solver = noise(random_seed=seed)
        return [solver.step() for _ in range(3)]

    assert losses(3) == losses(3) != losses(4)
    assert len(set(losses(3))) == 3


def test_the_nets_run_without_the_solver(tmp_path: Path) -> None:
    """A pass and an update, iter_size times the first, is a step; what is written to files is all that it takes."""
    data = batches(4)
    solver = begun(solver_of(tmp_path, {"iter_size": 2, "momentum": 0.9}, data))
    want = [solver.step(), solver.step()]
    paths = solver.save_nets(tmp_path / "nets")
    assert [Path(path).name for path in paths] == ["init_net.pb", "train_net.pb", "update_net.pb"]
    workspace.ResetWorkspace()
    init, train, update = (caffe2_pb2.NetDef.FromString(Path(path).read_bytes()) for path in paths)
    workspace.RunNetOnce(init)
    for name, array in parameters().items():
        workspace.FeedBlob(name, array)
    workspace.CreateNet(train)
    got = []
    for batch in data:
        for name, array in batch.items():
            workspace.FeedBlob(name, array)
        workspace.RunNet(train.name)
        got.append(float(workspace.FetchBlob(solver.loss)))
        if len(got) % 2 == 0:
            workspace.RunNetOnce(update)
    assert [sum(got[:2]) / 2, sum(got[2:]) / 2] == want


def test_training_on_after_the_end(tmp_path: Path) -> None:
    """The pass that only shows the last loss leaves nothing behind for the next step."""
    data = batches(4)
    plain = begun(solver_of(tmp_path, {"iter_size": 2}, [*data[:2], *data[:2]]))
    want = [plain.step(), plain.step()]
    shown = {"iter_size": 2, "max_iter": 1, "display": 1, "snapshot_after_train": False}
    solver = begun(solver_of(tmp_path, shown, [*data[:2], data[3], *data[:2]]))
    solver.solve()
    assert solver.step() == want[1]


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cuda:4096"])
def test_devices_that_are_not(name: str, tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(net_text())
    param = caffe_pb2.SolverParameter(net=str(tmp_path / "net.prototxt"), **PLAIN)
    with pytest.raises(EnforceNotMet, match=name):
        translate_solver(param, device=name, feed=lambda phase: {})


def test_what_is_fed_has_zeros_before(tmp_path: Path) -> None:
    solver_of(tmp_path, {}, []).begin()
    assert workspace.FetchBlob("data").shape == (5, 2, 6, 6) and not np.any(workspace.FetchBlob("data"))


def test_data_layers_whose_files_are_elsewhere_are_fed(tmp_path: Path) -> None:
    data = batches(2)
    text = net_text().replace('"MemoryData"', '"Data" data_param { source: "gone" batch_size: 5 }')
    at = text.index("memory_data_param")
    (tmp_path / "net.prototxt").write_text(text[:at] + text[text.index("}", at) + 1 :])
    stream = iter(data)
    solver = translate_solver(
        caffe_pb2.SolverParameter(net=str(tmp_path / "net.prototxt"), **PLAIN),
        feed=lambda phase: next(stream),
        input_shapes={"data": (5, 2, 6, 6)},
    )
    assert begun(solver).step() == pytest.approx(loss_and_gradients(parameters(), data[0])[0], rel=1e-5)
