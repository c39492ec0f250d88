"""Common worlds of a model that is trained by several processes, and the barriers before training."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import numpy as np

from caffe2.python import core, workspace
from caffe2.python._misuse import demand

log = logging.getLogger("data_parallel_model")

_DEFAULT_TIMEOUT_SEC = 30
_DEFAULT_BARRIER_NET_TIMEOUT_SEC = 300

Rendezvous = dict[str, Any]
"""How processes meet: kv_handler, num_shards, shard_id, engine; transport, interface, mpi_rendezvous where needed."""


def _options(rendezvous: Rendezvous, *names: str) -> dict[str, Any]:
    return {name: rendezvous[name] for name in names if name in rendezvous}


def _create(net: Any, blob: str, rendezvous: Rendezvous, name: str, **args: Any) -> Any:
    return net.CreateCommonWorld(
        rendezvous["kv_handler"] or [],
        blob,
        name=name,
        size=rendezvous["num_shards"],
        rank=rendezvous["shard_id"],
        engine=rendezvous["engine"],
        **args,
    )


def _CreateOrCloneCommonWorld(
    net: Any, common_world_blob: str, rendezvous: Rendezvous, name: str | None = None, timeout_sec: float | None = None
) -> Any:
    """A new common world in `net`: a clone of the first one there with the same timeout, if there is one."""
    timeout_ms = (_DEFAULT_TIMEOUT_SEC if timeout_sec is None else timeout_sec) * 1000
    name = name or f"{common_world_blob}_op"
    for op in net.Proto().op:
        given = next((a.i for a in op.arg if a.name == "timeout_ms"), -1)
        if op.type == "CreateCommonWorld" and given == timeout_ms:
            return net.CloneCommonWorld([op.output[0]], common_world_blob, name=name, engine=rendezvous["engine"])
    more = _options(rendezvous, "transport", "interface", "mpi_rendezvous")
    return _create(net, common_world_blob, rendezvous, name, timeout_ms=timeout_ms, **more)


class CollectivesConcurrencyControl:
    """Gives collectives at most `max_concurrent_context` common worlds; those that share one run one after another."""

    def __init__(self, name: str, max_concurrent_context: int, param_init_net: Any, rendezvous: Rendezvous) -> None:
        self.name, self.param_init_net, self.rendezvous = name, param_init_net, rendezvous
        self.max_concurrent_context = max_concurrent_context
        self.counter = 0
        self.common_worlds: list[Any] = []
        self.control_inputs: list[Any] = []

    def get_control_and_context(self, control_output_blob: Any) -> tuple[Any, Any]:
        """A common world, and what the collective before it there wrote, None for the first."""
        slot = self.counter % self.max_concurrent_context
        self.counter += 1
        if len(self.common_worlds) < self.max_concurrent_context:
            blob = f"{self.name}_{slot}_cw"
            self.common_worlds.append(_CreateOrCloneCommonWorld(self.param_init_net, blob, self.rendezvous))
            self.control_inputs.append(control_output_blob)
            return self.common_worlds[slot], None
        before, self.control_inputs[slot] = self.control_inputs[slot], control_output_blob
        return self.common_worlds[slot], before


def _CreateBarrierNet(model: Any, init_net: Any, name_prefix: str, timeout_sec: float) -> Any:
    """A net that waits for all processes; its common world is made by init_net."""
    rendezvous = model._rendezvous
    demand(rendezvous["engine"] == "GLOO", f"Engine does not support barrier: {rendezvous['engine']}")
    world = _CreateOrCloneCommonWorld(init_net, f"{name_prefix}_barrier_cw", rendezvous, timeout_sec=timeout_sec)
    net = core.Net(f"{name_prefix}_barrier_net")
    net.Barrier(inputs=[world], outputs=[], engine=rendezvous["engine"])
    return net


def _AddBarrierToModelNets(model: Any, barrier_net_timeout_sec: float) -> None:
    """Have all processes start every run of a model together: a fast one would time out waiting for a slow one."""
    if model._rendezvous is None or model._rendezvous["engine"] != "GLOO":
        return
    model._barrier_init_net = core.Net("barrier_init_net")
    model._barrier_net = _CreateBarrierNet(model, model._barrier_init_net, "pre_training", barrier_net_timeout_sec)
    model._data_parallel_model_init_nets.insert(0, model._barrier_init_net)
    model._data_parallel_model_nets.insert(0, model._barrier_net)


def Synchronize(model: Any, timeout_sec: float = _DEFAULT_BARRIER_NET_TIMEOUT_SEC) -> None:
    """Wait until all processes are here. Deprecated: a model waits by itself before it trains."""
    warnings.warn(
        "Synchronize is deprecated: models wait for one another, barrier_net_timeout_sec seconds, before they train",
        category=DeprecationWarning,
        stacklevel=2,
    )
    if model._rendezvous is None or model._rendezvous["num_shards"] <= 1:
        return
    if model._sync_barrier_net is None:
        init_net = core.Net("sync_barrier_init_net")
        model._sync_barrier_net = _CreateBarrierNet(model, init_net, "sync", timeout_sec)
        workspace.RunNetOnce(init_net)
        workspace.CreateNet(model._sync_barrier_net)
        model._sync_barrier_net_timeout = timeout_sec
    first = model._sync_barrier_net_timeout
    demand(first == timeout_sec, f"Must use fixed timeout, {first} != {timeout_sec}")
    log.info("Synchronize run barrier net.")
    workspace.RunNet(model._sync_barrier_net)


def _RunComparison(model: Any, blob_name: str, device: Any = None) -> bool:
    """Whether a blob is the same in all processes, told by its sum of squares; raises Misuse where it is not."""
    rendezvous = model._rendezvous
    with core.DeviceScope(model._blob_to_device[blob_name] if device is None else device):
        if rendezvous is None or rendezvous["num_shards"] == 1:
            return True
        mine = np.zeros(rendezvous["num_shards"], np.float32)
        mine[rendezvous["shard_id"]] = 1
        workspace.FeedBlob("compare_arr", mine)
        net = core.Net("allcompare_net")
        name = f"{model.net.Proto().name}.cw_master_select"
        world = _create(net, "initial_sync", rendezvous, name, **_options(rendezvous, "mpi_rendezvous"))
        checksum, gathered = f"{blob_name}_checksum", f"{blob_name}_gather"
        net.SumSqrElements([blob_name], [checksum], average=False)
        net.Mul(inputs=["compare_arr", checksum], outputs=gathered, broadcast=1)
        net.Allreduce(inputs=[world, gathered], outputs=[gathered], engine=rendezvous["engine"])
        workspace.RunNetOnce(net)
        sums = workspace.FetchBlob(gathered)
    demand((sums == sums[0]).all(), f"allcompare failed on shard {rendezvous['shard_id']}.")
    return True
