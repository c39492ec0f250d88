"""Ending a process whose call does not return, as one that waits for a stuck device."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger("timeout_guard")

GRACE_SECS = 10.0
"""How long the process may take to end after it was interrupted."""


class WatcherThread(threading.Thread):
    """Ends the process unless `complete` is called within `timeout_secs` of the start.

    The process is interrupted as by Ctrl-C, after the stacks of all threads were written to stderr; one that is still
    alive ten seconds later is aborted, even if it caught the interrupt.
    """

    def __init__(self, timeout_secs: float) -> None:
        super().__init__(daemon=True)
        self.timeout_secs = timeout_secs
        self.caller_thread = threading.current_thread()
        self._done = threading.Event()

    @property
    def completed(self) -> bool:
        """Whether the watched call has returned."""
        return self._done.is_set()

    def complete(self) -> None:
        """Call the watch off."""
        self._done.set()

    def run(self) -> None:
        if self._done.wait(self.timeout_secs):
            return
        log.error("a call did not return within %s s in process %d", self.timeout_secs, os.getpid())
        self._write_stacks()
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(GRACE_SECS)
        log.error("process %d did not end within %s s of its interrupt: aborting it", os.getpid(), GRACE_SECS)
        self._write_stacks()
        os.abort()

    def _write_stacks(self) -> None:
        print(f"The call was made by {self.caller_thread}", file=sys.stderr)
        for ident, frame in sys._current_frames().items():
            print(f"\nThread {ident}:\n{''.join(traceback.format_stack(frame))}", file=sys.stderr, flush=True)


@contextmanager
def CompleteInTimeOrDie(timeout_secs: float) -> Iterator[None]:
    """End the process when the block takes longer than `timeout_secs`."""
    watcher = WatcherThread(timeout_secs)
    watcher.start()
    try:
        yield
    finally:
        watcher.complete()


def EuthanizeIfNecessary(timeout_secs: float = 120) -> None:
    """End the process when it still runs after `timeout_secs`; to be called as the last act of a program."""
    WatcherThread(timeout_secs).start()
