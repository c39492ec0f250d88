"""A reader of records saved in a database file, one blob for each field."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from caffe2.opdef import did_you_mean
from caffe2.python import scope, workspace
from caffe2.python._core.blob_reference import BlobReference
from caffe2.python._core.create import CreateOperator
from caffe2.python._core.net import Net
from caffe2.python._misuse import demand
from caffe2.python.dataio import Reader
from caffe2.python.dataset import Dataset
from caffe2.python.schema import Field, from_column_list
from caffe2.runtime import db


class DBFileReader(Reader):
    """Reads the records of a database file, `batch_size` at a time; with `loop_over` again and again, shuffled.

    db_type: one of the registered kinds, such as minidb. name: goes before the names of blobs; by default that of the
    file and `default_name_suffix`.
    field_names: the names of the scalars, in order; by default those of all blobs in the file, in alphabetic order.
    """

    default_name_suffix = "db_file_reader"

    def __init__(
        self,
        db_path: str,
        db_type: str,
        name: str | None = None,
        batch_size: int = 100,
        loop_over: bool = False,
        field_names: Sequence[str] | None = None,
    ) -> None:
        demand(db_path is not None, "db_path can't be None.")
        known = db.registered()
        hint = did_you_mean(str(db_type), known)
        demand(db_type in known, f"db_type [{db_type}] is not available{hint}; choose one of these: {known}.")
        self.db_path, self.db_type = os.path.expanduser(db_path), db_type
        self.name = name or f"{self._extract_db_name_from_db_path()}_{self.default_name_suffix}"
        self.batch_size, self.loop_over = batch_size, loop_over
        super().__init__(self._init_reader_schema(field_names))
        self.ds = Dataset(self._schema, f"{self.name}_dataset")
        self.ds_reader: Any = None

    def _init_reader_schema(self, field_names: Sequence[str] | None = None) -> Field:
        """The schema of the names given, or of those of all blobs in the file, which are loaded into the workspace."""
        if field_names:
            return from_column_list(field_names)
        with scope.NameScope(self.name):
            prefix = scope.CurrentNameScope()
        load = CreateOperator(
            "Load",
            [],
            [],
            absolute_path=True,
            db=self.db_path,
            db_type=self.db_type,
            load_all=True,
            add_prefix=prefix,
        )
        workspace.RunOperatorOnce(load)
        return from_column_list([name.removeprefix(prefix) for name in workspace.Blobs() if name.startswith(prefix)])

    def setup_ex(self, init_net: Net, finish_net: Net | None) -> None:
        """Append the loading of the file, once, and the making of a cursor and of an order."""
        if self.ds_reader:
            self.ds_reader.setup_ex(init_net, finish_net)
            return
        self._init_field_blobs_as_empty(init_net)
        self._feed_field_blobs_from_db_file(init_net)
        self.ds_reader = self.ds.random_reader(init_net, batch_size=self.batch_size, loop_over=self.loop_over)
        self.ds_reader.sort_and_shuffle(init_net)
        self.ds_reader.computeoffset(init_net)

    def read(self, read_net: Net) -> tuple[BlobReference, list[BlobReference]]:
        """Append the reading of the next batch. Raises Misuse before the set-up."""
        demand(self.ds_reader, "setup_ex must be called first")
        return self.ds_reader.read(read_net)

    def _init_field_blobs_as_empty(self, init_net: Net) -> None:
        with scope.NameScope(self.name):
            self.ds.init_empty(init_net)

    def _feed_field_blobs_from_db_file(self, net: Net) -> None:
        net.Load(
            [],
            self.ds.get_blobs(),
            db=self.db_path,
            db_type=self.db_type,
            absolute_path=True,
            source_blob_names=self.ds.field_names(),
        )

    def _extract_db_name_from_db_path(self) -> str:
        """The name of the file without its folder and its last suffix."""
        return os.path.basename(self.db_path).rsplit(".", 1)[0]
