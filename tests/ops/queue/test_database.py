"""Queues read as databases."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caffe2.opdef import EnforceNotMet, OperatorFailed
from caffe2.ops.queue.blobs import BlobsQueue
from caffe2.ops.queue.database import create_blobs_queue_db
from caffe2.runtime.db import DatabaseError
from caffe2.runtime.serialize import serialize
from tests.sample import samples


def queue(*records, width=2):
    made = BlobsQueue(8, width)
    for record in records:
        made.put(record)
    return made


@samples("CreateBlobsQueueDB")
def _(rng):
    yield [queue], {"key_blob_index": 0, "value_blob_index": 1}


def test_records():
    reader = create_blobs_queue_db(
        queue((b"k", np.array([b"v"], dtype=object)), (b"l", b"w")), key_blob_index=0, value_blob_index=1
    )
    assert [reader.read(), reader.read()] == [(b"k", b"v"), (b"l", b"w")]


def test_without_a_key_until_it_is_closed():
    source = queue((b"v",), width=1)
    reader = create_blobs_queue_db(source)
    assert reader.read() == (b"", b"v")
    source.close()
    with pytest.raises(OperatorFailed, match="the queue was closed"):
        reader.read()
    with pytest.raises(OperatorFailed, match="time was up"):
        create_blobs_queue_db(queue(), timeout_secs=0.01).read()


def test_refusals():
    with pytest.raises(EnforceNotMet, match="has 2 blobs"):
        create_blobs_queue_db(queue(), value_blob_index=2)
    reader = create_blobs_queue_db(queue((torch.ones(2), b"")))
    with pytest.raises(EnforceNotMet, match="holds strings"):
        reader.read()
    with pytest.raises(DatabaseError):
        reader.db.new_transaction()
    assert b"<queue>" in serialize(reader, "r")
