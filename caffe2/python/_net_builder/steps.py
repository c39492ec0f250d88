"""Builders that become steps: loops and branches."""

from __future__ import annotations

from typing import Any

from caffe2.python import core
from caffe2.python._misuse import demand
from caffe2.python._net_builder.builder import NetBuilder, const, current_net


class RunOnce(NetBuilder):
    """Runs once, although its step, as any that may be stopped, is a loop."""

    def _finish(self) -> None:
        if self._stop_blob is not None:
            self.stop_if(const(True))


class StopGuard(RunOnce):
    """Runs once and tells whether it was stopped early."""

    def __init__(self, has_stopped_blob: Any = None, name: str | None = None) -> None:
        super().__init__(name)
        self._stopped = has_stopped_blob
        self._ran = False

    def __enter__(self) -> StopGuard:
        super().__enter__()
        self._stopped = const(True, blob_out=self._stopped)
        return self

    def _finish(self) -> None:
        self._ran = True
        const(False, blob_out=self._stopped)
        super()._finish()

    def has_stopped(self) -> core.BlobReference:
        """The blob that is true once this was stopped before its end."""
        demand(self._ran, "Context not used yet.")
        return self._stopped


class Loop(NetBuilder):
    """Runs until it is stopped or, with `iters`, a number or a blob, at most so many times."""

    def __init__(self, iters: Any = None, name: str | None = None) -> None:
        super().__init__(name, _stop_blob_required=True)
        self._num_iters = None
        if iters is not None:
            self._inc, self._iter = const(1), const(0)
            self._num_iters = iters if isinstance(iters, core.BlobReference) else const(iters)

    def iter(self) -> core.BlobReference:
        """The count of runs that are done."""
        demand(self._num_iters is not None, "This loop does not have a number of iterations.")
        return self._iter

    def __enter__(self) -> Loop:
        super().__enter__()
        if self._num_iters is not None:
            self.stop_if(current_net().GE([self._iter, self._num_iters]))
        return self

    def _finish(self) -> None:
        if self._num_iters is not None:
            self.current_net().Add([self._iter, self._inc], [self._iter])


class RunIf(RunOnce):
    """Runs if a blob is true, and no branch of the same choice ran before it."""

    def __init__(self, cond_blob: Any = None, name: str | None = None, _already_ran: Any = None) -> None:
        super().__init__(name)
        demand(cond_blob or _already_ran, "a branch needs a condition")
        self._is_else = cond_blob is None
        if _already_ran is None:
            self._else_blob = current_net().Not(cond_blob)
            self._already_ran = const(False)
            return
        self._already_ran = _already_ran
        self._else_blob = _already_ran
        if cond_blob is not None:
            self._else_blob = current_net().Or([_already_ran, current_net().Not(cond_blob)])

    def __enter__(self) -> RunIf:
        super().__enter__()
        self.stop_if(self._else_blob)
        const(True, blob_out=self._already_ran)
        return self

    def Elif(self, cond: Any, name: str | None = None) -> RunIf:
        """The next branch, for where this one and those before did not run."""
        return self._next(cond, name)

    def Else(self, name: str | None = None) -> RunIf:
        """The last branch."""
        return self._next(None, name)

    def _next(self, cond: Any, name: str | None) -> RunIf:
        demand(not self._is_else, "nothing comes after Else")
        return NetBuilder.current().add(RunIf(cond, name=name or self.name, _already_ran=self._already_ran))
