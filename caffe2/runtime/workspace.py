"""Workspaces: blobs by name, and the nets that were made on them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakValueDictionary

import torch

from caffe2.opdef import did_you_mean
from caffe2.proto import caffe2_pb2
from caffe2.runtime.bind import bind
from caffe2.runtime.blob import Blob
from caffe2.runtime.device import CPU
from caffe2.runtime.errors import MissingBlob, NetError, located
from caffe2.runtime.net import Net, Watcher, make_net
from caffe2.runtime.values import kind, to_python, to_value


class Workspace:
    """Named blobs and named nets.

    A child sees the blobs of its parent and makes its own; with `forwarded`, a mapping of its names to its parent's,
    it sees those alone. Relative paths of files start at `root`.
    """

    def __init__(
        self, parent: Workspace | None = None, forwarded: Mapping[str, str] | None = None, root: str | None = None
    ) -> None:
        self.root = root if root is not None else parent.root if parent else "."
        self._cells: dict[str, Blob] = {}
        self._removed: WeakValueDictionary[str, Blob] = WeakValueDictionary()  # those that nets still hold
        self._nets: dict[str, Net] = {}
        self._parent = parent if forwarded is None else None
        self._lock = threading.RLock()
        self.changes = parent.changes if parent else Changes()
        self.failed_position = 0  # of the operator that failed last, in its net
        self._shared: set[str] = set()  # names of cells that are another workspace's
        for name, source in (forwarded or {}).items():
            self.share(name, parent.require(source))

    # Blobs

    def names(self) -> list[str]:
        """Names of all blobs in sight, in order."""
        return sorted(set(self._cells) | set(self._parent.names() if self._parent else ()))

    def local_names(self) -> list[str]:
        """Names of the blobs that are this workspace's own."""
        return sorted(self._cells)

    def __contains__(self, name: str) -> bool:
        return name in self._cells or (self._parent is not None and name in self._parent)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def find(self, name: str) -> Blob | None:
        """The cell of a name; None where there is none."""
        cell = self._cells.get(name)
        return cell if cell is not None or self._parent is None else self._parent.find(name)

    def cell(self, name: str) -> Blob:
        """The cell of a name, made where there is none."""
        found = self.find(name)
        if found is None:
            with self._lock:
                found = self._cells.setdefault(name, self._removed.pop(name, None) or Blob(name))
        return found

    def local(self, name: str) -> Blob:
        """The cell of a name in this workspace itself, made where there is none, whatever the parent holds."""
        with self._lock:
            return self._cells.setdefault(name, Blob(name))

    def require(self, name: str, wanted_by: Any = None) -> Blob:
        """The cell of a name. Raises MissingBlob, suggesting near names."""
        found = self.find(name)
        if found is None:
            head = f"{wanted_by}\n  " if wanted_by else ""
            raise MissingBlob(f"{head}there is no blob {name!r} in the workspace{did_you_mean(name, self.names())}")
        return found

    def share(self, name: str, cell: Blob) -> None:
        """Make a name mean a cell of another workspace."""
        self._cells[name] = cell
        self._shared.add(name)

    def feed(self, name: str, value: Any, device: torch.device = CPU) -> None:
        """Put a value into a blob, made where there is none. Arrays and tensors are copied to `device`."""
        self.put(name, to_value(value, device))

    def put(self, name: str, new: Any) -> None:
        """Make a value that of a blob, as it is, without a copy."""
        cell = self.cell(name)
        if kind(cell.value) != kind(new):
            self.changes.fed()
        cell.value = new

    def fetch(self, name: str) -> Any:
        """The value of a blob: tensors as NumPy arrays. Raises MissingBlob where there is none or it holds nothing."""
        cell = self.require(name)
        if cell.value is None:
            raise MissingBlob(f"the blob {name!r} holds nothing yet")
        return to_python(cell.value)

    def remove(self, name: str) -> bool:
        """Take a blob out of the workspace; whether there was one. Nets find it empty, until it is made again."""
        with self._lock:
            cell = self._cells.pop(name, None)
            if cell is None:
                return False
            if name not in self._shared:
                cell.value = None
                self._removed[name] = cell
        self.changes.fed()
        return True

    def reset(self) -> None:
        """Take out every blob and every net; whoever waits at a queue in a blob is woken."""
        for cell in self._cells.values():
            close = getattr(cell.value, "close", None)
            if close is not None:
                close()
        for name in self.net_names():
            self.delete_net(name)
        self._cells.clear()
        self.changes.fed()

    # Nets

    def bind_net(self, net: caffe2_pb2.NetDef) -> Net:
        """A net bound to this workspace, without a name in it. A net that cannot be bound leaves no blob behind."""
        with self._lock, self._as_it_was():
            return make_net(net, self)

    @contextmanager
    def _as_it_was(self) -> Iterator[None]:
        """Where what is done within fails, take out the blobs that it made and never filled."""
        before = set(self._cells)
        try:
            yield
        except Exception:
            for name in set(self._cells) - before:
                if (cell := self._cells.get(name)) is not None and cell.value is None:
                    self.remove(name)
            raise

    def create_net(self, net: caffe2_pb2.NetDef, overwrite: bool = False) -> Net:
        """Make a net under its name. Raises NetError where the name is taken and may not be overwritten."""
        if not net.HasField("name"):
            raise NetError("a net needs a name to be created; give NetDef.name, or run it once")
        if net.name in self._nets and not overwrite:
            raise NetError(f"a net {net.name!r} exists already; pass overwrite=True to put another in its place")
        made = self.bind_net(net)
        self.delete_net(net.name)
        self._nets[net.name] = made
        return made

    def net(self, name: str) -> Net:
        """The net of a name. Raises NetError, suggesting near names."""
        try:
            return self._nets[name]
        except KeyError:
            raise NetError(f"no net is named {name!r}{did_you_mean(name, self._nets)}; create it first") from None

    def net_names(self) -> list[str]:
        """Names of the nets made here."""
        return list(self._nets)

    def delete_net(self, name: str) -> None:
        """Forget a net."""
        net = self._nets.pop(name, None)
        if net is not None:
            net.close()

    def run_net(self, name: str, times: int = 1) -> None:
        """Run a net made here, `times` times."""
        net = self.net(name)
        for _ in range(times):
            net.run()

    def run_net_once(self, net: caffe2_pb2.NetDef) -> None:
        """Bind a net, run it and forget it. A failure leaves no empty blob behind."""
        with self._as_it_was():
            bound = self.bind_net(net)
            try:
                bound.run()
            finally:
                bound.close()

    def run_operator_once(self, op: caffe2_pb2.OperatorDef) -> None:
        """Bind one operator, run it and forget it. A failure leaves no empty blob behind."""
        with self._as_it_was():
            step = bind(op, self)
            try:
                step.checked()
            except Exception as error:
                raise (failed := located(error, step, f"on {step.device}")) from failed.__cause__
            finally:
                step.close()


class Changes:
    """What bound nets watch for: `count` moves when they have to look at their inputs anew.

    It moves with every feed that gives a blob another element type, rank or device. While someone watches operators
    run, it holds a number that no net has seen, so that every net takes the careful way, on which watchers are told.
    """

    __slots__ = ("_feeds", "_lock", "count", "watchers")

    WATCHED = -2

    def __init__(self) -> None:
        self.count = self._feeds = 0
        self.watchers: list[Watcher] = []
        self._lock = threading.Lock()

    def fed(self) -> None:
        """Have every net look at its inputs before its next run."""
        with self._lock:
            self._feeds += 1
            self.count = self.WATCHED if self.watchers else self._feeds

    @contextmanager
    def watched_by(self, watchers: Sequence[Watcher]) -> Iterator[None]:
        """Have watchers told of every operator that runs within the block."""
        with self._lock:
            self.watchers = [*self.watchers, *watchers]
            self.count = self.WATCHED
        try:
            yield
        finally:
            with self._lock:
                self.watchers = [w for w in self.watchers if w not in watchers]
                self.count = self.WATCHED if self.watchers else self._feeds
