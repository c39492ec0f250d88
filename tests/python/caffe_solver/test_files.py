"""Snapshots: what is in the files, and trainings that go on from them as if they had never stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from caffe2.bridge.caffe import FileError, UntranslatableError, WeightsError
from caffe2.bridge.caffe.snapshot import read_snapshot
from caffe2.bridge.caffe.weights import read_weights
from caffe2.proto import caffe_pb2
from caffe2.python import workspace
from tests.python.caffe_solver.byhand import SHAPES, batches, parameters
from tests.python.caffe_solver.test_steps import SOLVERS, begun, solver_of

STEPS, STOP = 6, 3
POLICY = {"lr_policy": "multistep", "gamma": 0.5, "stepvalue": [2, 2, 4], "weight_decay": 0.01}
HDF5 = caffe_pb2.SolverParameter.HDF5


@pytest.mark.parametrize("form", [{}, {"snapshot_format": HDF5}], ids=["protobuf", "hdf5"])
@pytest.mark.parametrize("kind", ["SGD with momentum", "Nesterov", "RMSProp", "AdaDelta", "Adam"])
def test_going_on_is_never_having_stopped(kind: str, form: dict, tmp_path: Path) -> None:
    if form:
        pytest.importorskip("h5py")
    options, data = {**SOLVERS[kind], **POLICY, **form}, batches(STEPS)
    whole = begun(solver_of(tmp_path, options, data))
    want = [whole.step() for _ in range(STOP)]
    _, state = whole.snapshot()
    want += [whole.step() for _ in range(STEPS - STOP)]
    after = {name: workspace.FetchBlob(name) for name in SHAPES}
    again = solver_of(tmp_path, options, data[STOP:], snapshot=state)
    assert again.iteration == STOP
    assert [again.step() for _ in range(STEPS - STOP)] == want[STOP:]
    for name, array in after.items():
        np.testing.assert_array_equal(workspace.FetchBlob(name), array)


def test_a_snapshot_is_caffes_messages(tmp_path: Path) -> None:
    """Weights of every layer under its name; what the solver remembers, first all first moments, then all second."""
    solver = begun(solver_of(tmp_path, {**SOLVERS["Adam"], **POLICY}, batches(3)))
    for _ in range(3):
        solver.step()
    weights, state = solver.snapshot()
    assert Path(weights).name == "small_iter_3.caffemodel" and Path(state).name == "small_iter_3.solverstate"
    model = caffe_pb2.NetParameter.FromString(Path(weights).read_bytes())
    assert [layer.name for layer in model.layer] == ["data", "conv", "pool", "relu", "ip", "loss"]
    assert {
        f"{layer.name}_{'wb'[k]}": tuple(b.shape.dim) for layer in model.layer for k, b in enumerate(layer.blobs)
    } == SHAPES
    np.testing.assert_array_equal(model.layer[4].blobs[0].data, workspace.FetchBlob("ip_w").ravel())
    assert list(model.layer[3].bottom) == list(model.layer[3].top) == ["pool"]
    held = caffe_pb2.SolverState.FromString(Path(state).read_bytes())
    assert (held.iter, held.current_step, held.learned_net) == (3, 1, weights)
    assert [tuple(blob.shape.dim) for blob in held.history] == [*SHAPES.values()] * 2
    np.testing.assert_array_equal(held.history[2].data, workspace.FetchBlob("ip_w_history").ravel())
    np.testing.assert_array_equal(held.history[6].data, workspace.FetchBlob("ip_w_history2").ravel())
    assert not any(held.history[3].data)
    read = read_snapshot(state)
    assert (read.iter, read.current_step, len(read.history)) == (3, 1, 8)


def test_hdf5_is_laid_out_as_caffes(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    solver = begun(solver_of(tmp_path, {"momentum": 0.9, "snapshot_format": HDF5}, batches(1)))
    solver.step()
    weights, state = solver.snapshot()
    assert weights.endswith(".caffemodel.h5") and state.endswith(".solverstate.h5")
    with h5py.File(state) as file:
        assert file["iter"].shape == file["current_step"].shape == (1,) and file["iter"][0] == 1
        assert file["learned_net"].dtype.itemsize == len(weights) + 1 and file["learned_net"][()] == weights.encode()
        assert {name: data.shape for name, data in file["history"].items()} == dict(zip("0123", SHAPES.values()))
    np.testing.assert_array_equal(read_weights(weights).blobs("conv")[0].array, workspace.FetchBlob("conv_w"))


def test_weights_to_begin_with(tmp_path: Path) -> None:
    """By the names of layers, those of a later file counting; the solver itself may name them."""
    paths = []
    for k in (0, 1):
        solver = begun(solver_of(tmp_path, {}, batches(1)))
        workspace.FeedBlob("ip_w", np.full(SHAPES["ip_w"], k, np.float32))
        paths.append(solver.snapshot(str(tmp_path / f"start{k}"))[0])
    for solver in (
        solver_of(tmp_path, {}, [], weights=paths),
        solver_of(tmp_path, {"weights": [",".join(paths)]}, []),
    ):
        solver.begin()
        assert solver.iteration == 0 and (workspace.FetchBlob("ip_w") == 1).all()
        np.testing.assert_array_equal(workspace.FetchBlob("conv_w"), parameters()["conv_w"])


def test_snapshots_of_other_trainings_are_refused(tmp_path: Path) -> None:
    _, state = begun(solver_of(tmp_path, {}, batches(1))).snapshot()
    with pytest.raises(WeightsError, match="remembers 4 blobs, and this solver 8"):
        solver_of(tmp_path, SOLVERS["Adam"], [], snapshot=state)
    with pytest.raises(FileError, match="not both"):
        solver_of(tmp_path, {}, [], snapshot=state, weights=[state])
    held = caffe_pb2.SolverState.FromString(Path(state).read_bytes())
    held.learned_net = "elsewhere/gone.caffemodel"
    Path(state).write_bytes(held.SerializeToString())
    with pytest.raises(FileError, match="gone.caffemodel"):
        solver_of(tmp_path, {}, [], snapshot=state)


def test_a_prefix_that_cannot_be_written_is_told_before_the_first_step(tmp_path: Path) -> None:
    solver = solver_of(tmp_path, {"snapshot": 5}, batches(1))
    solver.training.prefix = str(tmp_path / "none" / "small")
    with pytest.raises(FileError, match="snapshot_prefix"):
        solver.begin()


def test_nets_to_be_fed_need_a_function(tmp_path: Path) -> None:
    solver = solver_of(tmp_path, {}, [])
    with pytest.raises(UntranslatableError, match="feed data, label"):
        type(solver)(solver.training)
