"""Jobs in epochs, with all blobs saved after each, so that a job may go on from there."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from caffe2.python._checkpoint.job import Job, epoch_limiter
from caffe2.python._checkpoint.manager import (
    CheckpointManager,
    MultiNodeCheckpointManager,
    db_name,
    get_ckpt_filename,
)

__all__ = [
    "CheckpointManager",
    "Job",
    "JobRunner",
    "MultiNodeCheckpointManager",
    "UploadTaskGroupBuilder",
    "db_name",
    "epoch_limiter",
    "get_ckpt_filename",
]

logger = logging.getLogger(__name__)


class UploadTaskGroupBuilder:
    """Builds the tasks that copy what was saved to elsewhere; to be derived from."""

    def build(self, epoch: int, checkpoint_manager: Any) -> Any:
        """The task group that copies what `checkpoint_manager` saved after `epoch`."""
        raise NotImplementedError(f"{type(self).__name__} does not define build")


class JobRunner:
    """Runs a job, saving all blobs at its start and after each epoch where it has a manager to do so.

    With `resume_from_epoch`, or a manager that knows of such an epoch, the blobs are loaded as they were after it, and
    the job goes on without its init_group.
    """

    def __init__(
        self,
        job: Job,
        checkpoint_manager: Any = None,
        resume_from_epoch: int | None = None,
        upload_task_group_builder: UploadTaskGroupBuilder | None = None,
    ) -> None:
        self.job = job
        self.checkpoint_manager = checkpoint_manager
        self.resume_from_epoch = resume_from_epoch
        self.upload_task_group_builder = upload_task_group_builder

    def train(self, session: Any) -> int:
        """Run the job to its end in a session; the number of its last epoch, counted from 1."""
        epoch = self._start(session)
        stopped = False
        while not stopped:
            epoch += 1
            logger.info("epoch %d", epoch)
            session.run(self.job.epoch_group)
            stopped = any([bool(output.fetch()) for output in self.job.stop_conditions])
            if self.checkpoint_manager:
                self.save_checkpoints(epoch, session)
        logger.info("stopping after epoch %d", epoch)
        if self.upload_task_group_builder:
            session.run(self.upload_task_group_builder.build(epoch, self.checkpoint_manager))
        session.run(self.job.download_group)
        session.run(self.job.exit_group)
        return epoch

    def _start(self, session: Any) -> int:
        """Initialize the blobs, or load them; the number of the epoch that they are from."""
        manager, nodes = self.checkpoint_manager, self.job.nodes_to_checkpoint()
        if manager:
            manager.set_params(nodes=nodes)
            self.resume_from_epoch = manager.get_resume_from_epoch_id(self.resume_from_epoch)
        epoch = self.resume_from_epoch
        if epoch is None:
            session.run(self.job.init_group)
        if manager:
            session.run(manager.init(nodes, retrieve_from_epoch=epoch))
            if epoch is None:
                self.save_checkpoints(0, session)
            else:
                session.run(manager.load(epoch))
                manager.report_checkpoint_stats("checkpoint_load")
        return epoch or 0

    def load_blobs_from_checkpoints(self, blob_names: Sequence[str], epoch: int, session: Any) -> bool:
        """Load some blobs of all nodes here, as they were after an epoch; False where a node has saved none.

        Raises ValueError without a checkpoint manager.
        """
        manager = self._manager()
        loaded = manager.load_blobs_locally(self.job.nodes_to_checkpoint(), blob_names, epoch, session)
        manager.report_checkpoint_stats("checkpoint_partial_load")
        return loaded

    def save_checkpoints(self, epoch: int, session: Any) -> None:
        """Save all blobs after an epoch; where that fails, the job goes on, with a warning in the log.

        Raises ValueError without a checkpoint manager.
        """
        manager = self._manager()
        try:
            if not manager.cp_accessible(epoch=None):
                logger.warning("nothing is saved: the place for it cannot be reached")
                return
            session.run(manager.save(epoch))
            manager.write_checkpoint_metadata(epoch)
            manager.report_checkpoint_stats("checkpoint_save")
        except Exception:
            logger.warning("saving after epoch %s failed", epoch, exc_info=True)

    def _manager(self) -> Any:
        if not self.checkpoint_manager:
            raise ValueError("Checkpoint manager is None")
        return self.checkpoint_manager
