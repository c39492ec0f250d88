import threading

import numpy as np
import pytest

from caffe2.python import data_workers, model_helper, workspace


@pytest.fixture
def source():
    yield "of this test"
    data_workers.global_coordinator.stop_coordinator("of this test")
    data_workers.global_coordinator._queues.pop("of this test", None)


def started(source, fetch, batch_size=4, **args):
    workspace.ResetWorkspace()
    model = model_helper.ModelHelper("fed")
    coordinator = data_workers.init_data_input_workers(
        model, ["data", "label"], fetch, batch_size, input_source_name=source, **args
    )
    coordinator.start()
    workspace.CreateNet(model.net)
    return model.net


def test_chunks_are_cut_and_joined_to_batches_in_order(source):
    count, lock = iter(range(10**9)), threading.Lock()

    def fetch(worker, batch_size):
        with lock:
            values = np.array([next(count) for _ in range(3)])
        return [np.stack([values, values], 1).astype(np.float32), values]

    net = started(source, fetch, num_worker_threads=1)
    for k in range(5):
        workspace.RunNet(net)
        wanted = np.arange(4 * k, 4 * k + 4)
        assert workspace.FetchBlob("label").tolist() == wanted.tolist()
        assert workspace.FetchBlob("data").tolist() == np.stack([wanted, wanted], 1).tolist()


def test_another_dimension_may_count_samples(source):
    net = started(source, lambda worker, n: [np.zeros((2, 3)), np.ones(3)], batch_columns=[1, 0])
    workspace.RunNet(net)
    assert workspace.FetchBlob("data").shape == (2, 4) and workspace.FetchBlob("label").shape == (4,)


def test_batches_as_they_are_fetched(source):
    net = started(source, lambda worker, n: [np.zeros((2, 3)), np.ones(5)], dont_rebatch=True)
    workspace.RunNet(net)
    assert workspace.FetchBlob("data").shape == (2, 3) and workspace.FetchBlob("label").shape == (5,)


def test_arrays_that_do_not_fit_end_the_workers(source, caplog):
    net = started(source, lambda worker, n: [np.zeros(2), np.ones(3)])
    with pytest.raises(RuntimeError, match="DequeueBlobs"):
        workspace.RunNet(net)
    assert "same number of samples" in caplog.text
