import threading

import pytest

from caffe2.python import parallel_workers


@pytest.fixture
def coordinator(monkeypatch):
    own = parallel_workers.GlobalWorkerCoordinator()
    monkeypatch.setattr(parallel_workers, "global_coordinator", own)
    yield own
    own.stop()


def test_every_worker_is_called_until_stopped(coordinator):
    seen, both = set(), threading.Event()

    def work(worker_id):
        seen.add(worker_id)
        if len(seen) == 2:
            both.set()

    assert parallel_workers.init_workers(work) is coordinator
    coordinator.start()
    assert both.wait(10)
    assert coordinator.stop()
    assert seen == set(coordinator.get_worker_ids()) == {0, 1}


def test_init_and_shutdown(coordinator):
    calls = []
    parallel_workers.init_workers(
        lambda worker_id: None,
        init_fun=lambda group, whole: calls.append((group.get_worker_ids(), whole)),
        shutdown_fun=lambda: calls.append("shutdown"),
    )
    coordinator.start()
    coordinator.stop()
    assert calls == [([0, 1], coordinator), "shutdown"]


def test_an_error_stops_the_group(coordinator, caplog):
    def fail(worker_id):
        raise KeyError("no such record")

    parallel_workers.init_workers(fail, num_worker_threads=1, worker_name="faulty")
    (group,) = coordinator._coordinators
    coordinator.start()
    assert coordinator.stop()
    assert not group.is_active()
    assert "no such record" in caplog.text


def test_groups_stop_by_name(coordinator):
    for name in ("train", "test"):
        parallel_workers.init_workers(lambda worker_id: None, worker_name=name)
    coordinator.start()
    coordinator.stop_coordinator("test")
    assert [group._worker_name for group in coordinator._coordinators] == ["train"]
    assert coordinator._coordinators[0].is_active()


def test_workers_that_never_started_stop(coordinator):
    parallel_workers.init_workers(lambda worker_id: None)
    assert coordinator.stop()


def test_metrics_are_logged(coordinator):
    class Logger:
        def log(self, metrics):
            self.metrics = dict(metrics)

    logger = Logger()
    metrics = parallel_workers.Metrics([logger])
    metrics.put_metric("rows", 3)
    metrics.put_metric("rows", 4)
    metrics.put_metric("seconds", 0.5, count=False)
    metrics.log_metrics()
    assert logger.metrics == {"rows": 7, "rows_count": 2, "seconds": 0.5}
