import numpy as np
import pytest

from caffe2.python import core, workspace
from caffe2.python.checkpoint import (
    CheckpointManager,
    Job,
    JobRunner,
    MultiNodeCheckpointManager,
    UploadTaskGroupBuilder,
    db_name,
    epoch_limiter,
)
from caffe2.python.net_builder import ops
from caffe2.python.session import LocalSession
from caffe2.python.task import Node, Task


def make_job(epochs, node="n"):
    """A job that doubles 1 in every epoch."""
    with Node(node), Job() as job:
        with job.init_group, Task():
            ops.ConstantFill([], "total", shape=[], value=1.0)
        with Task():
            ops.Add(["total", "total"], ["total"])
        epoch_limiter(job, epochs)
    return job


@pytest.fixture
def session():
    return LocalSession(workspace.C.Workspace())


def total(session):
    return session._ws.blobs["total"].fetch()


class Handler:
    """Remembers what managers say."""

    def __init__(self, epoch=None, accessible=True):
        self.epoch, self.accessible, self.written, self.reports = epoch, accessible, [], []

    def set_params(self, **params):
        self.params = params

    def last_epoch(self, user_epoch=None):
        return self.epoch if user_epoch is None else user_epoch

    def write(self, epoch):
        self.written.append(epoch)

    def cp_accessible(self, epoch):
        return self.accessible

    def report(self, action, stats):
        self.reports.append((action, stats))


def test_paths():
    assert db_name(3, "n", "folder") == "folder/n.3"
    assert db_name(3, "n", "folder", path_prefix="elsewhere_") == "elsewhere_n.3"


def test_a_job_stops_after_its_epochs(session):
    assert JobRunner(make_job(3)).train(session) == 3
    assert total(session) == 8


def test_a_job_goes_on_from_any_epoch(session, tmp_path):
    handler = Handler()
    manager = CheckpointManager(str(tmp_path), "n", "minidb", metadata_handler=handler)
    job = make_job(4)
    assert JobRunner(job, manager).train(session) == 4
    assert handler.written == [0, 1, 2, 3, 4]
    assert handler.params["node_names"] == ["n"]
    assert {action for action, _ in handler.reports} == {"checkpoint_save"}
    assert all(stats[str(tmp_path / f"n.{k}")] > 0 for k, (_, stats) in enumerate(handler.reports))

    for epoch in (1, 2):
        again = LocalSession(workspace.C.Workspace())
        manager = CheckpointManager(str(tmp_path), "n", "minidb", metadata_handler=Handler(epoch))
        assert JobRunner(job, manager).train(again) == 4
        assert total(again) == 16


def test_several_nodes(session, tmp_path):
    def job():
        with Job() as job:
            for node in ("a", "b"):
                with job.init_group, Task(node=node):
                    ops.ConstantFill([], f"on_{node}", shape=[1], value=1.0)
            with Task(node="a"):
                ops.Add(["on_a", "on_a"], ["on_a"])
            epoch_limiter(job, 2)
        return job

    def runner():
        return JobRunner(job(), MultiNodeCheckpointManager(str(tmp_path), "minidb"))

    first = runner()
    assert sorted(first.job.nodes_to_checkpoint()) == ["a", "b", "local"]
    first.train(session)
    assert first.checkpoint_manager.get_ckpt_db_name("b", 2) == str(tmp_path / "b.2")
    assert first.checkpoint_manager.get_ckpt_db_name("c", 2) is None
    other = LocalSession(workspace.C.Workspace())
    assert runner().load_blobs_from_checkpoints(["on_a", "on_b"], 1, other)
    assert [other._ws.blobs[name].fetch().item() for name in ("on_a", "on_b")] == [2, 1]
    assert not runner().load_blobs_from_checkpoints(["on_a"], 9, other)


def test_saving_that_fails_does_not_stop_a_job(session, tmp_path, caplog):
    manager = CheckpointManager(str(tmp_path / "no" / "such"), "n", "minidb")
    assert JobRunner(make_job(2), manager).train(session) == 2
    assert "saving after epoch 2 failed" in caplog.text
    assert total(session) == 4


def test_a_place_that_cannot_be_reached(session, tmp_path, caplog):
    manager = CheckpointManager(str(tmp_path), "n", "minidb", metadata_handler=Handler(accessible=False))
    JobRunner(make_job(1), manager).train(session)
    assert list(tmp_path.iterdir()) == []
    assert "cannot be reached" in caplog.text


def test_groups_at_the_end_of_a_job(session):
    class Upload(UploadTaskGroupBuilder):
        def build(self, epoch, checkpoint_manager):
            return core.Net("upload") if epoch == 1 else None

    job = make_job(1)
    with job.exit_group, Task(node="n"):
        ops.Copy("total", "result")
    job.compile(LocalSession)
    workspace_ = session._ws
    workspace_.create_blob("result")
    assert JobRunner(job, upload_task_group_builder=Upload()).train(session) == 1
    assert workspace_.blobs["result"].fetch() == np.float32(2)


def test_without_a_manager(session):
    with pytest.raises(ValueError, match="Checkpoint manager"):
        JobRunner(make_job(1)).save_checkpoints(1, session)
    with pytest.raises(AssertionError, match="stop condition"):
        make_job(1).add_stop_condition("no blob")
