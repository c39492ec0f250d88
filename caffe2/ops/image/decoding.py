"""Batches of records that are decoded on several threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

from caffe2.ops.io.records import Prefetch
from caffe2.runtime.db.reader import DBReader


class Decoding(Prefetch):
    """Base of operators that make a batch of records, each decoded on a thread: `_one` makes something of it."""

    batch_size: int = 0
    generator: torch.Generator

    _threads: ThreadPoolExecutor | None = None

    def _one(self, entry: tuple[bytes, bytes], seed: int) -> Any:
        """What a record, its key and content, becomes; chance follows the seed."""
        raise NotImplementedError

    def decoded(self, source: DBReader, threads: int) -> list[Any]:
        """The next records, each as `_one` makes it, on so many threads."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(threads, "decoding")
        records = [source.read() for _ in range(self.batch_size)]
        seeds = torch.randint(2**62, (self.batch_size,), generator=self.generator).tolist()
        return list(self._threads.map(self._one, records, seeds))

    def close(self) -> None:
        super().close()
        if self._threads is not None:
            self._threads.shutdown()
