"""Nets: operators over blobs, created by calling the operator's name on the net."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar
from zlib import crc32

import numpy as np

from caffe2.proto import caffe2_pb2
from caffe2.python import _import_c_extension as C
from caffe2.python import workspace
from caffe2.python._core import net_names, python_operator
from caffe2.python._core.arguments import MakeArgument
from caffe2.python._core.blob_reference import BlobReference, GradientSlice, _RectifyInputOutput
from caffe2.python._core.create import CreateOperator
from caffe2.python._core.gradient_registry import GradientRegistry
from caffe2.python._core.net_clone import NetCloning
from caffe2.python._core.operators import DataType, IsOperator, no_such_method, with_operators
from caffe2.python._core.tracebacks import user_stack
from caffe2.python._misuse import demand

CONST_FILLS = {"i4": "GivenTensorIntFill", "i8": "GivenTensorInt64Fill", "b1": "GivenTensorBoolFill"}
"""The operator that fills in a constant, by element type; strings and, for all others, float have theirs too."""


class Net(NetCloning):
    """A net under construction: `net.Relu("X", "Y")` appends an operator and returns references to its outputs.

    name_or_proto: a name, which is made unique in the process, or a NetDef to start from a copy of.
    """

    _net_names_used: ClassVar[set[str]] = net_names.NET_NAMES
    operator_registry_: ClassVar[dict[str, Any]] = {}

    def __init__(self, name_or_proto: str | caffe2_pb2.NetDef) -> None:
        self._net = caffe2_pb2.NetDef()
        given = isinstance(name_or_proto, caffe2_pb2.NetDef)
        if given:
            self._net.CopyFrom(name_or_proto)
        self._init_blobs()
        self._net.name = net_names.next_net_name(name_or_proto.name if given else name_or_proto)
        self._attr_dict: dict[str, list[Any]] = defaultdict(list)

    @staticmethod
    def current_prefix() -> str:
        """The name of the builder that nets are being made within; empty outside one."""
        return net_names.current_prefix()

    @staticmethod
    def _get_next_net_name(basename: str) -> str:
        return net_names.next_net_name(basename)

    def _of_proto(self, proto: caffe2_pb2.NetDef) -> Net:
        return Net(proto)

    def Name(self) -> str:
        """The name of the net."""
        return self._net.name

    def __str__(self) -> str:
        return self.Name()

    # Operators

    def __getattr__(self, op_type: str) -> Callable[..., Any]:
        if op_type.startswith("_"):
            raise AttributeError(f"Attribute {op_type} not found.")
        if not IsOperator(op_type):
            raise no_such_method(op_type)
        return lambda *args, **kwargs: self._CreateAndAddToSelf(op_type, *args, **kwargs)

    def __dir__(self) -> list[str]:
        return with_operators(set(dir(type(self))) | set(vars(self)))

    def _CreateAndAddToSelf(self, op_type: str, inputs: Any, outputs: Any = None, **kwargs: Any) -> Any:
        """Append an operator; references to its outputs: None, one, or a tuple.

        inputs: those that the net does not define become external inputs.
        outputs: names or references, a number of outputs to be named, or None for one to be named.
        """
        inputs = _RectifyInputOutput(inputs)
        for blob in inputs:
            if not self.BlobIsDefined(blob):
                demand(blob.Net() is not self, f"{op_type} reads {blob}, which net {self.Name()!r} no longer defines")
                self.AddExternalInput(blob)
        if outputs is None:
            outputs = self.NextName(prefix=op_type)
        elif type(outputs) is int:
            outputs = [self.NextName(prefix=op_type, output_id=i) for i in range(outputs)]
        op = CreateOperator(op_type, inputs, _RectifyInputOutput(outputs, net=self), **kwargs)
        self._ExtendOps([op])
        workspace.operator_tracebacks[self.Name()][len(self._net.op) - 1] = user_stack()
        made = tuple(BlobReference(name, self) for name in op.output)
        return made if len(made) > 1 else made[0] if made else None

    def Python(
        self,
        f: Any,
        grad_f: Any = None,
        python_func_type: Any = None,
        pass_workspace: bool = False,
        grad_output_indices: Sequence[int] | None = None,
        grad_input_indices: Sequence[int] | None = None,
    ) -> Callable[..., Any]:
        """A function that appends a Python operator running `f(inputs, outputs)`.

        f, grad_f: functions, or both tuples (make, args, kwargs) that travel with the net, pickled, and make the
            function where the net is created.
        grad_f: its inputs are those of f, its outputs, and the gradients of these; it writes the gradients of the
            inputs. The index lists narrow down which outputs and which inputs have gradients.
        python_func_type: a class made from f whose `forward` and `backward` are used.
        pass_workspace: give f the workspace as a third argument.
        """
        arguments = python_operator.arguments(f, grad_f, python_func_type, pass_workspace)
        arguments["grad_output_indices"] = grad_output_indices or []
        arguments["grad_input_indices"] = grad_input_indices or []
        return lambda *args, **kwargs: self._CreateAndAddToSelf("Python", *args, **{**kwargs, **arguments})

    def AppendNet(self, net: Net, device_option: caffe2_pb2.DeviceOption | None = None) -> Net:
        """Append the operators of another net, on `device_option` if given, and take its external blobs over."""
        demand(isinstance(net, Net), f"a net is appended to a net, not a {type(net).__name__}")
        for name in net.Proto().external_input:
            if not self.BlobIsDefined(name):
                self.AddExternalInput(name)
        known = set(self._net.external_output)
        self._net.external_output.extend(name for name in net.Proto().external_output if name not in known)
        start = len(self._net.op)
        self._ExtendOps(net.Proto().op)
        if device_option is not None:
            for op in self._net.op[start:]:
                _put_on(op, device_option)
        return self

    def AddGradientOperators(self, ys: Any, skip: int = 0) -> dict[BlobReference, BlobReference | GradientSlice]:
        """Append the operators for the derivatives of `ys`; the gradient of each blob that has one.

        ys: blobs whose gradient is 1, or a dict of blobs to their gradients, None meaning 1.
        skip: the first operators to leave out, such as those that read data.
        """
        operators, gradients = GradientRegistry.GetBackwardPass(self._net.op[skip:], ys)
        if workspace.IsImmediate():
            for op in operators:
                workspace.RunOperatorImmediate(op)
        self._ExtendOps(operators)
        return gradients

    def DeduplicateGradientSlices(self, g: GradientSlice, aggregator: str = "sum") -> GradientSlice:
        """A sparse gradient with every index once, its values added up ("sum") or averaged ("mean")."""
        demand(isinstance(g, GradientSlice), f"a sparse gradient is a GradientSlice, not a {type(g).__name__}")
        aggregate = {"sum": "UnsortedSegmentSum", "mean": "UnsortedSegmentMean"}.get(aggregator.lower())
        if aggregate is None:
            raise ValueError(f"{aggregator} is not supported; gradients are added up by sum or mean")
        unique, remapping = self.Unique([g.indices], 2, engine="SparseHash")
        return GradientSlice(indices=unique, values=getattr(self, aggregate)([g.values, remapping], 1))

    def Const(self, array: Any, blob_out: Any = None, dtype: Any = None) -> BlobReference:
        """A blob filled with an array: int32, int64, bool and strings as such, other elements as float."""
        if isinstance(array, bool):
            return self.ConstantFill([], blob_out or 1, dtype=DataType.BOOL, value=array)
        array = np.array(array) if dtype is None else np.array(array, dtype=dtype)
        if array.dtype.kind in "SUO":
            fill, values = "GivenTensorStringFill", array.ravel()
        else:
            fill = CONST_FILLS.get(array.dtype.str[1:], "GivenTensorFill")
            values = array.ravel() if fill in CONST_FILLS.values() else array.ravel().astype(float)
        return getattr(self, fill)([], blob_out or 1, shape=array.shape, values=values.tolist())

    def LogInfo(self, *msg_or_blobs: Any) -> None:
        """Append operators that print messages and blobs."""
        for item in msg_or_blobs:
            if not isinstance(item, BlobReference):
                item = self.GivenTensorStringFill([], self.NextName("log"), shape=[], values=[item])
            self.Print(item, [])

    # What goes with the net

    def AddArgument(self, arg_name: str, arg_value: Any) -> None:
        """Give the net an argument."""
        self._net.arg.append(MakeArgument(arg_name, arg_value))

    def add_attribute(self, name: str, obj: Any) -> None:
        """Append an object to those held under a name; they mean something to the program alone."""
        self._attr_dict[name].append(obj)

    def get_attributes(self, name: str) -> list[Any]:
        """The objects held under a name."""
        return self._attr_dict.get(name, [])

    def set_rand_seed(self, seed: int = 100, sequence_seed: bool = True, seed_on_op_def: bool = False) -> None:
        """Give operator i the random seed `seed` + i; without `sequence_seed` `seed`, or a hash of its definition."""
        demand(not (sequence_seed and seed_on_op_def), "sequence_seed and seed_on_op_def cannot be both set to True")
        for index, op in enumerate(self._net.op):
            drawn = crc32(op.SerializeToString(deterministic=True) + str(seed).encode()) if seed_on_op_def else seed
            op.device_option.random_seed = drawn + (index if sequence_seed else 0)

    def PopulateProtoWithFileName(self) -> None:
        """Name each operator after the place in the program that created it: file:line:function."""
        for index, stack in workspace.operator_tracebacks.get(self.Name(), {}).items():
            if index < len(self._net.op):
                self._net.op[index].name = ":".join(map(str, stack[0]))

    def AddObserver(self, observer_type: str) -> Any:
        """Attach an observer to the created net of this name; the observer."""
        return C.add_observer_to_net(self._net.name, observer_type)

    def RemoveObserver(self, observer: Any) -> None:
        """Take an observer off the created net of this name."""
        C.remove_observer_from_net(self._net.name, observer)

    def NumObservers(self) -> int:
        """How many observers the created net of this name has."""
        return C.num_observers_on_net(self._net.name)

    # Devices

    @staticmethod
    def _RunAllOnGPU(net: caffe2_pb2.NetDef, gpu_id: int = 0, use_cudnn: bool = False) -> None:
        net.device_option.Clear()
        net.device_option.device_type = workspace.GpuDeviceType
        net.device_option.device_id = gpu_id
        for op in net.op:
            if use_cudnn:
                op.engine = "CUDNN"
            for step_net in _step_nets(op, "step_net"):
                Net._RunAllOnGPU(step_net, gpu_id, use_cudnn)

    def RunAllOnGPU(self, gpu_id: int = 0, use_cudnn: bool = False) -> None:
        """Put the net, and the step nets of its recurrent networks, on a GPU."""
        self._RunAllOnGPU(self._net, gpu_id, use_cudnn)

    def RunAllOnMKL(self) -> None:
        """Put the net on MKL-DNN."""
        self._net.device_option.CopyFrom(caffe2_pb2.DeviceOption(device_type=caffe2_pb2.MKLDNN))

    def RunAllOnIDEEP(self) -> None:
        """Put the net on IDEEP."""
        self._net.device_option.CopyFrom(caffe2_pb2.DeviceOption(device_type=caffe2_pb2.IDEEP))


def _step_nets(op: caffe2_pb2.OperatorDef, suffix: str) -> Iterable[caffe2_pb2.NetDef]:
    if op.type == "RecurrentNetwork":
        yield from (arg.n for arg in op.arg if arg.name.endswith(suffix))


def _put_on(op: caffe2_pb2.OperatorDef, device: caffe2_pb2.DeviceOption) -> None:
    op.device_option.CopyFrom(device)
    for net in _step_nets(op, "step_net"):
        for step_op in net.op:
            step_op.device_option.CopyFrom(device)
