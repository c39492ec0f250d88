"""Queues of blobs, between nets that run at the same time."""
