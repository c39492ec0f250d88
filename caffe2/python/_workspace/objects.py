"""Workspaces, blobs and nets as objects, as programs know them from the C extension of the original."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from caffe2.opdef import EnforceNotMet
from caffe2.proto import caffe2_pb2
from caffe2.python._misuse import demand
from caffe2.python._workspace.blobs import Int8Tensor, feed, fetch
from caffe2.python._workspace.names import GetNetName, StringifyBlobName, borrowed, message
from caffe2.python._workspace.running import CallWithExceptionIntercept
from caffe2.runtime import blob as runtime_blob
from caffe2.runtime import net as runtime_net
from caffe2.runtime import workspace as runtime
from caffe2.runtime.access import TensorCPU
from caffe2.runtime.errors import NetError
from caffe2.runtime.functions import functions
from caffe2.runtime.plan import run_plan
from caffe2.runtime.predictor import Predictor as RuntimePredictor
from caffe2.runtime.serialize import deserialize, serialize
from caffe2.runtime.workspaces import workspaces


class Blob:
    """A blob of a workspace."""

    def __init__(self, workspace: runtime.Workspace, name: str) -> None:
        self._workspace, self._name = workspace, name
        self._cell = workspace.require(name)

    def feed(self, arg: Any, device_option: caffe2_pb2.DeviceOption | None = None) -> bool:
        """Put an array, a string or a torch tensor into it; True."""
        return feed(self._workspace, self._name, arg, device_option)

    _feed = feed

    def fetch(self) -> Any:
        """Its value: an array of its own, an Int8Tensor, or bytes."""
        return fetch(self._workspace, self._name)

    def is_tensor(self) -> bool:
        """Whether it holds a tensor of numbers."""
        return isinstance(self._cell.value, torch.Tensor)

    def tensor(self) -> TensorCPU:
        """Its tensor, an empty one where it holds nothing, to be read and written in place."""
        return TensorCPU(self._cell)

    as_tensor = tensor

    def to_torch(self) -> torch.Tensor:
        """Its tensor itself. Raises EnforceNotMet where it holds none."""
        if not self.is_tensor():
            raise EnforceNotMet(
                f"the blob {self._name!r} holds no tensor but {runtime_blob.describe(self._cell.value)}"
            )
        return self._cell.value

    def serialize(self, name: str) -> bytes:
        """It as a serialized BlobProto that names it `name`."""
        return serialize(self._cell.value, name)

    def deserialize(self, content: bytes) -> None:
        """Make what a serialized BlobProto holds its value."""
        self._workspace.put(self._name, deserialize(content))


class Net:
    """A net made on a workspace."""

    def __init__(self, net: runtime_net.Net) -> None:
        self._net = net

    def run(self) -> None:
        """Run every operator once. Raises NetError where the run was cancelled meanwhile."""
        self._net.cancelled = False
        self._net.run()
        if self._net.cancelled:
            raise NetError(f"the run of net {self._net.name!r} was cancelled")

    def cancel(self) -> None:
        """Have operators that wait at queues wait no longer."""
        self._net.cancel()


class _Views(Mapping):
    """What a workspace holds under names, looked up when it is asked for; equal to a dict with the same."""

    def __init__(self, names: Any, view: Any) -> None:
        self._names, self._view = names, view

    def __getitem__(self, name: str) -> Any:
        if name not in self._names():
            raise KeyError(name)
        return self._view(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())


class _Current:
    """The class attribute Workspace.current."""

    def __get__(self, instance: Any, owner: type[Workspace]) -> Workspace:
        return owner(workspaces.current)


class Workspace:
    """Named blobs and nets: an empty one of its own; one within another; or, for one of the runtime, that one."""

    current = _Current()

    def __init__(self, held: runtime.Workspace | Workspace | None = None) -> None:
        self._held = held if isinstance(held, runtime.Workspace) else runtime.Workspace(held and held._held)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Workspace) and other._held is self._held

    def __hash__(self) -> int:
        return id(self._held)

    @property
    def blobs(self) -> Mapping[str, Blob]:
        """Its blobs by name."""
        return _Views(self._held.names, lambda name: Blob(self._held, name))

    @property
    def nets(self) -> Mapping[str, Net]:
        """The nets made on it by name."""
        return _Views(self._held.net_names, lambda name: Net(self._held.net(name)))

    def has_blob(self, name: Any) -> bool:
        return str(name) in self._held

    def create_blob(self, name: Any) -> Blob:
        """The blob of that name, made where there is none."""
        self._held.cell(str(name))
        return Blob(self._held, str(name))

    def remove_blob(self, blob: Any) -> None:
        """Take a blob out, if it is there."""
        self._held.remove(str(blob))

    _remove_blob = remove_blob

    def feed_blob(self, name: Any, arr: Any, device_option: caffe2_pb2.DeviceOption | None = None) -> bool:
        """Put an array, a string or a torch tensor into a blob, made where there is none; True."""
        return feed(self._held, StringifyBlobName(name), arr, device_option)

    def fetch_blob(self, name: Any) -> Any:
        """The value of a blob: an array of its own, an Int8Tensor, or bytes."""
        return fetch(self._held, StringifyBlobName(name))

    def fetch_int8_blob(self, name: Any) -> Int8Tensor:
        """A quantized tensor. Raises an AssertionError where the blob holds none."""
        fetched = self.fetch_blob(name)
        demand(isinstance(fetched, Int8Tensor), f"the blob {str(name)!r} is no quantized tensor: use fetch_blob")
        return fetched

    def create_net(self, net: Any, overwrite: bool = False) -> Net:
        """Make a net under its name. Raises TypeError for a string, which is no definition of a net."""
        if isinstance(net, str):
            raise TypeError(f"a net is made from its definition, not from the string {net!r}")
        made = self._guarded(GetNetName(net), self._held.create_net, message(net, caffe2_pb2.NetDef), overwrite)
        return Net(made)

    def run(self, obj: Any) -> bool:
        """Run a plan, a net or an operator once, given as an object, a message; True. Raises ValueError for others."""
        proto = obj.Proto() if hasattr(obj, "Proto") else obj
        if isinstance(proto, caffe2_pb2.PlanDef):
            run_plan(message(proto, caffe2_pb2.PlanDef), self._held)
        elif isinstance(proto, caffe2_pb2.NetDef):
            self._guarded(proto.name, self._held.run_net_once, borrowed(proto, caffe2_pb2.NetDef))
        elif isinstance(proto, caffe2_pb2.OperatorDef):
            self._held.run_operator_once(borrowed(proto, caffe2_pb2.OperatorDef))
        else:
            raise ValueError(f"a workspace runs plans, nets and operators, not a {type(proto).__name__}")
        return True

    def _guarded(self, name: str, call: Any, *args: Any) -> Any:
        return CallWithExceptionIntercept(call, self._last_failed_op_net_position, name, *args)

    def _last_failed_op_net_position(self) -> int:
        return self._held.failed_position


class Predictor:
    """A net with its parameters, in a workspace of its own.

    init_net, predict_net: definitions or their bytes; the first runs once and makes the parameters.
    """

    def __init__(self, init_net: Any, predict_net: Any) -> None:
        nets = (message(net, caffe2_pb2.NetDef) for net in (init_net, predict_net))
        self._predictor = RuntimePredictor(*nets)

    def run(self, inputs: Sequence[Any] | Mapping[str, Any]) -> list[Any]:
        """The net's outputs for arrays by name, or in the order of its external inputs that are no parameters."""
        return self._predictor.run(inputs)


functions.show_workspace = Workspace
