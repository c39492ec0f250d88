import subprocess
import sys
import threading

import pytest

from caffe2.python import timeout_guard

# a job in the background is started with SIGINT ignored
LATE = """
import signal, time; signal.signal(signal.SIGINT, signal.default_int_handler)
from caffe2.python import timeout_guard
timeout_guard.GRACE_SECS = 0.2
with timeout_guard.CompleteInTimeOrDie(0.2):
    {body}
"""


def run(body):
    return subprocess.run([sys.executable, "-c", LATE.format(body=body)], capture_output=True, text=True, timeout=60)


def test_a_call_in_time_is_left_alone():
    before = threading.active_count()
    with timeout_guard.CompleteInTimeOrDie(60):
        pass
    with pytest.raises(KeyError), timeout_guard.CompleteInTimeOrDie(60):
        raise KeyError
    for thread in threading.enumerate():
        if isinstance(thread, timeout_guard.WatcherThread):
            thread.join(5)
    assert threading.active_count() == before


def test_a_late_call_is_interrupted():
    ended = run("time.sleep(30)")
    assert "KeyboardInterrupt" in ended.stderr
    assert 'File "<string>", line 6' in ended.stderr
    assert ended.returncode != 0


def test_a_process_that_catches_the_interrupt_is_aborted():
    ended = run("\n    ".join(["try:", "    time.sleep(30)", "except KeyboardInterrupt:", "    time.sleep(30)"]))
    assert ended.returncode == -6
