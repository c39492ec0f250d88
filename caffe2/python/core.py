"""The core of the front end: blobs by name, operators, nets, gradients, execution steps and plans."""

from caffe2.bridge.pytorch import register
from caffe2.proto import caffe2_pb2
from caffe2.python import _import_c_extension as C
from caffe2.python import control_ops_grad, scope, workspace  # the first gives control operators their gradients
from caffe2.python._core.blob_reference import (
    BlobReference,
    GradientSlice,
    ScopedBlobReference,
    ScopedName,
    _RectifyInputOutput,
)
from caffe2.python._core.create import CreateOperator
from caffe2.python._core.device_copies import (
    InjectCrossDeviceCopies,
    InjectDeviceCopiesAmongNets,
    InjectDeviceCopiesAmongNetsWithoutB2D,
    RemapEntry,
    copy_func_between_devices,
    update_placeholder_op_output,
)
from caffe2.python._core.devices import (
    DeviceOption,
    InferBlobDevices,
    InferOpBlobDevices,
    InferOpBlobDevicesAsDict,
    InferOpDeviceAsBlobDevices,
    IsGPUDeviceType,
    device_equal,
    device_option_equal,
)
from caffe2.python._core.gradient_ir import IR, GetIndexFromGradientList, OpSSA
from caffe2.python._core.gradient_registry import GradientRegistry
from caffe2.python._core.gradient_sums import GradGenMeta, SparseGradGenMeta
from caffe2.python._core.net import Net
from caffe2.python._core.net_clone import clone_and_bind_net
from caffe2.python._core.net_records import _recover_record_by_prefix
from caffe2.python._core.operators import (
    _REGISTERED_OPERATORS,
    DataType,
    IsOperator,
    IsOperatorWithEngine,
    RefreshRegisteredOperators,
    _GetRegisteredOperators,
)
from caffe2.python._core.plan import Plan, add_nets_in_order
from caffe2.python._core.python_operator import CreatePythonOperator, _RegisterPythonImpl
from caffe2.python._core.remap import (
    DEFAULT_REMAP_FUNCS,
    control_op_remap,
    recurrent_network_op_remap,
    remap_input,
    remap_proto,
)
from caffe2.python._core.ssa import get_op_ids_in_path, get_output_producers, get_ssa, get_undefined_blobs
from caffe2.python._core.start import (
    GetGlobalInitArgs,
    GlobalInit,
    SetEnginePref,
    SetGlobalEnginePref,
    SetOpEnginePref,
    SetPerOpEnginePref,
)
from caffe2.python._core.step import (
    ExecutionStep,
    _add_net_to_dict,
    execution_step,
    get_net_name,
    output_to_list,
    scoped_execution_step,
    to_execution_step,
)
from caffe2.python.scope import DeviceScope, NameScope

register()  # torch.ops._caffe2, which programs of PyTorch find once Caffe2 is imported

__all__ = [
    "BlobReference",
    "C",
    "CreateOperator",
    "CreatePythonOperator",
    "DEFAULT_REMAP_FUNCS",
    "DataType",
    "DeviceOption",
    "DeviceScope",
    "ExecutionStep",
    "GetGlobalInitArgs",
    "GetIndexFromGradientList",
    "GlobalInit",
    "GradGenMeta",
    "GradientRegistry",
    "GradientSlice",
    "IR",
    "InferBlobDevices",
    "InferOpBlobDevices",
    "InferOpBlobDevicesAsDict",
    "InferOpDeviceAsBlobDevices",
    "InjectCrossDeviceCopies",
    "InjectDeviceCopiesAmongNets",
    "InjectDeviceCopiesAmongNetsWithoutB2D",
    "IsGPUDeviceType",
    "IsOperator",
    "IsOperatorWithEngine",
    "NameScope",
    "Net",
    "OpSSA",
    "Plan",
    "RefreshRegisteredOperators",
    "RemapEntry",
    "ScopedBlobReference",
    "ScopedName",
    "SetEnginePref",
    "SetGlobalEnginePref",
    "SetOpEnginePref",
    "SetPerOpEnginePref",
    "SparseGradGenMeta",
    "_GetRegisteredOperators",
    "_REGISTERED_OPERATORS",
    "_RectifyInputOutput",
    "_RegisterPythonImpl",
    "_add_net_to_dict",
    "_recover_record_by_prefix",
    "add_nets_in_order",
    "caffe2_pb2",
    "clone_and_bind_net",
    "control_op_remap",
    "control_ops_grad",
    "copy_func_between_devices",
    "device_equal",
    "device_option_equal",
    "execution_step",
    "get_net_name",
    "get_op_ids_in_path",
    "get_output_producers",
    "get_ssa",
    "get_undefined_blobs",
    "output_to_list",
    "recurrent_network_op_remap",
    "remap_input",
    "remap_proto",
    "scope",
    "scoped_execution_step",
    "to_execution_step",
    "update_placeholder_op_output",
    "workspace",
]
