"""Layers that may be trained with other parameters than they predict with, such as a sample of the rows."""

from __future__ import annotations

import abc
from typing import Any

from caffe2.python import core
from caffe2.python._misuse import demand


class SamplingTrainableMixin(abc.ABC):
    """A layer whose operators `_add_ops` appends for parameters that it is given."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._train_param_blobs: list[Any] | None = None
        self._train_param_blobs_frozen = False

    @property
    @abc.abstractmethod
    def param_blobs(self) -> list[core.BlobReference]:
        """The parameters that predict."""

    @property
    def train_param_blobs(self) -> list[Any]:
        """The parameters that are trained, by default those that predict; to be set once, before they are read."""
        if self._train_param_blobs is None:
            self.train_param_blobs = self.param_blobs
        return self._train_param_blobs

    @train_param_blobs.setter
    def train_param_blobs(self, blobs: list[Any]) -> None:
        demand(not self._train_param_blobs_frozen, "the parameters to train are settled")
        demand(blobs is not None, "the parameters to train are a list of blobs")
        self._train_param_blobs_frozen = True
        self._train_param_blobs = blobs

    @abc.abstractmethod
    def _add_ops(self, net: core.Net, param_blobs: list[Any]) -> None:
        """Append the operators, with these parameters."""

    def add_ops(self, net: core.Net) -> None:
        """Append the operators with the parameters that predict."""
        self._add_ops(net, self.param_blobs)

    def add_train_ops(self, net: core.Net) -> None:
        """Append the operators with the parameters that are trained."""
        self._add_ops(net, self.train_param_blobs)
