"""Pruning while training: masks of the elements of parameters that stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from caffe2.python import core
from caffe2.python._misuse import demand
from caffe2.python._optimizer.optimizer import Optimizer

_DEFAULTS: dict[str, Any] = {
    "mask_tensor": None,
    "mask_db_path": None,
    "mask_db_type": None,
    "mask_blob_name": None,
    "prune_delays": (),
    "prune_ratios": (),
    "prune_block_size": 1,
}


class Pruning(Optimizer):
    """An optimizer that may keep the masked elements of parameters at 0.

    pruning_options: a dictionary with one of
        mask_tensor: the mask, an array;
        mask_db_path, mask_db_type, mask_blob_name: a database that holds it, and its name there, by default PARAM_mask;
        prune_delays, prune_ratios: after how many runs which share of the smallest blocks of `prune_block_size`
            elements is masked, for dense gradients alone.
    """

    def __init__(self, pruning_options: Mapping[str, Any] | None) -> None:
        super().__init__()
        demand(
            pruning_options is None or isinstance(pruning_options, dict),
            f"pruning options are a dictionary, not {pruning_options!r}",
        )
        options = pruning_options or {}
        for name, default in _DEFAULTS.items():
            setattr(self, name, options.get(name, list(default) if default == () else default))
        by_db = (self.mask_db_path, self.mask_db_type)
        tensor = self.mask_tensor
        demand(tensor is None or type(tensor) is np.ndarray, "mask_tensor must be a numpy array")
        demand(
            tensor is None or (by_db == (None, None) and self.mask_blob_name is None),
            "a mask is given by an array or by a database, not by both",
        )
        demand((by_db[0] is None) == (by_db[1] is None), "a mask from a database needs mask_db_path and mask_db_type")
        if self.prune_delays:
            lengths = len(self.prune_delays), len(self.prune_ratios or ())
            demand(lengths[0] == lengths[1], f"there are {lengths[0]} prune_delays but {lengths[1]} prune_ratios")
            demand(tensor is None and by_db == (None, None), "a mask is given or made by prune_ratios, not both")
        self.use_mask = tensor is not None or by_db != (None, None) or bool(self.prune_delays)

    def _mask(self, param_init_net: core.Net, param: core.BlobReference, sparse: bool) -> list[core.BlobReference]:
        """The blobs of a mask: itself, and whether it changed, for a sparse gradient, or when, for a delay."""
        if not self.use_mask:
            return []
        if self.prune_delays:
            demand(not sparse, f"parameter {param}: prune delays are not implemented for sparse gradients")
            last = {"value": -1, "dtype": core.DataType.INT64, "shape": [1]}
            updated = param_init_net.ConstantFill([], [f"{param}_last_mask_updated_iter"], **last)
            none = {"values": [], "dtype": core.DataType.FLOAT, "shape": [0]}
            return [param_init_net.GivenTensorFill([], [f"{param}_empty_mask"], **none), updated]
        if self.mask_tensor is None:
            name = self.mask_blob_name or f"{param}_mask"
            source = {"db": self.mask_db_path, "db_type": self.mask_db_type, "absolute_path": True}
            mask = param_init_net.Load([], name, **source)
        else:
            mask = self._given_mask(param_init_net, f"{param}_mask", sparse)
        if not sparse:
            return [mask]
        unchanged = {"value": False, "dtype": core.DataType.BOOL, "shape": [1]}
        return [mask, param_init_net.ConstantFill([], [f"{param}_mask_changed_blob"], **unchanged)]

    def _given_mask(self, param_init_net: core.Net, name: str, sparse: bool) -> core.BlobReference:
        tensor = self.mask_tensor
        if not sparse:
            return param_init_net.GivenTensorFill([], [name], values=tensor, shape=tensor.shape)
        mask = param_init_net.GivenTensorBoolFill([], [name], values=tensor.astype(np.uint8), shape=tensor.shape)
        return param_init_net.Cast(mask, to=core.DataType.UINT8)

    def _pruning_blobs(self, mask: list[Any], iteration: Any) -> tuple[list[Any], list[Any]]:
        """Further inputs and outputs of a masked dense update."""
        if not self.prune_delays:
            return mask, []
        tensor, updated = mask
        return [tensor, iteration, updated], [tensor, updated]

    def _pruning_arguments(self) -> dict[str, Any]:
        return {
            "block_size": self.prune_block_size,
            "delays": self.prune_delays,
            "prune_ratios": self.prune_ratios,
        }
