"""A reader that saves what it reads in a database file, and reads from there where the file exists."""

from __future__ import annotations

import os
from typing import Any

from caffe2.python._core.net import Net
from caffe2.python._core.step import ExecutionStep, execution_step
from caffe2.python._misuse import demand
from caffe2.python.dataio import Reader
from caffe2.python.db_file_reader import DBFileReader
from caffe2.python.pipeline import pipe
from caffe2.python.schema import Field
from caffe2.python.scope import NameScope
from caffe2.python.task import Cluster, TaskGroup


class CachedReader(DBFileReader):
    """Reads the records of a file that `build_cache_step` fills from another reader, where it is not there yet."""

    default_name_suffix = "cached_reader"

    def __init__(
        self,
        original_reader: Reader,
        db_path: str,
        db_type: str = "LevelDB",
        name: str | None = None,
        batch_size: int = 100,
        loop_over: bool = False,
    ) -> None:
        demand(original_reader is not None, "original_reader can't be None")
        self.original_reader = original_reader
        super().__init__(db_path, db_type, name, batch_size, loop_over)

    def _init_reader_schema(self, *args: Any, **kwargs: Any) -> Field:
        return self.original_reader._schema

    def build_cache_step(self, overwrite: bool = False) -> ExecutionStep:
        """The step that fills the file; an empty one where the file is there, unless `overwrite`."""
        if os.path.exists(self.db_path) and not overwrite:
            return execution_step("build_step", [])
        init_net, save_net = Net("init"), Net("save")
        self._init_field_blobs_as_empty(init_net)
        with Cluster(), NameScope(self.name), TaskGroup() as group:
            pipe(self.original_reader, self.ds.writer(), num_threads=16)
            copy_step = group.to_task().get_step()
        self._save_field_blobs_to_db_file(save_net)
        return execution_step("build_cache", [init_net, copy_step, save_net])

    def _save_field_blobs_to_db_file(self, net: Net) -> None:
        net.Save(
            self.ds.get_blobs(),
            [],
            db=self.db_path,
            db_type=self.db_type,
            blob_name_overrides=self.ds.field_names(),
            absolute_path=True,
        )
