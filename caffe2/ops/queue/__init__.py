"""Queues of blobs, between nets that run at the same time.

queue, rebatching_queue: a queue.
blobs: the blobs of a record, as many as the queue's records have.
tensors: as many as the queue's elements have.
status: bool, of no dimensions: whether the queue was closed; the blobs then keep what they held.
capacity: how many records, or elements, the queue holds at most.
num_blobs: how many blobs a record, or an element, has.
timeout_secs: how long to wait, in seconds; if not positive, for ever.
"""
