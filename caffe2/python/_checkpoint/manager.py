"""Managers that build the tasks which save the blobs of a node, or of several, after an epoch, and load them again."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from caffe2.python import core
from caffe2.python._misuse import demand
from caffe2.python.net_builder import ops
from caffe2.python.task import Node, Task, TaskGroup, TaskOutput, WorkspaceType, final_output

logger = logging.getLogger("caffe2.python.checkpoint")


def get_ckpt_filename(node_name: str, epoch: int) -> str:
    """The name of the database of a node after an epoch."""
    return f"{node_name}.{epoch}"


def db_name(epoch: int, node_name: str, db_prefix: str, path_prefix: str | None = None) -> str:
    """The path of that database: in the folder `db_prefix`, or with `path_prefix` right before its name."""
    name = get_ckpt_filename(node_name, epoch)
    return path_prefix + name if path_prefix else os.path.join(db_prefix, name)


class Metadata:
    """What managers keep elsewhere than in databases, with a handler that knows where, or not at all."""

    def __init__(self, db_prefix: str, db_type: str, metadata_handler: Any = None) -> None:
        self._db_prefix = db_prefix
        self._db_type = db_type
        self._metadata_handler = metadata_handler
        self._path_prefix: str | None = None
        self._path_type: str | None = None

    def write_checkpoint_metadata(self, epoch: int) -> None:
        """Tell the handler that the blobs after an epoch are saved."""
        if self._metadata_handler is not None:
            self._metadata_handler.write(epoch=epoch)

    def get_resume_from_epoch_id(self, user_epoch: int | None = None) -> int | None:
        """The epoch to go on from, as the handler says; without one, `user_epoch`."""
        handler = self._metadata_handler
        return user_epoch if handler is None else handler.last_epoch(user_epoch=user_epoch)

    def set_params(self, nodes: Sequence[Any], path_prefix: str | None = None, path_type: str | None = None) -> None:
        """Tell the handler where the blobs of which nodes are saved."""
        self._path_prefix = path_prefix or self._path_prefix
        self._path_type = path_type or self._path_type
        if self._metadata_handler is not None:
            self._metadata_handler.set_params(
                db_prefix=self._db_prefix,
                db_type=self._db_type,
                node_names=self._names(nodes),
                path_prefix=self._path_prefix,
                path_type=self._path_type,
            )

    def _names(self, nodes: Sequence[Any]) -> list[str]:
        return [str(node) for node in nodes]

    def cp_accessible(self, epoch: int | None = None) -> bool:
        """Whether the blobs after an epoch, or the folder, can be reached, as the handler says."""
        return True if self._metadata_handler is None else self._metadata_handler.cp_accessible(epoch)

    def report_checkpoint_stats(self, action_name: str) -> None:
        """Tell the handler how long each database took to be saved or loaded, in nanoseconds."""
        stats: dict[str, Any] = {}
        self.collect_checkpoint_stats(stats)
        if self._metadata_handler is not None:
            self._metadata_handler.report(action_name, stats)

    def collect_checkpoint_stats(self, stats: dict[str, Any]) -> None:
        """Add the times by database to `stats`."""
        raise NotImplementedError


class CheckpointManager(Metadata):
    """Builds the tasks that save and load all blobs of one node."""

    BLOB_NAMES: ClassVar[str] = "blob_names"

    def __init__(self, db_prefix: str, node_name: str, db_type: str, metadata_handler: Any = None) -> None:
        super().__init__(db_prefix, db_type, metadata_handler)
        self._node_name = node_name
        # The name sorts before those of blobs, so that the list of them comes first in the database.
        self._net = core.Net("!!checkpoint_mngr")
        self._blob_names = self._net.AddExternalInput(self.BLOB_NAMES)
        self._names_output: TaskOutput | None = None
        self._current_db_name: str | None = None
        self._current_checkpoint_duration: TaskOutput | None = None

    def _names(self, nodes: Sequence[Any]) -> list[str]:
        return [str(self._node_name)]

    def _db(self, epoch: int, path_prefix: str | None = None) -> str:
        return db_name(epoch, self._node_name, self._db_prefix, path_prefix)

    def init(
        self,
        nodes: Sequence[Any] | None = None,
        retrieve_from_epoch: int | None = None,
        path_prefix: str | None = None,
        path_type: str | None = None,
    ) -> Task:
        """The task that finds out which blobs to save: all there are, or those that were saved after an epoch."""
        demand(nodes is None or len(nodes) == 1, "CheckpointManager only supports single node.")
        with Task(outputs=[self._blob_names]) as task:
            if retrieve_from_epoch is None:
                ops.GetAllBlobNames([], self._blob_names, include_shared=False)
            else:
                db = self._db(retrieve_from_epoch, path_prefix)
                logger.info("taking the names of blobs from %s", db)
                self._load(self._blob_names, db, path_type, keep_device=True)
        self._names_output = task.outputs()[0]
        return task

    def _load(self, blobs: Any, db: str, path_type: str | None = None, **args: Any) -> None:
        ops.Load([], blobs, db=db, db_type=path_type or self._db_type, absolute_path=True, **args)

    def blob_list(self) -> list[Any]:
        """The names of the blobs to save, once the task of `init` has run."""
        demand(self._names_output, "init must be called first.")
        return self._names_output.fetch().tolist()

    def _timed_task(self, name: str, db: str, add_op: Callable[[], object]) -> Task:
        logger.info("%s: %s", name, db)
        self._current_db_name = db
        with Task(name=name) as task:
            with ops.task_init():
                timer = ops.TimerBegin([], counter_name=self._node_name)
            add_op()
            with ops.task_exit():
                duration = ops.TimerGetAndEnd(timer)
            self._current_checkpoint_duration = final_output(duration)
        return task

    def collect_checkpoint_stats(self, stats: dict[str, Any]) -> None:
        """Add the time of the last save or load to `stats`, by its database."""
        if self._current_db_name and self._current_checkpoint_duration:
            stats[self._current_db_name] = self._current_checkpoint_duration.fetch()[0]
        else:
            logger.info("nothing was saved or loaded yet")

    def load(self, epoch: int, path_prefix: str | None = None, path_type: str | None = None) -> Task:
        """The task that loads all blobs as they were after an epoch."""
        db = self._db(epoch, path_prefix)
        return self._timed_task(
            "checkpoint_load", db, lambda: self._load(self.blob_list(), db, path_type, keep_device=True)
        )

    def load_blobs_from_checkpoint(self, blob_names: Sequence[str], epoch: int) -> Task:
        """The task that loads some blobs, those that were saved, as they were after an epoch."""
        db = self._db(epoch)
        return self._timed_task(
            "checkpoint_partial_load", db, lambda: self._load(blob_names, db, allow_incomplete=True)
        )

    def check_db_exists(self, epoch: int) -> Task:
        """The task whose output is whether blobs were saved after an epoch."""
        with Task() as task:
            existence = ops.Const(False)
            ops.DBExists([], [existence], db_name=self._db(epoch), db_type=self._db_type, absolute_path=True)
            task.add_output(existence)
        return task

    def save(self, epoch: int) -> Task:
        """The task that saves all blobs after an epoch."""
        db = self._db(epoch)
        args = {"db": db, "db_type": self._db_type, "absolute_path": True}
        return self._timed_task("checkpoint_save", db, lambda: ops.Save(self.blob_list(), [], **args))


class MultiNodeCheckpointManager(Metadata):
    """Builds the task groups that save and load all blobs of several nodes, each in a database of its own."""

    def __init__(self, db_prefix: str, db_type: str, metadata_handler: Any = None) -> None:
        super().__init__(db_prefix, db_type, metadata_handler)
        self._node_managers: list[tuple[Any, CheckpointManager]] | None = None

    def _managers(self, nodes: Sequence[Any]) -> list[tuple[Any, CheckpointManager]]:
        """The managers of the nodes, which are made once."""
        if self._node_managers is None:
            self._node_managers = []
            for node in nodes:
                with Node(node):
                    manager = CheckpointManager(self._db_prefix, str(node), self._db_type)
                self._node_managers.append((node, manager))
        known = [node for node, _ in self._node_managers]
        demand(known == list(nodes), f"the manager was made for the nodes {known}, not for {list(nodes)}")
        return self._node_managers

    def _task_group(self, func: Callable[..., object], *args: Any, **kw: Any) -> TaskGroup:
        demand(self._node_managers is not None, "init must be called first.")
        with TaskGroup(WorkspaceType.GLOBAL) as group:
            for node, manager in self._node_managers:
                with Node(node):
                    func(manager, *args, **kw)
        return group

    def init(
        self,
        nodes: Sequence[Any],
        retrieve_from_epoch: int | None = None,
        path_prefix: str | None = None,
        path_type: str | None = None,
    ) -> TaskGroup:
        """The tasks of CheckpointManager.init for each node; none when they were made before."""
        before = self._node_managers is not None
        self._managers(nodes)
        if before:
            return TaskGroup(WorkspaceType.GLOBAL)
        where = {"path_prefix": path_prefix, "path_type": path_type}
        return self._task_group(CheckpointManager.init, retrieve_from_epoch=retrieve_from_epoch, **where)

    def load(self, epoch: int, path_prefix: str | None = None, path_type: str | None = None) -> TaskGroup:
        """The tasks that load all blobs as they were after an epoch."""
        return self._task_group(CheckpointManager.load, epoch, path_prefix=path_prefix, path_type=path_type)

    def load_blobs_locally(self, nodes: Sequence[Any], blob_names: Sequence[str], epoch: int, session: Any) -> bool:
        """Load some blobs of all nodes here, as they were after an epoch; False where a node has saved none."""
        for _, manager in self._managers(nodes):
            existence = manager.check_db_exists(epoch)
            session.run(existence)
            if not existence.outputs()[0].fetch():
                logger.info("there is no database %s", manager._db(epoch))
                return False
            session.run(manager.load_blobs_from_checkpoint(blob_names, epoch))
        return True

    def get_ckpt_db_name(self, node_name: str, epoch: int) -> str | None:
        """The path of the database of a node after an epoch; None for a node that is not among them."""
        names = {str(node): manager._db(epoch) for node, manager in self._node_managers or ()}
        return names.get(node_name)

    def collect_checkpoint_stats(self, stats: dict[str, Any]) -> None:
        """Add the time of each node's last save or load to `stats`, by its database."""
        for _, manager in self._node_managers or ():
            manager.collect_checkpoint_stats(stats)

    def save(self, epoch: int) -> TaskGroup:
        """The tasks that save all blobs after an epoch."""
        return self._task_group(CheckpointManager.save, epoch)
